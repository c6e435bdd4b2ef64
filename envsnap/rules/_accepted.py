"""Findings that a reader has accepted: each with its values, for as long as its reader said."""

from __future__ import annotations

import re
from collections.abc import Iterable

from envsnap._typing import NamedTuple
from envsnap.rules._findings import Finding, Outcome, Report

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


class Acceptance(NamedTuple):
    """One finding that a reader has accepted, with the values that it had."""

    code: str
    subject: str
    outcome: Outcome
    """A worse one is not covered."""
    wanted: str | None
    found: str | None
    what: str
    """The finding's own line: it counts where the finding has no two values."""
    reason: str
    made: str
    """The day it was accepted, ISO 8601."""
    until: str | None = None
    """The last day it holds; None where it has no end."""

    @property
    def id(self) -> str:
        """The finding's own name."""
        return f"{self.code}:{self.subject.lower().replace(' ', '-')}"

    def is_of(self, finding: Finding) -> bool:
        """Whether it is about that finding, whatever its values."""
        return (self.code, self.subject) == (finding.code, finding.subject)

    def covers(self, finding: Finding) -> bool:
        """Whether that very finding was accepted: with these values, and no worse."""
        same = (self.wanted, self.found) == (finding.wanted, finding.found)
        if self.wanted is None and self.found is None:
            same = same and self.what == finding.what
        return self.is_of(finding) and same and finding.outcome.rank >= self.outcome.rank

    def is_over(self, today: str) -> bool:
        """Whether its last day is past. What is no day has no end that could be waited for."""
        return self.until is not None and not (is_day(self.until) and today <= self.until)


def is_day(text: str) -> bool:
    """Whether it is a day of the calendar as ISO 8601 writes them: those sort as texts do.

    >>> is_day("2030-12-31"), is_day("2030-02-30"), is_day("30-12-31")
    (True, False, False)
    """
    if not _DAY.match(text):
        return False
    from datetime import date

    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def accepted(finding: Finding, reason: str, made: str, until: str | None) -> Acceptance:
    """The finding as it is now, accepted."""
    return Acceptance(
        code=finding.code, subject=finding.subject, outcome=finding.outcome,
        wanted=finding.wanted, found=finding.found, what=finding.what, reason=reason, made=made,
        until=until,
    )  # fmt: skip


def unused(report: Report, accepts: Iterable[Acceptance], today: str) -> tuple[str, ...]:
    """What is to be said of acceptances that cover nothing: over, outdated, or not needed.

    Of what a rule was not asked, or could not judge, nothing is said.
    """
    findings: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        findings.setdefault((finding.code, finding.subject), []).append(finding)
    said = []
    for each in accepts:
        theirs = findings.get((each.code, each.subject), [])
        if any(each.covers(finding) for finding in theirs):
            if each.is_over(today):
                said.append(f"{each.id} was accepted until {each.until}, which is over")
        elif theirs:
            said.append(f"{each.id} was accepted with other values: {each.what}")
        elif each.code in report.judged:
            said.append(f"{each.id} was accepted and is no longer found: remove it from the file")
    return tuple(said)
