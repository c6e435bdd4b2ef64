"""What the wheels on this machine install, compared with what is installed."""

from __future__ import annotations

import zipfile
from typing import NamedTuple

from envsnap.engines._archives import ZIP_FAULTS
from envsnap.inside.content import RECORD_LIMIT, stated
from envsnap.inside.wheel import from_wheel
from envsnap.sections import Package, Unknown

_QUICK_BYTES = 64 * 1024 * 1024
"""A wheel that unpacks to more is not hashed whole for a lock: filling a wheelhouse does that."""


class Seen(NamedTuple):
    """What was seen in a wheel."""

    is_it: bool | None
    """Whether it installs what the package has; None where nobody can say."""
    content: str | None = None
    """The digest of its files; None where they were not all hashed."""


class Looks:
    """Looks into wheels of this machine, into each once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Seen] = {}

    def into(self, path: str, package: Package) -> Seen:
        """Whether it installs what the package has.

        Of a package whose files were edited after they were installed nobody can say.
        """
        wanted, changes = package.content, package.changes
        was_edited = not isinstance(changes, Unknown) and bool(changes.edited or changes.missing)
        if not isinstance(wanted, str) or was_edited:
            return Seen(None)
        if (path, wanted) not in self._seen:
            self._seen[path, wanted] = _seen(path, wanted)
        return self._seen[path, wanted]


def _seen(path: str, wanted: str) -> Seen:
    """The RECORD first, which is read in no time; what it says is proved by the files."""
    try:
        with zipfile.ZipFile(path) as wheel:
            found = _stated(wheel)
            is_quick = sum(each.file_size for each in wheel.infolist()) <= _QUICK_BYTES
        if found is None or found != wanted:
            return Seen(None if found is None else False)
        content = from_wheel(path).content if is_quick else None
    except (OSError, *ZIP_FAULTS):
        return Seen(None)
    return Seen(content is None or content == wanted, content)


def _stated(wheel: zipfile.ZipFile) -> str | None:
    """The envsnap-content-1 digest that a wheel's own RECORD states; None where it states none."""
    names = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
    own = [name for name in names if name.count("/") == 1]
    if len(own) != 1 or wheel.getinfo(own[0]).file_size > RECORD_LIMIT:
        return None
    folder = own[0].partition("/")[0]
    return stated(_without_data(wheel.read(own[0]), folder), folder.encode()).content


def _without_data(record: bytes, folder: str) -> bytes:
    """The rows of what goes into the folder of packages, under the names that it has there."""
    data = folder.removesuffix(".dist-info").encode() + b".data/"
    rows = []
    for row in record.split(b"\n"):
        bare = row.removeprefix(b'"')
        if not bare.startswith(data):
            rows.append(row)
            continue
        scheme, _, rest = bare[len(data) :].partition(b"/")
        if scheme in {b"purelib", b"platlib"}:
            rows.append(row[: len(row) - len(bare)] + rest)
    return b"\n".join(rows)
