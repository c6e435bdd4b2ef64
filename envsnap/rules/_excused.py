"""Differences that somebody allows: the author in `requires`, the reader in a file of his own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envsnap.constraints import (
    ConstraintError,
    Drifted,
    Stated,
    excuses,
    requires_of,
)
from envsnap.manifest import Manifest
from envsnap.rules._accepted import Acceptance, unused
from envsnap.rules._findings import Excuse, Finding, Kind, Outcome, Report


def excused(
    report: Report, sides: tuple[Manifest, Manifest], accepts: Sequence[Acceptance], today: str
) -> Report:
    """The report, in which each finding carries the excuses it has. No outcome changes."""
    may = [each for each in requires_of(sides[0]).may if not _is_faulty(each)]
    standing: dict[tuple[str, str], list[Acceptance]] = {}
    for each in accepts:
        if not each.is_over(today):
            standing.setdefault((each.code, each.subject), []).append(each)
    if not may and not standing:
        return report
    return report._replace(
        findings=tuple(
            each._replace(
                excuses=(
                    *_by_author(each, may, sides),
                    *_by_reader(each, standing.get((each.code, each.subject), ())),
                )
            )
            for each in report.findings
        )
    )


def _is_faulty(stated: Stated) -> bool:
    return isinstance(stated.expression, ConstraintError)


def _by_author(
    finding: Finding, may: Iterable[Stated], sides: tuple[Manifest, Manifest]
) -> Iterable[Excuse]:
    drifted = Drifted(
        code=finding.code, subject=finding.subject, wanted=finding.wanted, found=finding.found,
        is_drift=finding.kind is Kind.DRIFT, stops=finding.outcome is Outcome.BLOCKS,
    )  # fmt: skip
    for each in may:
        if not isinstance(each.expression, ConstraintError) and excuses(
            each.expression, drifted, *sides
        ):
            yield Excuse("author", each.because or each.text)


def _by_reader(finding: Finding, accepts: Iterable[Acceptance]) -> Iterable[Excuse]:
    for each in accepts:
        if each.covers(finding):
            yield Excuse("reader", each.reason, each.until)


def left_over(
    report: Report, wanted: Manifest, accepts: Iterable[Acceptance], today: str
) -> tuple[str, ...]:
    """What is to be said of what allows nothing: acceptances, and texts that cannot be read."""
    faults = (
        f"{each.place} cannot be read and allows nothing: {each.expression.reason}"
        for each in requires_of(wanted).may
        if isinstance(each.expression, ConstraintError)
    )
    return (*unused(report, accepts, today), *faults)
