"""check's answer about many machines, for people: outliers on top, the best last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envsnap.manifest import environment_id
from envsnap.reports._folded import folded, in_a_line, numbers
from envsnap.reports._lines import (
    Line,
    Look,
    Part,
    labelled,
    line,
    manifest_words,
    path_word,
    wrapped,
)
from envsnap.reports._matrix_answers import decided_by, exit_words, in_short, sorts
from envsnap.reports._shown import shown
from envsnap.reports._sides import machine_words, when
from envsnap.reports._words import count
from envsnap.reports.matrix import Matrix, Row, about
from envsnap.rules import Outcome, Scope

_NUMBER = 5
_NAME = 20
_CELL = 14
_LONG = 6
"""More kinds than this fill a screen: the answer stands above them as well."""
_FIRST_ROWS, _LAST_ROWS = 16, 8
"""Of more rows than both, those between are left out: outliers and the best are not."""
_MOST_VALUES = 4
_MOST_UNREAD = 5
_MOST_EXCUSED = 3
_MOST_ALSO = 3
_CODE = 8
_LABEL = 13
_COLUMNS = ("NATIVELY", "IN THE CONTAINER")
_TITLES = ("NATIVELY", "CONTAINER")
_RESULTS = "RESULTS"
_SAME_ARCH, _IN_FULL = "SAME ARCH", "BITWISE ON THE SAME ARCHITECTURE"
_LEGEND = {
    _SAME_ARCH: "as long as GPU and CPU are of the same architecture",
    "NO PROMISE": "it runs, and nothing is promised of its numbers",
    "?": "if what was not recorded was set as it was",
}
"""What a result says in short, and in full."""


def text(matrix: Matrix, *, width: int = 80, verbose: bool = False) -> list[Line]:
    """The whole matrix."""
    ways = shown_ways(matrix)
    lines = [*_head(matrix, width), line()]
    if len(matrix.rows) > _LONG:
        lines += [*_answers(matrix, width), line()]
    lines += _titles(ways)
    left = 0 if verbose else len(matrix.rows) - _FIRST_ROWS - _LAST_ROWS
    for number, row in enumerate(matrix.rows, 1):
        if left <= 0 or number <= _FIRST_ROWS or number > _FIRST_ROWS + left:
            lines += _row(number, row, ways, width, verbose=verbose)
        elif number == _FIRST_ROWS + 1:
            lines += labelled("", f"... {count(left, 'kind')} between (-v)", width=width, indent=5)
    return [*lines, *_differing(matrix, width, verbose=verbose), line(), *_end(matrix, width)]


def brief(matrix: Matrix, width: int = 80) -> list[Line]:
    """The answers alone, one line for each kind of machine."""
    ways = shown_ways(matrix)
    cells = [_cells(number, row, ways, width) for number, row in enumerate(matrix.rows, 1)]
    return [*_titles(ways), *(each for lines in cells for each in lines), *_unread(matrix, width)]


def result(row: Row) -> str:
    """What to expect of the results there, short enough for a column."""
    return dict(row.ways)[_RESULTS].text.replace(_IN_FULL, f"BITWISE, {_SAME_ARCH}")


def verdicts(row: Row) -> list[Part]:
    """The answers natively and in the container; an image has no native one."""
    words = dict(row.ways)
    inside = words.get("IN THE IMAGE") or words.get(_COLUMNS[1], Part("-"))
    return [words.get(_COLUMNS[0], Part("-")), inside]


def shown_ways(matrix: Matrix) -> tuple[int, ...]:
    """Which of both ways to show: one that decides nothing and is alike for all is left out."""
    return tuple(
        at
        for at, scope in enumerate((Scope.NATIVE, Scope.CONTAINER))
        if any(each.scope is scope for each in matrix.rows)
        or len({verdicts(each)[at].text for each in matrix.rows}) > 1
    )


def reasons(row: Row) -> list[tuple[str, str]]:
    """Why the answer there is not yes, a line each with its rule's code: the worst in full."""
    told = []
    if row.not_known and row.is_open:
        more = len(row.not_known) - 1
        others = f" and {count(more, 'other fact')}" if more else ""
        told.append((f"{row.not_known[0]}{others} {'are' if more else 'is'} not known", ""))
    elif row.worst is not None:
        same = f" (and {row.worst.number - 1} more)" if row.worst.number > 1 else ""
        told.append((f"{about(row.worst.subject, row.worst.what)}{same}", row.worst.code))
        also = [each.subject for each in row.findings if each.outcome.reaches(Outcome.NUMERICS)]
        return told + _also(dict.fromkeys(each for each in also if each != row.worst.subject))
    if row.lowered_by:
        (words, code), *rest = row.lowered_by
        told += [(words, code), *_also({each: None for _, each in rest if each != code})]
    return told


def _also(names: Iterable[str]) -> list[tuple[str, str]]:
    found = list(names)
    left = len(found) - _MOST_ALSO
    more = f" and {left} more" if left > 0 else ""
    return [(f"also: {', '.join(found[:_MOST_ALSO])}{more}", "")] if found else []


def excused(row: Row) -> str:
    """What somebody's word keeps from deciding there: 'accepted: DRV006:driver and 2 more'."""
    left = len(row.excused) - _MOST_EXCUSED
    more = f" and {left} more" if left > 0 else ""
    return f"accepted: {', '.join(row.excused[:_MOST_EXCUSED])}{more}" if row.excused else ""


def _head(matrix: Matrix, width: int) -> Iterator[Line]:
    wanted = matrix.wanted
    ident = environment_id(wanted)
    named = f"environment {ident}, {when(wanted)}" if isinstance(ident, str) else when(wanted)
    told = f"{matrix.wanted_name}: {named}, {machine_words(wanted)}"
    yield from labelled("wanted", told, width=width, indent=8)
    kinds = f" of {count(len(matrix.rows), 'kind')}" if len(matrix.rows) < matrix.number else ""
    left = f"; {len(matrix.unread)} more could not be used" if matrix.unread else ""
    way = decided_by(matrix)
    told = f"{count(matrix.number, 'machine')}{kinds}{left}{f'; {way}' if way else ''}"
    yield from labelled("found", told, width=width, indent=8)


def _titles(ways: Iterable[int]) -> Iterator[Line]:
    names = [f"{_TITLES[at]:<{_CELL}}" for at in ways]
    cells = (f"{'FOUND':<{_NAME}}", *names, _RESULTS)
    yield line(" " * _NUMBER, Part("".join(cells), "dim"))


def _row(
    number: int, row: Row, ways: Sequence[int], width: int, *, verbose: bool
) -> Iterator[Line]:
    yield from _cells(number, row, ways, width)
    many = f"{len(row.names)} machines: " if len(row.names) > 1 else ""
    for each in wrapped(f"{many}{row.machine}", width - 1 - _NUMBER):
        yield line(" " * _NUMBER, each)
    if verbose and len(row.names) > 1:
        for each in wrapped(", ".join(row.names), width - 1 - _NUMBER):
            yield line(" " * _NUMBER, Part(each, "dim"))
    told = [(about(each.subject, each.what), each.code) for each in row.findings]
    for said, code in told if verbose and told else reasons(row):
        yield from _coded(said, code, width)
    if row.excused:
        for each in wrapped(excused(row), width - 1 - _NUMBER):
            yield line(" " * _NUMBER, each)


def _cells(number: int, row: Row, ways: Sequence[int], width: int) -> Iterator[Line]:
    """A row's names and answers; names that are too long stand above them."""
    name = shown(in_a_line(row.names))
    answers = verdicts(row)
    first = f"{number:>3}  "
    if len(name) >= _NAME:
        for each in wrapped(name, width - 1 - _NUMBER):
            yield line(first, Part(each, "bold"))
            first = " " * _NUMBER
        name = ""
    look: Look = "good" if row.will_do else "warn" if row.runs else "bad"
    cells = [each for at in ways for each in _cell(answers[at])]
    yield line(first, Part(f"{name:<{_NAME}}", "bold"), *cells, Part(result(row), look))


def _cell(part: Part) -> tuple[Part, ...]:
    word = part.text.replace("RUNS, WITH LIMITS", "WITH LIMITS")
    return Part(word, part.look), Part(" " * max(_CELL - len(word), 1))


def _coded(words: str, code: str, width: int) -> Iterator[Line]:
    first, *rest = wrapped(words, width - 1 - _NUMBER - _CODE)
    gap = max(width - 1 - _NUMBER - len(first) - len(code), 1)
    yield line(" " * _NUMBER, first, *((" " * gap, Part(code, "dim")) if code else ()))
    for each in rest:
        yield line(" " * _NUMBER, each)


def _differing(matrix: Matrix, width: int, *, verbose: bool) -> Iterator[Line]:
    differing = matrix.differing
    if not differing:
        return
    yield line()
    yield line(Part("What differs between them", "bold"))
    too_many = [
        label for label, values in differing.items() if len(values) > _MOST_VALUES and not verbose
    ]
    for label, values in differing.items():
        if label not in too_many:
            told = "; ".join(
                f"{shown(value)} ({numbers(those)})" for value, those in values.items()
            )
            yield from labelled(f"  {label}", told, width=width, indent=_LABEL + 1)
    if too_many:
        told = f"{', '.join(too_many)}: more values than a line holds (-v)"
        yield from labelled("  and", told, width=width, indent=_LABEL + 1)


def _answers(matrix: Matrix, width: int) -> Iterator[Line]:
    """Which will do, and what is in the way of the others."""
    found = sorts(matrix)
    if matrix.rows and not any(each.look == "good" for each in found):
        yield from _labelled("Will do", "none without a difference that matters", width)
    for each in found:
        yield from _labelled(each.title, in_short(each.rows), width)


def _end(matrix: Matrix, width: int) -> Iterator[Line]:
    yield from _answers(matrix, width)
    for short, meaning in _LEGEND.items():
        if any(short in result(each) for each in matrix.rows):
            yield from _labelled(short, meaning, width)
    yield from _unread(matrix, width)
    if matrix.rows:
        will_do = any(each.will_do for each in matrix.rows)
        worst = matrix.rows[0 if will_do else -1]  # what is wrong there, or what is best
        one = path_word(worst.names[0])
        words = f"envsnap check{manifest_words(matrix.wanted_name)} --against {one}"
        yield line(f"{'See one':<{_LABEL}}", words)  # whole, or it cannot be pasted
    for each in wrapped(exit_words(matrix), width - 1):
        yield line(each)


def _unread(matrix: Matrix, width: int) -> Iterator[Line]:
    label = "Not used"
    for each in matrix.unread[:_MOST_UNREAD]:
        yield from _labelled(label, each.told, width)
        label = ""
    left = [each.name for each in matrix.unread[_MOST_UNREAD:]]
    if left:
        yield from _labelled("", f"and {len(left)} more: {', '.join(folded(left)[:3])}", width)


def _labelled(label: str, words: str, width: int) -> Iterator[Line]:
    yield from labelled(label, words, width=width, indent=_LABEL)
