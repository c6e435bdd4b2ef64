"""Lines of text in parts, each with its look: what prints them cleans and colours each part."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

_NAMES = ("Docker", "Linux", "Python")

Look = Literal["", "good", "warn", "bad", "dim", "bold"]


class Part(NamedTuple):
    """A piece of a line."""

    text: str
    look: Look = ""


Line = tuple[Part, ...]


def line(*parts: Part | str) -> Line:
    """A line of parts; plain text has no look.

    >>> line("  ", Part("RUNS", "good"))
    (Part(text='  ', look=''), Part(text='RUNS', look='good'))
    """
    return tuple(Part(each) if isinstance(each, str) else each for each in parts)


def plain(lines: Iterable[Line]) -> list[str]:
    """The lines without their looks."""
    return ["".join(part.text for part in each) for each in lines]


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most that width; an empty text is one empty line."""
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def labelled(label: str, text: str, *, width: int, indent: int) -> Iterator[Line]:
    """A label, and its text wrapped beside it."""
    first, *rest = wrapped(text, width - 1 - indent)
    yield line(f"{label:<{indent}}", first)
    for each in rest:
        yield line(" " * indent, each)


def clause(sentence: str) -> str:
    """A sentence as a clause; names keep their capitals.

    >>> clause("Its first kernel fails"), clause("NumPy takes other kernels")
    ('its first kernel fails', 'NumPy takes other kernels')
    """
    first, space, rest = sentence.partition(" ")
    is_name = first.rstrip(",") in _NAMES or first[1:] != first[1:].lower()
    return sentence if is_name else f"{first.lower()}{space}{rest}"
