"""Each rule of a check and how it ended, as the forms for continuous integration list them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from envsnap._typing import NamedTuple
from envsnap.reports._groups import excuse_words
from envsnap.rules import Checked, Condition, Finding, NotChecked, Rule, rules


class End(str, Enum):
    """How a rule of a check ended."""

    FAILED = "failed"
    """It found what makes the answer no."""
    NOT_CHECKED = "not checked"
    """A fact that it needs is not known."""
    ACCEPTED = "accepted"
    """Somebody's word keeps what it found from deciding."""
    NOT_RECORDED = "not recorded"
    """It found nothing, but the results rest on what no capture tells."""
    LOWERED = "lowers the results"
    """It found no difference, but what leaves less than the same bits to expect."""
    PASSED = "passed"
    """It found nothing, or nothing that decides."""
    LEFT_OUT = "left out"
    """The project, or the command line, leaves it out."""
    NOT_ASKED = "not asked"
    """Nothing that it is about was asked for."""


class Case(NamedTuple):
    """One rule, and what it said."""

    rule: Rule
    end: End
    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    conditions: tuple[Condition, ...]
    """What it said that the results rest on, the way that decides."""
    reason: str
    """Why it did not come to an end of its own; empty where it did."""


def cases(checked: Checked) -> Iterator[Case]:
    """Every rule that was to be judged, and those that were left out, by code."""
    reached = {each.id for each in checked.reached}
    bearing = checked.report.conditions_of(checked.scope)
    for rule in rules():
        case = Case(
            rule, End.NOT_ASKED,
            tuple(each for each in checked.report.findings if each.code == rule.code),
            tuple(each for each in checked.report.not_checked if each.code == rule.code),
            tuple(each for each in bearing if each.code == rule.code),
            "",
        )  # fmt: skip
        ended = _ended(case, checked, reached)
        if ended is not None:
            yield case._replace(end=ended[0], reason=ended[1])


def _ended(case: Case, checked: Checked, reached: set[str]) -> tuple[End, str] | None:
    """How it ended, and why not by itself; None where another choice of rules was asked for."""
    counted = [each for each in case.findings if each.scope.covers(checked.scope)]
    excused = [each for each in counted if checked.is_excused(each)]
    if any(each.id in reached for each in counted):
        return End.FAILED, ""
    if case.not_checked:
        left_open = "; ".join(f"{each.path}: {each.reason}" for each in case.not_checked)
        return End.NOT_CHECKED, left_open
    if excused:
        return End.ACCEPTED, _words(excused)
    if case.conditions:
        return _rests(case.conditions)
    if case.findings or case.rule.code in checked.report.judged:
        return End.PASSED, ""
    return _not_judged(checked, case.rule.code)


def _rests(conditions: tuple[Condition, ...]) -> tuple[End, str]:
    """What the results rest on: what lowers them first, else what nobody recorded."""
    lowering = [each for each in conditions if each.lowers is not None]
    end = End.LOWERED if lowering else End.NOT_RECORDED
    return end, "; ".join(each.text for each in lowering or conditions)


def _not_judged(checked: Checked, code: str) -> tuple[End, str] | None:
    if (why := _left_out(checked, code)) is not None:
        return End.LEFT_OUT, why
    if not checked.options.select or code.startswith(checked.options.select):
        return End.NOT_ASKED, "what it is about was not captured, or is not there"
    return None


def _left_out(checked: Checked, code: str) -> str | None:
    names = [each for each in checked.report.ignored if code.startswith(each)]
    return checked.report.ignored[names[0]] if names else None


def _words(excused: list[Finding]) -> str:
    said = [excuse_words(excuse) for each in excused for excuse in each.excuses]
    return "; ".join(dict.fromkeys(said))
