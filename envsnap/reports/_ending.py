"""How a report ends: why this exit code, and what the reader may type next."""

from __future__ import annotations

from envsnap.errors import ExitCode
from envsnap.reports._answers import is_aside
from envsnap.reports._groups import accepted
from envsnap.reports._left import lacking
from envsnap.reports._lines import manifest_words
from envsnap.reports._sides import Sides
from envsnap.reports._words import count
from envsnap.rules import Checked, Level, NotChecked, Outcome, Scope, Verdict
from envsnap.sections import Reason

WAYS = {Scope.NATIVE: "running natively", Scope.CONTAINER: "the container"}
_CAN_RUN = (Verdict.RUNS, Verdict.LIMITS)
_FEW = 2
"""Who accepts more than that unknown has no gate any more."""
_WITNESSES = {
    Reason.NOT_RECORDED: "a manifest of that side: envsnap capture, there",
    Reason.NOT_ASKED: "a capture that leaves nothing out",
    Reason.NEEDS_DEEP: "envsnap capture --deep",
    Reason.NO_PERMISSION: "a capture by a user who may read it",
    Reason.TIMED_OUT: "envsnap doctor, on the machine itself",
    Reason.CRASHED: "envsnap doctor, on the machine itself",
}
_NO = {
    Outcome.BLOCKS: "it will not run here",
    Outcome.DEGRADES: "it runs with limits",
    Outcome.NUMERICS: "numbers may differ",
    Outcome.PERF: "its speed may differ",
    Outcome.NOTE: "something differs",
}
_ILL = {
    Outcome.BLOCKS: "something here does not work",
    Outcome.DEGRADES: "something here works with limits",
    Outcome.NUMERICS: "numbers may not be what they should be",
    Outcome.PERF: "something here is slower than it should be",
    Outcome.NOTE: "something here is worth knowing",
}
"""The same of one machine, which is compared with nothing."""


def exit_words(checked: Checked, *, is_health: bool = False) -> str:
    """Why the answer is this exit code, and the option that asks for less."""
    code = checked.exit_code
    if code is ExitCode.OK:
        if told := _accepted(checked):
            return f"Exit 0: {told}; nothing else {_reaching(checked).removeprefix('that ')}"
        limit = "" if is_health else _limit(checked)
        return f"Exit 0: nothing {_reaching(checked)} in {len(checked.report.judged)} rules{limit}"
    if code is ExitCode.NO:
        worst = checked.reached[0].outcome
        words = (_ILL if is_health else _NO)[worst]
        return f"Exit 1: {words}{_milder(checked, is_health=is_health)}"
    if not checked.left_open:
        return f"Exit 4: cannot tell, no rule on {WAYS[checked.scope]} was judged"
    words = f"Exit 4: cannot tell, {lacking(checked, checked.left_open)}"
    return f"{words}.  {_to_know(checked, is_health=is_health)}"


def _limit(checked: Checked) -> str:
    """What holds the claim down without making the answer no: the two must not contradict."""
    claim = checked.claim
    if checked.options.fail_on is not Outcome.NUMERICS or claim.level is Level.BITWISE:
        return ""
    named = ", ".join(claim.codes[:_FEW])
    if claim.level is Level.SAME_ARCHITECTURE:
        return f", as far as one architecture goes ({named})"
    return f"; digits may vary without a difference ({named})"


def _to_know(checked: Checked, *, is_health: bool) -> str:
    """What would tell; the option that does without it where that gives up little."""
    codes = list(dict.fromkeys(each.code for each in checked.left_open))
    sections = list(dict.fromkeys(each.section for each in checked.left_open))
    names = codes if len(codes) <= len(sections) else sections
    if is_health and any(_is_no_python(each) for each in checked.left_open):
        return "The machine alone: envsnap doctor --host-only"
    if len(names) <= _FEW:
        return f"To accept that: {' '.join(f'--allow-unknown {each}' for each in names)}"
    number: dict[Reason, int] = {}
    for each in checked.left_open:
        number[each.reason.reason] = number.get(each.reason.reason, 0) + 1
    most = max(number, key=lambda each: number[each])
    return f"What would tell: {_WITNESSES.get(most, 'a capture on the machine itself')}"


def _is_no_python(each: NotChecked) -> bool:
    is_missing = each.reason.reason is Reason.TOOL_MISSING
    return is_missing and each.section in {"python", "packages"}


def _accepted(checked: Checked) -> str:
    """'1 difference is accepted until 2027-01-31'; nothing where none would decide."""
    found = [each for each in accepted(checked) if each.outcome.reaches(checked.options.fail_on)]
    if not found:
        return ""
    days = sorted({each.until for one in found for each in one.excuses if each.until})
    until = f" until {days[0]}" if days else ""
    return f"{count(len(found), 'difference')} {'is' if len(found) == 1 else 'are'} accepted{until}"


def decided_by(checked: Checked) -> str:
    """Which way of running decides and why; nothing where the other one has the same exit code."""
    if checked.options.scope is not None or checked.options.is_image or is_aside(checked):
        return ""
    other = Scope.NATIVE if checked.scope is Scope.CONTAINER else Scope.CONTAINER
    if checked._replace(scope=other).exit_code is checked.exit_code:
        return ""
    return f"{WAYS[checked.scope]}: {checked.chosen}.  --for changes it"


def waivers(checked: Checked) -> str:
    """How much of what decides the author allows, and the option that takes that word."""
    allowed = sum(any(excuse.by == "author" for excuse in each.excuses) for each in checked.reached)
    if not allowed:
        return ""
    return f"by the author: {allowed} of {len(checked.reached)}.  --accept-waivers takes that word"


def doubt(checked: Checked) -> str:
    """The command that shows the rule which decided, where one did."""
    if checked.exit_code is not ExitCode.NO:
        return ""
    return f"envsnap explain {checked.reached[0].code}"


def run_it(checked: Checked, sides: Sides) -> str:
    """The command that makes an image, where one would run and the environment is not there."""
    can_run = checked.report.verdict(Scope.CONTAINER) in _CAN_RUN
    if checked.exit_code is not ExitCode.NO or checked.is_set_up or not can_run:
        return ""
    return f"envsnap build{manifest_words(sides.wanted_name)} --docker --image NAME"


def _milder(checked: Checked, *, is_health: bool) -> str:
    if checked.reached[0].outcome is Outcome.BLOCKS or checked.options.fail_on is Outcome.BLOCKS:
        return ""
    asked = "does it work" if is_health else "will it run"
    return f'.  To ask only "{asked}": --fail-on blocks'


def _reaching(checked: Checked) -> str:
    if checked.options.fail_on is Outcome.NUMERICS:
        return "that changes results"
    return f"as bad as '{checked.options.fail_on}'"
