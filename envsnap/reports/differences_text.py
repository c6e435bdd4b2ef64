"""The list of differences, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from envsnap.manifest._encode import harmless
from envsnap.reports._lines import Line, Look, Part, line, wrapped
from envsnap.reports._shown import shown
from envsnap.reports.differences import Difference
from envsnap.rules import Outcome

_LOOKS: dict[Outcome, Look] = {
    Outcome.BLOCKS: "bad",
    Outcome.DEGRADES: "warn",
    Outcome.NUMERICS: "warn",
    Outcome.PERF: "",
    Outcome.NOTE: "dim",
}
_GRADE = 16
_LONGEST = 160


def text(found: list[Difference], width: int) -> list[Line]:
    """One line for each difference; what neither side knows is counted alone."""
    known = [each for each in found if not each.is_unknown]
    rest = list(_unknown_on_both(len(found) - len(known)))
    if not known:
        return [line("The same: no fact differs"), *rest]
    return [*_lines(known, width), line(), *_count(known), *rest]


def _lines(found: list[Difference], width: int) -> Iterator[Line]:
    section = ""
    for each in found:
        name, _, rest = each.path.partition(".")
        if name != section:
            section = name
            yield line(Part(name, "bold"))
        said = f"{shown(rest or name)}: {_short(each.wanted)} -> {_short(each.found)}"
        first, *more = wrapped(said, width - 3 - _GRADE)
        yield line("  ", f"{first:<{width - 3 - _GRADE}} ", *_grade(each))
        for part in more:
            yield line("    ", part)


def _grade(each: Difference) -> Iterator[Part]:
    if each.grade is not None:
        yield Part(f"{each.grade.outcome:<8}", _LOOKS[each.grade.outcome])
        yield Part(f" {each.grade.code}", "dim")


def _unknown_on_both(number: int) -> Iterator[Line]:
    if number:
        facts = "1 fact is" if number == 1 else f"{number} facts are"
        yield line(f"{facts} unknown on both sides, for another reason on each")


def _count(found: list[Difference]) -> Iterator[Line]:
    minded = sum(each.grade is not None for each in found)
    facts = "1 fact differs" if len(found) == 1 else f"{len(found)} facts differ"
    yield line(f"{facts}; rules mind {minded} of them.  envsnap explain CODE says why")


def _short(words: str) -> str:
    words = shown(words)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."


def json_text(found: list[Difference]) -> str:
    """The list as JSON, versioned."""
    document = {
        "differences": "1.0",
        "facts": [
            {
                "path": each.path,
                "wanted": each.wanted,
                "found": each.found,
                "outcome": None if each.grade is None else str(each.grade.outcome),
                "code": None if each.grade is None else each.grade.code,
            }
            for each in found
        ],
    }
    whole = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    return harmless(whole) + "\n"
