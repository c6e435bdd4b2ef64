"""What RECORD says of one file: whose it is, and its SHA-256. Cheaper than hashing a gigabyte."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.manifest import canonical_name
from envsnap.probes._record import Row, rows
from envsnap.sections import Unknown

_RECORD_LIMIT_BYTES = 64 << 20
_MOST_RECORDS = 1000
_SITES = ("/site-packages/", "/dist-packages/")


class Brought(NamedTuple):
    """A file that a wheel brought."""

    distribution: str
    """As the name of its dist-info folder writes it."""
    version: str
    content: str | None
    """SHA-256, hex; None where RECORD states another hash, or none."""


class Records:
    """The RECORDs of one host, each read once."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._read: dict[str, bytes] = {}

    def row(self, path: str, distribution: str | None) -> Brought | None:
        """The row of a file; None where no RECORD of its own site-packages names it.

        Where the distribution is known, only its own RECORD is asked.
        """
        site = _site(path)
        if site is None:
            return None
        relative = path[len(site) + 1 :]
        for folder in self._folders(site, distribution):
            found = _row_of(relative, self._record(f"{site}/{folder}/RECORD"))
            if found is not None:
                name, _, version = folder.removesuffix(".dist-info").rpartition("-")
                return Brought(name, version, found.content)
        return None

    def _folders(self, site: str, distribution: str | None) -> Iterator[str]:
        names = self._host.list(site)
        folders = [
            name
            for name in (() if isinstance(names, Unknown) else names or ())
            if name.endswith(".dist-info")
        ]
        wanted = canonical_name(distribution) if distribution else None
        for folder in folders[:_MOST_RECORDS]:
            name = folder.removesuffix(".dist-info").rpartition("-")[0]
            if wanted is None or canonical_name(name) == wanted:
                yield folder

    def _record(self, path: str) -> bytes:
        if path not in self._read:
            raw = self._host.read(path, limit=_RECORD_LIMIT_BYTES)
            self._read[path] = raw if isinstance(raw, bytes) else b""
        return self._read[path]


def _site(path: str) -> str | None:
    """The innermost folder of packages that holds the file."""
    ends = [path.rfind(each) + len(each) - 1 for each in _SITES if each in path]
    return path[: max(ends)] if ends else None


def _row_of(path: str, record: bytes) -> Row | None:
    name = path.rpartition("/")[2].replace('"', '""').encode("utf-8", "surrogateescape")
    return next((row for row in rows(record, naming=name) if row.path == path), None)
