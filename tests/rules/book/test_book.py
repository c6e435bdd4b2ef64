"""Every rule: what triggers it, what just does not, and what it makes of an unknown fact."""

from __future__ import annotations

import pytest

from envsnap.rules import Kind, rules
from envsnap.rules._examples import Example, example
from envsnap.rules._findings import usual_level
from tests.rules.book.book import BOOK, example_of
from tests.rules.book.case import CONDITION, Case
from tests.rules.machines import UNSEEN

EVERY = pytest.mark.parametrize("case", BOOK.values(), ids=BOOK)


def test_every_rule_has_its_case() -> None:
    assert sorted(BOOK) == [each.code for each in rules()]


@EVERY
def test_a_rule_says_this_of_what_triggers_it(case: Case) -> None:
    report = case.judged(case.of)
    assert report.not_checked == ()
    if case.outcome == CONDITION:
        assert report.findings == ()
        assert [(each.text, each.lowers) for each in report.conditions] == [
            (case.says, case.leaves)
        ]
        return
    (finding,) = report.findings
    assert (str(finding.outcome), finding.what) == (case.outcome, case.says)
    assert finding.lowers is (case.leaves or usual_level(finding.outcome))


@EVERY
def test_a_rule_says_nothing_of_what_is_just_fine(case: Case) -> None:
    report = case.judged(case.nearly)
    assert (report.findings, report.not_checked) == ((), ())
    assert case.code in report.judged
    if case.outcome == CONDITION:
        assert report.conditions == ()


@EVERY
def test_a_rule_that_misses_a_fact_is_not_checked(case: Case) -> None:
    report = case.judged(case.unseen)
    assert [(each.path, each.reason) for each in report.not_checked] == [(case.path, UNSEEN)]
    assert report.findings == ()
    assert report.judged == {}


@EVERY
def test_a_case_is_of_one_side_where_the_rule_is(case: Case) -> None:
    (rule,) = (each for each in rules() if each.code == case.code)
    is_of_one = [not isinstance(each, tuple) for each in (case.of, case.nearly, case.unseen)]
    assert is_of_one == [rule.kind is Kind.HEALTH] * 3


@EVERY
def test_the_example_that_explain_prints_is_what_the_rule_says(case: Case) -> None:
    assert example(case.code) == Example(**example_of(case))  # type: ignore[arg-type]
