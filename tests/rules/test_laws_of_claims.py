"""What holds for every claim: it promises no more than the verdict and the exit code."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envsnap._check import CheckOptions, check
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.rules import (
    Claim,
    Condition,
    Finding,
    Kind,
    Level,
    NotChecked,
    Outcome,
    Report,
    Scope,
    Verdict,
    claim,
    compare,
)
from tests.rules.test_laws import (
    CONDITIONS,
    FINDINGS,
    LEFT_OPEN,
    POOL,
    REPORTS,
    SCOPES,
    blind_spots,
)
from tests.strategies import manifests


def rank(claim: Claim) -> int:
    return claim.level.rank


def is_fair(report: Report, scope: Scope) -> bool:
    """Whether the claim promises no more than the verdict."""
    verdict, said = report.verdict(scope), claim(report, scope)
    if verdict is Verdict.WILL_NOT_RUN:
        return said.level is Level.DOES_NOT_RUN
    if verdict is Verdict.CANNOT_TELL:
        return said.floor.rank >= Level.STATISTICAL.rank
    return said.level is not Level.DOES_NOT_RUN


@given(REPORTS, FINDINGS, st.sampled_from(SCOPES))
def test_one_more_finding_never_raises_the_claim(
    report: Report, finding: Finding, scope: Scope
) -> None:
    more = report._replace(findings=(*report.findings, finding))
    before, after = claim(report, scope), claim(more, scope)
    assert rank(after) >= rank(before)
    assert after.floor.rank >= before.floor.rank


@given(REPORTS, CONDITIONS, st.sampled_from(SCOPES))
def test_one_more_condition_never_raises_the_claim(
    report: Report, condition: Condition, scope: Scope
) -> None:
    more = report._replace(conditions=(*report.conditions, condition))
    before, after = claim(report, scope), claim(more, scope)
    assert rank(after) >= rank(before)
    assert after.floor.rank >= before.floor.rank
    assert after.is_definite or not before.is_definite or rank(after) > rank(before)


@given(REPORTS, LEFT_OPEN, st.sampled_from(SCOPES))
def test_one_more_open_rule_lowers_what_is_sure_and_not_what_is_said(
    report: Report, more: NotChecked, scope: Scope
) -> None:
    wider = report._replace(not_checked=(*report.not_checked, more))
    before, after = claim(report, scope), claim(wider, scope)
    assert after.level is before.level
    assert after.floor.rank >= before.floor.rank


@given(REPORTS, st.sampled_from(SCOPES))
def test_a_claim_promises_no_more_than_the_verdict(report: Report, scope: Scope) -> None:
    assert is_fair(report, scope)


@given(st.sampled_from(POOL), st.sampled_from(POOL), st.sampled_from(SCOPES))
def test_the_claim_on_a_machine_promises_no_more_than_the_verdict(
    wanted: Manifest, found: Manifest, scope: Scope
) -> None:
    assert is_fair(compare(wanted, found), scope)


@given(manifests(), st.sampled_from(SCOPES))
def test_no_difference_lowers_the_claim_of_a_manifest_on_itself(
    manifest: Manifest, scope: Scope
) -> None:
    lowered = claim(compare(manifest, manifest), scope).lowered_by
    assert [each.code for each in lowered if each.kind is Kind.DRIFT] == []


@given(st.sampled_from(POOL), st.sampled_from(POOL), st.sampled_from(SCOPES))
def test_no_difference_that_lowers_the_claim_leaves_the_answer_yes(
    wanted: Manifest, found: Manifest, scope: Scope
) -> None:
    done = check(wanted, found, CheckOptions(scope=scope))
    if done.exit_code is ExitCode.OK:
        lowered = {each.lowers for each in done.claim.lowered_by}
        assert lowered <= {Level.SAME_ARCHITECTURE}
        assert done.claim.says_something


@given(blind_spots(), st.sampled_from(SCOPES))
def test_where_nobody_can_tell_whether_it_runs_no_bits_are_promised(
    pairs: tuple[Manifest, Manifest, Manifest, Manifest], scope: Scope
) -> None:
    report = compare(*pairs[:2])
    said = claim(report, scope)
    if report.verdict(scope) is Verdict.CANNOT_TELL and said.says_something:
        assert said.level.rank >= Level.STATISTICAL.rank


@given(st.sampled_from(POOL), st.sampled_from(POOL), st.sampled_from(SCOPES))
def test_a_condition_that_lowers_is_about_the_wanted_side_and_never_about_a_difference(
    wanted: Manifest, found: Manifest, scope: Scope
) -> None:
    alone, beside = (
        {each for each in compare(wanted, other).conditions_of(scope) if each.lowers is not None}
        for other in (wanted, found)
    )
    assert beside <= alone


@given(manifests(), manifests(), st.sampled_from(SCOPES))
def test_only_what_reaches_numerics_leaves_less_than_the_bits_of_one_architecture(
    wanted: Manifest, found: Manifest, scope: Scope
) -> None:
    for each in compare(wanted, found).findings_of(scope):
        if each.lowers.rank > Level.SAME_ARCHITECTURE.rank:
            assert each.outcome.reaches(Outcome.NUMERICS)


@given(blind_spots(), st.sampled_from(SCOPES))
def test_a_definite_claim_is_the_same_whatever_an_unknown_fact_turns_out_to_be(
    pairs: tuple[Manifest, Manifest, Manifest, Manifest], scope: Scope
) -> None:
    wanted, blind, wanted_too, seeing = pairs
    before = claim(compare(wanted, blind), scope)
    after = claim(compare(wanted_too, seeing), scope)
    if before.is_definite:
        assert after.level is before.level


@given(blind_spots(), st.sampled_from(SCOPES))
def test_what_is_sure_without_a_fact_stays_so_with_it(
    pairs: tuple[Manifest, Manifest, Manifest, Manifest], scope: Scope
) -> None:
    wanted, blind, wanted_too, seeing = pairs
    before = claim(compare(wanted, blind), scope)
    after = claim(compare(wanted_too, seeing), scope)
    assert before.level.rank <= before.floor.rank
    assert after.level.rank <= before.floor.rank


def test_the_pool_has_every_claim_so_that_the_laws_are_put_to_the_test() -> None:
    seen = {
        claim(compare(wanted, found), scope).level
        for wanted in POOL
        for found in POOL
        for scope in SCOPES
    }
    assert seen == set(Level)
