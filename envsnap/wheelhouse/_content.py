"""What a wheel would install, told by the RECORD in it; hostile ones are bounded."""

from __future__ import annotations

import zipfile

from envsnap.inside.content import RECORD_LIMIT, stated


def stated_content(path: str) -> str | None:
    """The envsnap-content-1 digest that a wheel's own RECORD states; None where it states none."""
    try:
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
            own = [name for name in names if name.count("/") == 1]
            if len(own) != 1 or wheel.getinfo(own[0]).file_size > RECORD_LIMIT:
                return None
            folder = own[0].partition("/")[0]
            record = _without_data(wheel.read(own[0]), folder)
            return stated(record, folder.encode()).content
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError):
        return None


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
