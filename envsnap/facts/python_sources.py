"""Which source archives of CPython are published, and their digests."""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple
from envsnap.facts._patches import numbers
from envsnap.facts._table import Answer, Row, table

_ADDRESS = "https://www.python.org/ftp/python"
_FIRST_WITHOUT_THE_GIL = (3, 13)
_ENDED = (3, 9)
"""The newest release that gets no patch any more: the table has all of these, and of older ones."""


class Source(NamedTuple):
    """One archive, which is compiled."""

    filename: str
    url: str
    sha256: str


def source(version: str, *, free_threaded: bool = False) -> Answer[Source]:
    """Give the source archive of a version to the patch; every architecture has the same.

    >>> source("3.11.2").value.filename
    'Python-3.11.2.tgz'
    """
    facts = table("python_sources")
    what = f"The source of Python {version}{'t' if free_threaded else ''}"
    asked = numbers(version)
    if asked is None or (free_threaded and asked[:2] < _FIRST_WITHOUT_THE_GIL):
        return facts.missing(what)
    rows = facts.rows("python_source")
    for row in rows:
        if row["python"] == version:
            return facts.looked(_source(row), row)
    known = [numbers(row["python"]) or () for row in rows]
    newest = max((each for each in known if each[:2] == asked[:2]), default=None)
    is_newer = asked[:2] > _ENDED and asked > (newest or max(known, default=()))
    return facts.newer(what) if is_newer else facts.missing(what)


def versions(*, free_threaded: bool = False) -> tuple[str, ...]:
    """Give every version whose source is known, the oldest first."""
    first = _FIRST_WITHOUT_THE_GIL if free_threaded else ()
    found = {row["python"]: numbers(row["python"]) or () for row in _rows()}
    return tuple(sorted((each for each in found if found[each] >= first), key=found.__getitem__))


def _rows() -> list[Row]:
    return list(table("python_sources").rows("python_source"))


def _source(row: Row) -> Source:
    version = row["python"]
    release = re.sub(r"(?:a|b|rc)\d+\Z", "", version)
    filename = f"Python-{version}.tgz"
    return Source(filename, f"{_ADDRESS}/{release}/{filename}", row["sha256"])
