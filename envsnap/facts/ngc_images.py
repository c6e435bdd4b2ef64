"""What the image nvcr.io/nvidia/pytorch:YY.MM-py3 of a month has."""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, Row, table

_RELEASE = re.compile(r"(\d\d)\.(\d\d)\Z")


class Release(NamedTuple):
    """One month's image."""

    python: str
    """Major and minor: '3.12'."""
    executable: str
    """Where its Python lies."""
    ubuntu: str


def release(month: str) -> Answer[Release]:
    """Give the image of a month such as '25.10'.

    A month without a row of its own has what the rows before and after it agree on, with low
    confidence.

    >>> release("25.12").value, release("25.10").confidence
    (Release(python='3.12', executable='/usr/bin/python3', ubuntu='24.04'), 'low')
    """
    facts = table("ngc_images")
    what = f"Image nvcr.io/nvidia/pytorch:{month}-py3"
    rows = facts.rows("ngc_release")
    if not _RELEASE.match(month):
        return facts.missing(what)
    for row in rows:
        if row["release"] == month:
            return facts.looked(_release(row), row)
    before = [row for row in rows if row["release"] < month]
    after = [row for row in rows if row["release"] > month]
    if not after:
        return facts.newer(what)
    if before and _release(before[-1]) == _release(after[0]):
        return facts.looked(_release(after[0]), before[-1], after[0], confidence="low")
    return facts.missing(what)


def _release(row: Row) -> Release:
    return Release(row["python"], row["executable"], row["ubuntu"])
