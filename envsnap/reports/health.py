"""The health of one environment and machine, at the end of a capture."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.reports._lines import clause, labelled, plain
from envsnap.rules import Finding, Outcome, Report, Scope

_INDENT = 13
_LABEL = "  Healthy"


def health_lines(report: Report, width: int) -> list[str]:
    """One line where all is well; else each finding, what it means and what mends it."""
    findings = sorted(report.findings, key=lambda each: (each.outcome.rank, each.id))
    judged = len(report.judged)
    if not findings and not judged:
        text = f"nothing is known: none of {_left(report)} rules could be judged"
        return plain(labelled("  Health", text, width=width, indent=_INDENT))
    if not findings:
        rules = "1 rule" if judged == 1 else f"{judged} rules"
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


def _rest(report: Report) -> str:
    left = _left(report)
    return f", {left} could not be judged" if left else ""
