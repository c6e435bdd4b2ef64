"""Many machines on one page: the matrix of all kinds, and which of them are told in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.reports._folded import folded, numbers
from envsnap.reports._html_facts import shortened
from envsnap.reports._lines import Look, Part
from envsnap.reports._matrix_answers import (
    Sort,
    decided_by,
    exit_words,
    headline,
    in_short,
    sorts,
)
from envsnap.reports._sides import Sides
from envsnap.reports.matrix import Matrix, Row, Unread
from envsnap.reports.matrix_text import reasons, result, shown_ways, verdicts
from envsnap.rules import Checked

_TITLES = ("Natively", "Container")
_FIRST, _LAST = 40, 20
"""Of more kinds than both, those between stand in the matrix alone: neither outliers nor best."""


class MachineRow(NamedTuple):
    """One kind of machine in the matrix."""

    number: int
    key: str
    """Where it is told in full; empty where it is not."""
    name: str
    machine: str
    ways: tuple[Part, ...]
    """The answer of each way of running that the table shows."""
    result: Part
    why: tuple[tuple[str, str], ...]
    """What is in the way, a line each, with its rule's code."""
    exit_code: int


class Answer(NamedTuple):
    """The kinds with one answer, and what is in the way of a better one."""

    title: str
    number: int
    look: Look
    told: str


class Machines(NamedTuple):
    """The matrix as the page shows it."""

    number: int
    headline: str
    look: Look
    answers: tuple[Answer, ...]
    """The best first."""
    decided_by: str
    exit_words: str
    titles: tuple[str, ...]
    """The ways of running that the table shows."""
    rows: tuple[MachineRow, ...]
    differing: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """The facts that differ between them: each value with the numbers of the rows that have it."""
    unread: tuple[Unread, ...]
    left: int
    """How many kinds are not told in full."""


def told_of(
    matrix: Matrix, done: Sequence[tuple[Checked, Sides]]
) -> Iterator[tuple[Checked, Sides]]:
    """One check for each kind that is told in full, in the order of the matrix."""
    by_name: dict[str, tuple[Checked, Sides]] = {}
    for each in done:
        by_name.setdefault(each[1].found_name, each)
    for kind in _in_full(matrix.rows):
        checked, sides = next(by_name[name] for name in kind.names if name in by_name)
        yield checked, sides._replace(found_name=", ".join(folded(kind.names)))


def machines_of(matrix: Matrix, keys: Sequence[str]) -> Machines:
    """The matrix with the places of those that are told in full."""
    in_full = _in_full(matrix.rows)
    places = dict(zip((each.names for each in in_full), keys, strict=True))
    ways = shown_ways(matrix)
    rows = [
        _row(at, each, places.get(each.names, ""), ways) for at, each in enumerate(matrix.rows, 1)
    ]
    differing = tuple(
        (label, tuple((shortened(value), numbers(those)) for value, those in values.items()))
        for label, values in matrix.differing.items()
    )
    left = len(rows) - len(in_full)
    words, look = headline(matrix)
    return Machines(
        matrix.number, words, look, tuple(map(_answer, sorts(matrix))), decided_by(matrix),
        exit_words(matrix), tuple(_TITLES[at] for at in ways), tuple(rows), differing,
        matrix.unread, left,
    )  # fmt: skip


def _answer(sort: Sort) -> Answer:
    return Answer(sort.title, sort.number, sort.look, shortened(in_short(sort.rows)))


def _in_full(rows: Sequence[Row]) -> Sequence[Row]:
    return rows if len(rows) <= _FIRST + _LAST else (*rows[:_FIRST], *rows[-_LAST:])


def _row(number: int, row: Row, key: str, ways: Sequence[int]) -> MachineRow:
    look: Look = "good" if row.will_do else "warn" if row.runs else "bad"
    many = f"{len(row.names)} machines: " if len(row.names) > 1 else ""
    return MachineRow(
        number=number,
        key=key,
        name=shortened(", ".join(folded(row.names))),
        machine=shortened(f"{many}{row.machine}"),
        ways=tuple(_way(verdicts(row)[at], row) for at in ways),
        result=Part(result(row), look),
        why=tuple((shortened(why), code) for why, code in reasons(row)),
        exit_code=int(row.exit_code),
    )


def _way(word: Part, row: Row) -> Part:
    """The answer of a way of running; not green where the exit code is not 0."""
    return word if row.will_do or word.look != "good" else word._replace(look="warn")
