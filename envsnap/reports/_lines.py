"""Lines of text in parts, each with its look: what prints them cleans and colours each part."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from envsnap._typing import Literal, NamedTuple
from envsnap.manifest import FILE_NAME
from envsnap.reports._shown import filled

_LABEL = 19
_GAP = 2
_WIDEST = 80
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
    return filled(text, width) or [""]


STANDARD_INPUT = "standard input"
"""What a manifest is called that came through a pipe."""


def path_word(path: str) -> str:
    """A path as one word of a command to paste: quoted, and never taken for an option.

    >>> path_word("a b/m.json"), path_word("-o.json")
    ("'a b/m.json'", './-o.json')
    """
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def manifest_words(path: str) -> str:
    """What follows a command to paste so that it takes this manifest; nothing for its default.

    >>> manifest_words("envsnap.lock.json"), manifest_words("a b.json")
    ('', " 'a b.json'")
    """
    if path == STANDARD_INPUT:
        return " FILE"  # it has been read, and has no name
    return "" if path == FILE_NAME else f" {path_word(path)}"


def labelled(label: str, text: str, *, width: int, indent: int) -> Iterator[Line]:
    """A label, and its text wrapped beside it."""
    first, *rest = wrapped(text, width - 1 - indent)
    yield line(f"{label:<{indent}}", first)
    for each in rest:
        yield line(" " * indent, each)


class Answer(NamedTuple):
    """One question of a report, answered in a word."""

    label: str
    word: Part
    why: str
    """A few words, or none."""
    end: str = ""
    """What stands at the right."""


def answer_lines(answer: Answer, width: int) -> Iterator[Line]:
    """An answer on one line; where that is too long, its reason on the next ones."""
    label, word, why, end = answer
    start = ("  ", f"{label:<{_LABEL}}", word)
    tail = f"   {why}" if why else ""
    left = min(width, _WIDEST) - 4 - _LABEL - len(word.text) - len(end)
    gap = left - len(tail)
    if gap >= (_GAP if end else 0):
        yield line(*start, tail, *((" " * gap, Part(end, "dim")) if end else ()))
        return
    beside = bool(end) and left >= _GAP
    yield line(*start, *((" " * left, Part(end, "dim")) if beside else ()))
    for each in wrapped(why, width - 4 - _LABEL) if why else ():
        yield line(" " * (2 + _LABEL), each)
    if end and not beside:
        yield line(" " * (2 + _LABEL), Part(end, "dim"))


def clause(sentence: str) -> str:
    """A sentence as a clause; names keep their capitals.

    >>> clause("Its first kernel fails"), clause("NumPy takes other kernels")
    ('its first kernel fails', 'NumPy takes other kernels')
    """
    first, space, rest = sentence.partition(" ")
    is_name = first.rstrip(",") in _NAMES or first[1:] != first[1:].lower()
    return sentence if is_name else f"{first.lower()}{space}{rest}"
