"""The findings of a report in the order in which they are read; every form takes it from here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envsnap._typing import NamedTuple
from envsnap.rules import Checked, Excuse, Finding, Level, Outcome

HERE = "this machine"
"""What the found side is called that is the reader's own."""
_TITLES = {
    Outcome.BLOCKS: ("1 thing that stops it", "{} things that stop it"),
    Outcome.DEGRADES: ("1 limit", "{} limits"),
    Outcome.NUMERICS: ("1 reason why digits may differ", "{} reasons why digits may differ"),
    Outcome.PERF: ("1 reason for another speed", "{} reasons for another speed"),
    Outcome.NOTE: ("1 note", "{} notes"),
}
_OWN = ("PKG", "PYT")
MILD = (Outcome.PERF, Outcome.NOTE)
"""What changes no digit: told with -v alone, and where it decides."""


class Group(NamedTuple):
    """Findings that a reader takes in together."""

    title: str
    outcome: Outcome
    findings: tuple[Finding, ...]


def groups(checked: Checked, found_name: str, *, verbose: bool = False) -> list[Group]:
    """What stops it, then what the reader can mend, then what nobody can, then what is mild.

    What is mild is told where it decides, where it holds the claim, and where its rule left
    open what more there is. What somebody's word has excused stands apart (`accepted`).
    """
    decides, level = checked.options.fail_on, checked.claim.level
    left_open = {each.code for each in checked.report.not_checked}
    counted = [
        each
        for each in checked.report.findings_of(checked.scope)
        if not checked.is_excused(each)
        and (
            verbose
            or each.outcome not in MILD
            or each.outcome.reaches(decides)
            or each.code in left_open
            or (each.lowers is level and level is not Level.BITWISE)
        )
    ]
    found = [
        _group([each for each in counted if _key(each) == key], found_name)
        for key in dict.fromkeys(map(_key, counted))
    ]
    return sorted(found, key=lambda each: _rank(each.findings[0]))


def mild(checked: Checked) -> int:
    """How many differences change no digit: they lower no claim, and left nothing open."""
    left_open = {each.code for each in checked.report.not_checked}
    return sum(
        each.outcome in MILD and each.lowers is Level.BITWISE and each.code not in left_open
        for each in checked.report.findings_of(checked.scope)
    )


def without_packages(those: Iterable[Group]) -> list[Group]:
    """The groups without what is found of an environment's own packages and Python."""
    kept = [
        each._replace(findings=tuple(one for one in each.findings if one.code[:3] not in _OWN))
        for each in those
    ]
    return [each for each in kept if each.findings]


def after_mending(those: Sequence[Group]) -> str:
    """'1 limit, 5 reasons why digits may differ': what would be left if nothing stopped it."""
    number: dict[Outcome, int] = {}
    for group in those:
        number[group.outcome] = number.get(group.outcome, 0) + len(group.findings)
    return ", ".join(
        one if number[outcome] == 1 else many.format(number[outcome])
        for outcome, (one, many) in _TITLES.items()
        if outcome in number
    )


def accepted(checked: Checked) -> list[Finding]:
    """The findings that somebody's word keeps from deciding, the worst first."""
    found = checked.report.findings_of(checked.scope)
    return [each for each in found if checked.is_excused(each)]


def accepted_group(checked: Checked) -> list[Group]:
    """Those findings as one group, where there are any; nobody is sent to mend what is accepted."""
    found = [each._replace(remedy=None) for each in accepted(checked)]
    if not found:
        return []
    many = f"{len(found)} differences were accepted, and do not decide"
    title = "1 difference was accepted, and does not decide" if len(found) == 1 else many
    return [Group(title, found[0].outcome, tuple(found))]


def what(each: Finding) -> str:
    """What a finding says, for where its subject stands beside it already."""
    return each.what.removeprefix(f"{each.subject}: ")


def excuse_words(excuse: Excuse) -> str:
    """'accepted: the new driver is wanted, until 2026-12-31'."""
    verb = "accepted" if excuse.by == "reader" else "the author allows it"
    until = f", until {excuse.until}" if excuse.until else ""
    return f"{verb}: {excuse.reason or 'no reason given'}{until}"


def _group(those: list[Finding], found_name: str) -> Group:
    first = those[0]
    one, many = _TITLES[first.outcome]
    title = one if len(those) == 1 else many.format(len(those))
    if _is_for_good(first):
        where = "on this machine" if found_name == HERE else "there"
        title += f"; nothing {where} mends {'it' if len(those) == 1 else 'them'}"
    return Group(title, first.outcome, tuple(those))


def _key(each: Finding) -> tuple[Outcome, bool]:
    return each.outcome, _is_for_good(each)


def _is_for_good(each: Finding) -> bool:
    """Whether nobody can mend it; what is mild needs no mending."""
    return each.remedy is None and each.outcome not in MILD


def _rank(each: Finding) -> tuple[int, bool, int]:
    """What stops it stands first even if nobody can mend it: the rest would be in vain."""
    mild = 2 if each.outcome in MILD else 1
    stops = each.outcome is Outcome.BLOCKS
    return (0 if stops else mild, _is_for_good(each), each.outcome.rank)
