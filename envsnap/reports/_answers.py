"""The answers that a report begins with: each way of running, then the results."""

from __future__ import annotations

from textwrap import shorten

from envsnap.reports._left import lacking
from envsnap.reports._lines import Answer, Look, Part
from envsnap.reports._shown import shown
from envsnap.reports._words import count
from envsnap.reports.claim import words
from envsnap.rules import Checked, Claim, Finding, Level, Outcome, Scope, Verdict, rules

NOT_INSTALLED = "PKG001"
_NO_CONTAINER = ("ENG", "SYS014")
NOT_SET_UP = "NOT SET UP"
"""The word for a machine on which nobody made the environment yet."""
RESULTS = "RESULTS"
"""The label of the last answer."""
_PLACES = {Scope.CONTAINER: "IN THE CONTAINER", Scope.NATIVE: "NATIVELY"}
_LOOKS: dict[Verdict, Look] = {
    Verdict.RUNS: "good",
    Verdict.LIMITS: "warn",
    Verdict.WILL_NOT_RUN: "bad",
    Verdict.CANNOT_TELL: "warn",
}
_LONGEST = 110
"""A reason beside a verdict takes two lines at most; the other way's findings are not told."""
_ROOM = 78 - 2 - 19 - 9
"""What a line of 80 columns leaves beside a label and a verdict."""


def answers(checked: Checked) -> tuple[Answer, ...]:
    """The way that decides first, then the other one, then the results."""
    other = Scope.NATIVE if checked.scope is Scope.CONTAINER else Scope.CONTAINER
    # Nobody runs anything beside an image: there is one way to run what is in it.
    others = () if checked.options.is_image else (_verdict(checked, other),)
    return (_verdict(checked, checked.scope), *others, results(checked.claim))


def results(claim: Claim) -> Answer:
    """What to expect of the results, in a word and its reason."""
    word, why = words(claim)
    if word.endswith("?"):
        why = _assumed(claim)
    if claim.level is Level.DOES_NOT_RUN:
        look: Look = "bad"
    elif claim.level is Level.BITWISE and claim.is_definite:
        look = "good"
    else:
        look = "warn"
    return Answer(RESULTS, Part(word, look), why)


def _assumed(claim: Claim) -> str:
    """What no capture sees, and has to be as it was: named where a line holds it."""
    asked = {each.code for each in claim.assumed}
    topics = [each.topic for each in rules() if each.code in asked]
    *first, last = topics or ["what was not recorded"]
    why = f"if {', '.join(first)}{' and ' if first else ''}{last} were the same"
    number = len({each.text for each in claim.assumed})
    return why if len(why) <= _ROOM else f"under {count(number, 'condition')} that nobody recorded"


def is_aside(checked: Checked) -> bool:
    """Whether nobody asked for a container, and none would run for want of an engine or image."""
    return no_container(checked) is not None


def no_container(checked: Checked) -> Finding | None:
    """The want of an engine or image that alone stops containers, where they do not decide."""
    if checked.scope is Scope.CONTAINER or checked.options.is_image:
        return None
    stops = [
        each
        for each in checked.report.findings_of(Scope.CONTAINER)
        if each.outcome is Outcome.BLOCKS and not each.scope.covers(checked.scope)
    ]
    is_want = bool(stops) and all(each.code.startswith(_NO_CONTAINER) for each in stops)
    return stops[0] if is_want else None


def _verdict(checked: Checked, scope: Scope) -> Answer:
    verdict = checked.report.verdict(scope)
    word, look = verdict.value.upper(), _LOOKS[verdict]
    if verdict is Verdict.WILL_NOT_RUN and _lacks_packages_alone(checked, scope):
        word, look = NOT_SET_UP, "warn"
    if verdict is Verdict.LIMITS:
        word = "RUNS, WITH LIMITS"
    end = "(decides the exit)" if scope is checked.scope else ""
    is_inside = checked.options.is_image and scope is Scope.CONTAINER
    label = "IN THE IMAGE" if is_inside else _PLACES[scope]
    return Answer(label, Part(word, look), _why(checked, scope), end)


def _lacks_packages_alone(checked: Checked, scope: Scope) -> bool:
    """Whether what stops it is the environment that nobody made there yet, and nothing else."""
    return scope is Scope.NATIVE and not checked.is_set_up and not _beyond_packages(checked, scope)


def _beyond_packages(checked: Checked, scope: Scope) -> list[Finding]:
    """What stops it and would still do so if the packages and their Python were installed."""
    return [
        each
        for each in checked.report.findings_of(scope)
        if each.outcome is Outcome.BLOCKS and each.code[:3] not in {"PKG", "PYT"}
    ]


def _why(checked: Checked, scope: Scope) -> str:
    """A few words beside a verdict whose reasons are not listed below."""
    verdict = checked.report.verdict(scope)
    if verdict is Verdict.CANNOT_TELL:
        left_open = checked.report.not_checked_of(scope)
        worst = [each for each in left_open if each.worst.rank == left_open[0].worst.rank]
        return lacking(checked, worst) if worst else "no rule was judged"
    if scope is checked.scope or verdict in {Verdict.RUNS, Verdict.LIMITS}:
        return ""
    found = checked.report.findings_of(scope)
    not_there = [each for each in found if each.code == NOT_INSTALLED and not checked.is_set_up]
    first = (_beyond_packages(checked, scope) or not_there or found)[0]
    if first in checked.report.findings_of(checked.scope):
        return "for the same reason"
    return shorten(shown(first.what), _LONGEST, placeholder=" ...")
