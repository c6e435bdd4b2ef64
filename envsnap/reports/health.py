"""The health of one environment and machine, at the end of a capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from envsnap.reports._lines import clause, labelled, plain
from envsnap.reports._words import count
from envsnap.rules import Finding, NotChecked, Outcome, Report, Scope
from envsnap.sections import Reason

_INDENT = 13
_LABEL = "  Healthy"
_REASONS = 2


def health_lines(report: Report, width: int) -> list[str]:
    """One line where all is well; else each finding, what it means and what mends it."""
    findings = sorted(report.findings, key=lambda each: (each.outcome.rank, each.id))
    judged = len(report.judged)
    if not findings and not judged:
        text = f"nothing is known: none of {_left(report)} rules could be judged"
        return plain(labelled("  Health", text, width=width, indent=_INDENT))
    if not findings and _left(report) >= judged:
        text = f"nothing found by {count(judged, 'rule')}; {_left(report)} could not be judged"
        text += f": {'; '.join(_reasons(report))}"
        return plain(labelled("  Health", text, width=width, indent=_INDENT))
    if not findings:
        rules = count(judged, "rule")
        text = f"{rules} on driver, GPU code and libraries found nothing{_rest(report)}"
        return plain(labelled(_LABEL, text, width=width, indent=_INDENT))
    return [text for each in findings for text in _finding(each, width)]


def _finding(each: Finding, width: int) -> Iterator[str]:
    label = "  Unwell" if each.outcome.reaches(Outcome.NUMERICS) else "  Note"
    text = f"{each.what}: {clause(each.why)} ({each.code})"
    yield from plain(labelled(label, text, width=width, indent=_INDENT))
    if each.remedy:
        yield from plain(labelled("", f"-> {each.remedy}", width=width, indent=_INDENT))


def _left(report: Report) -> int:
    return len({each.code for each in report.not_checked_of(Scope.NATIVE)})


def _reasons(report: Report) -> list[str]:
    """Why most of the rules were not judged: what could not be seen before what was left out."""
    left = report.not_checked_of(Scope.NATIVE)
    number = Counter((each.reason.reason is Reason.NOT_ASKED, str(each.reason)) for each in left)
    said = sorted(number, key=lambda each: (each[0], -number[each]))[:_REASONS]
    return [f"{_sections(left, why)} ({why})" for _, why in said]


def _sections(left: Iterable[NotChecked], why: str) -> str:
    return ", ".join(dict.fromkeys(each.section for each in left if str(each.reason) == why))


def _rest(report: Report) -> str:
    left = _left(report)
    return f", {left} could not be judged" if left else ""
