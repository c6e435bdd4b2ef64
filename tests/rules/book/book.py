"""All the cases, and the example that each gives to `envsnap explain`."""

from __future__ import annotations

from envsnap.rules import Report
from tests.rules.book import driver, gpu, libraries, packages, requires, system
from tests.rules.book.case import CONDITION, Case

BOOK = {
    each.code: each
    for some in (packages, system, gpu, driver, libraries, requires)
    for each in some.CASES
}  # fmt: skip


def example_of(case: Case) -> dict[str, str | None]:
    """What `envsnap explain` shows of a case, from what the rule itself says of it."""
    report: Report = case.judged(case.of)
    if case.outcome == CONDITION:
        (condition,) = report.conditions
        return {
            "outcome": CONDITION, "says": condition.text, "wanted": None, "found": None,
            "remedy": condition.remedy, "but": case.but,
        }  # fmt: skip
    (finding,) = report.findings
    return {
        "outcome": str(finding.outcome), "says": finding.what, "wanted": finding.wanted,
        "found": finding.found, "remedy": finding.remedy, "but": case.but,
    }  # fmt: skip
