"""What others recorded, as input: lists, lock files, reports and pasted text become sections.

A reader takes one text and says what it tells; what it does not tell is not recorded, never
guessed. Nothing here runs a program or opens a file.
"""

from __future__ import annotations

from envsnap.imports._core import Reader, Text, Told, blank, joined, reader, readers

__all__ = ["Reader", "Text", "Told", "blank", "joined", "reader", "readers"]
