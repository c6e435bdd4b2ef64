"""What a report says beside its findings: what was fine, and what was not looked at, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.rules import FAMILIES, Checked, NotChecked, Outcome, Rule, Scope, rules
from envsnap.sections import DEEP

ENVIRONMENT = "the environment there"
_ITS_SECTIONS = tuple(
    f"found {name}" for name in ("python", "packages", "cuda", "project", "environ", *sorted(DEEP))
)
_NAMED = 2
_MANY = ("packages", "engines", "libraries")


class Place(NamedTuple):
    """A fact that was not seen, and the rules that were left open for want of it."""

    path: str
    reason: str
    codes: tuple[str, ...]
    is_mild: bool = False
    """Whether no rule that asks for it could have said that a digit may differ."""


def fine(checked: Checked) -> Mapping[str, Sequence[Rule]]:
    """The rules that found nothing, by family, in the order of reports; empty ones left out."""
    said = {each.code for each in checked.report.findings}
    well = [
        each
        for each in rules()
        if each.code not in said
        and each.code in checked.report.judged
        and checked.report.judged[each.code].covers(checked.scope)
    ]
    families = {key: [each for each in well if each.family == key] for key in FAMILIES}
    return {key: those for key, those in families.items() if those}


def troubled(checked: Checked) -> set[str]:
    """The families of which something was found that counts, or left open."""
    left_open = {each.code[:3] for each in checked.report.not_checked_of(checked.scope)}
    return left_open | {
        each.code[:3]
        for each in checked.report.findings_of(checked.scope)
        if each.outcome.reaches(Outcome.NUMERICS)
    }


def places(checked: Checked) -> list[Place]:
    """What was not seen, each place once, what could have mattered most first."""
    found: dict[tuple[str, str], list[NotChecked]] = {}
    for each in (*checked.report.not_checked_of(checked.scope), *_of_no_environment(checked)):
        found.setdefault((place(checked, each), str(each.reason)), []).append(each)
    return [
        Place(
            path, reason, tuple(sorted({each.code for each in those})),
            is_mild=not any(each.worst.reaches(Outcome.NUMERICS) for each in those),
        )
        for (path, reason), those in found.items()
    ]  # fmt: skip


def lacking(checked: Checked, those: Sequence[NotChecked]) -> str:
    """'found gpu and 2 more are not known': the sections that most of the rules ask for first."""
    paths: dict[str, set[str]] = {}
    codes: dict[str, set[str]] = {}
    for each in those:
        told = place(checked, each)
        key = told if told == ENVIRONMENT else each.path[: each.path.find(each.section)]
        key = key if told == ENVIRONMENT else f"{key}{each.section}"
        paths.setdefault(key, set()).add(told)
        codes.setdefault(key, set()).add(each.code)
    first = sorted(paths, key=lambda each: -len(codes[each]))
    named = [_short(key, paths[key]) for key in first[:_NAMED]]
    more = len(first) - len(named)
    words = f"{', '.join(named)} and {more} more" if more else " and ".join(named)
    is_one = len(first) == 1 and not words[0].isdigit() and words.split()[-1] not in _MANY
    return f"{words} {'is' if is_one else 'are'} not known"


def _short(section: str, paths: set[str]) -> str:
    """The one fact that is missing there, of a file its name; of several facts how many."""
    if section in paths:
        return section
    if len(paths) > 1:
        return f"{len(paths)} facts of {section}"
    (path,) = paths
    return f"{section} of {path.rpartition('/')[2]}" if "/" in path else path


def place(checked: Checked, each: NotChecked) -> str:
    """Where the missing fact stands; one place for all of an environment that was not seen."""
    reasons = (
        other.reason
        for other in checked.report.not_checked
        if other.path in {"found packages", "found packages.installed"}
    )
    is_whole = not checked.is_set_up and each.reason in reasons
    return ENVIRONMENT if is_whole and each.path.startswith(_ITS_SECTIONS) else each.path


def _of_no_environment(checked: Checked) -> list[NotChecked]:
    """What was left open natively because the found side shows no environment."""
    if checked.options.is_image:
        return []
    left_open = checked.report.not_checked_of(Scope.NATIVE)
    return [each for each in left_open if place(checked, each) == ENVIRONMENT]
