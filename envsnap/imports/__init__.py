"""What others recorded, as input: lists, lock files, reports and pasted text become sections.

A reader takes one text and says what it tells; what it does not tell is not recorded, never
guessed. Nothing here runs a program or opens a file.
"""

from __future__ import annotations

from envsnap.imports._core import (
    NOT_TOLD,
    Reader,
    Text,
    Told,
    blank,
    reader,
    readers,
)
from envsnap.imports._join import disagreements, joined
from envsnap.imports._listed import listed, packages

__all__ = [
    "NOT_TOLD",
    "Reader",
    "Text",
    "Told",
    "blank",
    "disagreements",
    "joined",
    "listed",
    "packages",
    "reader",
    "readers",
]
