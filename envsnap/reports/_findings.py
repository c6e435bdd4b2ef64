"""A finding for a terminal: what, so what, what mends it; on a wide one in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from envsnap.reports._groups import Group, excuse_words, what
from envsnap.reports._lines import Line, Part, clause, line, wrapped
from envsnap.reports._shown import shown
from envsnap.rules import Finding

SUBJECT = 14
_CODE = 8
_WIDE = 120
"""From here on, what and so what stand side by side."""
_WIDEST = 160
"""A code further to the right is not found beside its finding."""
_LONGEST_SUBJECT = 26
"""A longer one has a line of its own, on a narrow terminal."""
_GAP = 2
_SHOWN = 3


def group_lines(those: Iterable[Group], width: int) -> Iterator[Line]:
    """Each group under its title, an empty line before it."""
    for group in those:
        yield line()
        for each in wrapped(group.title, width - 1):
            yield line(Part(each, "bold"))
        yield from _folded(group.findings, width)


def _folded(found: Sequence[Finding], width: int) -> Iterator[Line]:
    """The findings of a group, a few of each rule; never a list of hundreds."""
    number = Counter(each.code for each in found)
    told: Counter[str] = Counter()
    for each in found:
        told[each.code] += 1
        if told[each.code] <= _SHOWN:
            yield from _finding(each, width)
        elif told[each.code] == _SHOWN + 1:
            rest = f"{number[each.code] - _SHOWN} more like these"
            yield _coded(" " * SUBJECT, rest, each.code, min(width, _WIDEST))


def _finding(each: Finding, width: int) -> Iterator[Line]:
    """What and so what, one after the other; its code at the right of the first line."""
    label = f"  {shown(each.subject)}"
    width = min(width, _WIDEST)
    is_wide = width >= _WIDE
    if len(label) >= (SUBJECT if is_wide else _LONGEST_SUBJECT):
        yield line(label)
        label = ""
    label = f"{label:<{SUBJECT}}" if len(label) < SUBJECT else f"{label}  "
    room = width - 1 - SUBJECT
    first, second = what(each), clause(each.why)
    if is_wide:
        body = _beside(first, second, room - _CODE)
    else:
        mark = ";" if ": " in first else ":"
        body = _flowed(f"{first}{mark} {second}", width - 1 - len(label) - _CODE, room)
    if each.remedy:
        body += _hanging("-> ", each.remedy, room)
    for excuse in each.excuses:
        body += _hanging("=  ", excuse_words(excuse), room)
    yield _coded(label, body[0], each.code, width)
    for words in body[1:]:
        yield line(" " * SUBJECT, words)


def _flowed(words: str, first: int, room: int) -> list[str]:
    """Words in lines, of which the first has less room."""
    start, *rest = wrapped(words, first)
    return [start, *(wrapped(" ".join(rest), room) if rest else ())]


def _beside(first: str, second: str, room: int) -> list[str]:
    left = (room - _GAP) // 2
    pairs = zip_longest(wrapped(first, left), wrapped(second, room - _GAP - left), fillvalue="")
    return [f"{one:<{left + _GAP}}{other}" for one, other in pairs]


def _hanging(mark: str, words: str, room: int) -> list[str]:
    first, *rest = wrapped(words, room - len(mark))
    return [f"{mark}{first}", *(f"{' ' * len(mark)}{each}" for each in rest)]


def _coded(label: str, words: str, code: str, width: int) -> Line:
    gap = max(width - 1 - len(label) - len(words) - len(code), 1)
    return line(label, words, " " * gap, Part(code, "dim"))
