"""The health of one environment and machine, at the end of a capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from envsnap.reports._lines import clause, labelled, plain
from envsnap.reports._words import count
from envsnap.rules import Finding, Outcome, Report, Scope
from envsnap.sections import Reason

_INDENT = 13
_LABEL = "  Healthy"
_NAMED = 3


def health_lines(report: Report, width: int) -> list[str]:
    """One line where all is well; else each finding, what it means and what mends it."""
    findings = sorted(report.findings, key=lambda each: (each.outcome.rank, each.id))
    judged = len(report.judged)
    if not findings and _left(report) >= judged:
        seen = f"nothing wrong in what {count(judged, 'rule')} saw; " if judged else ""
        text = f"{seen}too little to tell: {_left(report)} rules lack {_sections(report)}"
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


def _sections(report: Report) -> str:
    """'gpu (timed-out: NVML: no answer)': what most lack, what was left out on purpose last."""
    left = report.not_checked_of(Scope.NATIVE)
    number = Counter((each.reason.reason is Reason.NOT_ASKED, str(each.reason)) for each in left)
    (_, why), *others = sorted(number, key=lambda each: (each[0], -number[each]))
    names = list(dict.fromkeys(each.section for each in left if str(each.reason) == why))
    more = " and more" if others or len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])} ({why}){more}"


def _rest(report: Report) -> str:
    left = _left(report)
    return f", {left} could not be judged" if left else ""
