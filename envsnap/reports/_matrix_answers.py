"""What a matrix answers before its rows are read: which machines will do, and why others will not.

The forms for people share it: text, Markdown and the HTML page say the same of the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import ExitCode
from envsnap.reports._folded import in_a_line
from envsnap.reports._lines import Look
from envsnap.reports._words import count
from envsnap.reports.matrix import Matrix, Row, worst_of
from envsnap.rules import Scope, Verdict

_WAYS = {Scope.NATIVE: "running natively", Scope.CONTAINER: "the container"}
_SUBJECTS = 3
_NAMES = 12


class Sort(NamedTuple):
    """The rows with one answer."""

    title: str
    told: str
    """What is said of so many of them: '2 run with differences'."""
    look: Look
    rows: tuple[Row, ...]
    """The best first."""

    @property
    def number(self) -> int:
        """How many machines they are."""
        return sum(len(each.names) for each in self.rows)


_SORTS: tuple[tuple[str, str, Look], ...] = (
    ("Will do", "{} will do", "good"),
    ("Runs", "{} {run} with differences", "warn"),
    ("With limits", "{} {run} with limits", "warn"),
    ("Cannot tell", "{} cannot be told", "warn"),
    ("Will not run", "{} will not run", "bad"),
)
_WILL_DO, _OPEN = 0, 3
_PLACES = {Verdict.RUNS: 1, Verdict.LIMITS: 2, Verdict.CANNOT_TELL: _OPEN, Verdict.WILL_NOT_RUN: 4}


def sorts(matrix: Matrix) -> list[Sort]:
    """The rows by their answer, the best first; what nothing is of is left out."""
    found = []
    for at, (title, told, look) in enumerate(_SORTS):
        rows = tuple(each for each in reversed(matrix.rows) if _place(each) == at)
        number = sum(len(each.names) for each in rows)
        if rows:
            said = told.format(number, run="runs" if number == 1 else "run")
            found.append(Sort(title, said, look, rows))
    return found


def _place(row: Row) -> int:
    if row.will_do:
        return _WILL_DO
    return _OPEN if row.exit_code is ExitCode.CANNOT_TELL else _PLACES[row.verdict]


def in_short(rows: Sequence[Row]) -> str:
    """The names, those that are so for one reason together: 'a, b (driver); c (GPU memory)'."""
    by_reason: dict[str, list[str]] = {}
    for each in rows:
        by_reason.setdefault(subjects(each), []).append(in_a_line(each.names))
    told = [
        f"{', '.join(those[:_NAMES])}{_more(len(those) - _NAMES)}{f' ({why})' if why else ''}"
        for why, those in by_reason.items()
    ]
    return "; ".join(told[:_NAMES]) + _more(len(told) - _NAMES)


def subjects(row: Row) -> str:
    """What keeps it from being a yes, by name: 'GPU kind, CPU and 2 more'."""
    if row.will_do:
        return ""
    if row.worst is None or row.is_open:
        return f"{row.not_known[0]} is not known" if row.not_known else ""
    same = [each for each in row.findings if each.outcome is row.worst.outcome]
    names = list(dict.fromkeys(each.subject for each in same))
    left = len(names) - _SUBJECTS
    return ", ".join(names[:_SUBJECTS]) + (f" and {left} more" if left > 0 else "")


def headline(matrix: Matrix) -> tuple[str, Look]:
    """'1 of 39 machines differs in what matters (exit 1)', and how good that is."""
    code, number = matrix.exit_code, count(matrix.number, "machine")
    if code is ExitCode.BAD_MANIFEST:
        many = len(matrix.unread) + matrix.number
        return f"{len(matrix.unread)} of {many} machines could not be read (exit 3)", "bad"
    if code is ExitCode.OK:
        return f"{'the' if matrix.number == 1 else 'all'} {number} will do (exit 0)", "good"
    differing = sum(len(each.names) for each in matrix.rows if each.exit_code is code)
    of = f"{differing} of {number}"
    if code is ExitCode.NO:
        verb = "differs" if differing == 1 else "differ"
        return f"{of} {verb} in what matters (exit 1)", "bad"
    return f"{of} cannot be told (exit 4)", "warn"


def exit_words(matrix: Matrix) -> str:
    """Why this exit code: how many machines of each answer, also where one could not be read."""
    of = f"of {count(matrix.number, 'machine')}, {', '.join(each.told for each in sorts(matrix))}"
    if not matrix.unread:
        return f"Exit {int(matrix.exit_code)}: {of}"
    number = len(matrix.unread)
    unread = f"Exit 3: {number} of {matrix.number + number} could not be read"
    if not matrix.rows:
        return unread
    rest = worst_of({each.exit_code for each in matrix.rows})
    return f"{unread}; without {'it' if number == 1 else 'them'}: exit {int(rest)}, {of}"


def decided_by(matrix: Matrix) -> str:
    """Which way of running decides: 'the container decides'; nothing where no row is."""
    ways = dict.fromkeys(each.scope for each in matrix.rows)
    if len(ways) == 1:
        return f"{_WAYS[next(iter(ways))]} decides"
    by_way = [
        f"{_WAYS[way]} on {sum(len(each.names) for each in matrix.rows if each.scope is way)}"
        for way in ways
    ]
    return f"what decides: {', '.join(by_way)}" if by_way else ""


def _more(left: int) -> str:
    return f" and {left} more" if left > 0 else ""
