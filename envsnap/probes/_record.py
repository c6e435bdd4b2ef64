"""The files that a distribution's RECORD names: the one reading of it for whose a file is."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple


class Row(NamedTuple):
    """One file, as RECORD names it."""

    path: str
    """Relative to the folder of packages, or absolute."""
    content: str | None
    """SHA-256, hex; None where RECORD states another hash, or none."""


def rows(record: bytes, naming: bytes = b"") -> Iterator[Row]:
    r"""The rows of a RECORD; none where it is no table.

    Lines without the bytes `naming` are left out before they are read: that is much faster.

    >>> list(rows(b'a.py,,\n"b,c.py",,3\n', naming=b".py"))[1]
    Row(path='b,c.py', content=None)
    """
    if naming not in record:
        return
    from envsnap.inside import content

    if naming:
        record = b"\n".join(line for line in record.split(b"\n") if naming in line)
    found = content.rows_of(record)
    if isinstance(found, content.Refusal):
        return
    for path, digest in zip(found.paths, found.hexes, strict=True):
        yield Row(_text(path), digest.decode("ascii"))
    for path, _ in found.bad:
        yield Row(_text(path), None)


def _text(path: bytes) -> str:
    return path.removeprefix(b"\n").decode("utf-8", "surrogateescape")
