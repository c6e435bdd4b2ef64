"""check's answer about many machines as Markdown: one table for a pull request or a reply."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.reports._folded import in_a_line, numbers
from envsnap.reports._headline import MARKS
from envsnap.reports._markdown import escaped
from envsnap.reports._matrix_answers import decided_by, exit_words, headline, in_short, sorts
from envsnap.reports._words import count
from envsnap.reports.matrix import Matrix
from envsnap.reports.matrix_text import excused, reasons, result, verdicts

_TITLES = ("", "Found", "Machine", "Natively", "In the container", "Results", "Why")
_MOST = 100
_LONGEST = 1000


def text(matrix: Matrix) -> str:
    """The answer, then the table, then what differs, then what could not be used."""
    parts = [*_answer(matrix), *_table(matrix), *_differing(matrix), *_unread(matrix)]
    return "\n".join(parts) + "\n"


def _answer(matrix: Matrix) -> Iterator[str]:
    words, look = headline(matrix)
    yield f"## {MARKS[look]} envsnap check: {escaped(words)}"
    yield ""
    for each in sorts(matrix):
        yield f"- **{each.title}** {escaped(in_short(each.rows), longest=_LONGEST)}"
    yield f"- {escaped(exit_words(matrix))}"
    yield ""


def _table(matrix: Matrix) -> Iterator[str]:
    kinds = f" of {count(len(matrix.rows), 'kind')}" if len(matrix.rows) < matrix.number else ""
    against = f"{count(matrix.number, 'machine')}{kinds}; {decided_by(matrix)}"
    yield f"**{escaped(matrix.wanted_name)}** against {against}"
    yield ""
    yield _row(_TITLES)
    yield _row(["---:", *["---"] * (len(_TITLES) - 1)])
    for number, row in enumerate(matrix.rows[:_MOST], 1):
        told = [f"{why} ({code})" if code else why for why, code in reasons(row)]
        whole = "; ".join(filter(None, (*told, excused(row))))
        native, container = (each.text.capitalize() for each in verdicts(row))
        name = escaped(in_a_line(row.names))
        name += f" ({len(row.names)} machines)" if len(row.names) > 1 else ""
        yield _row([
            str(number), name, escaped(row.machine), native, container,
            result(row).lower(), escaped(whole),
        ])  # fmt: skip
    left = len(matrix.rows) - _MOST
    if left > 0:
        yield _row(["", f"and {left} better ones", "", "", "", "", ""])


def _differing(matrix: Matrix) -> Iterator[str]:
    if matrix.differing:
        yield ""
    for label, values in matrix.differing.items():
        told = [f"{escaped(value)} ({numbers(those)})" for value, those in values.items()]
        left = len(told) - _MOST
        yield f"- {label}: {'; '.join(told[:_MOST])}" + (f"; and {left} more" if left > 0 else "")


def _unread(matrix: Matrix) -> Iterator[str]:
    if matrix.unread:
        yield ""
    for each in matrix.unread[:_MOST]:
        yield f"- not used: {escaped(each.told)}"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
