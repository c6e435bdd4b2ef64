"""The table of rules: codes, what each promises, and what becomes of a rule that cannot see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest

from envsnap.facts import Looked, NewerThanFacts, NotInTable
from envsnap.rules import (
    FAMILIES,
    Kind,
    Level,
    Outcome,
    Report,
    Rule,
    Scope,
    Verdict,
    health,
    rules,
)
from envsnap.rules._core import Open, Pair, Said, Side, drift, judge, look_up, need, table
from envsnap.rules._sources import ENVSNAP
from envsnap.sections import Os, Reason, Unknown
from tests.rules.machines import UNSEEN, driver, gpu, machine
from tests.rules.test_laws import DEEP

SIDES = Side("wanted", machine()), Side("found", machine())


def made_of(function: object) -> Rule:
    return Rule(
        "TST001", Kind.DRIFT, Scope.BOTH, Outcome.NUMERICS, ENVSNAP, (Os,), Level.STATISTICAL,
        function,  # type: ignore[arg-type]  # a rule without a docstring
    )  # fmt: skip


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_every_rule_says_what_it_is_for(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z]{3}\d{3}", rule.code)
    assert rule.family in FAMILIES
    assert 20 <= len(rule.message) < 80
    assert len(rule.explanation) >= 50
    assert rule.reads
    assert re.fullmatch(r"2026-\d\d-\d\d", rule.source.date)
    assert rule.source.title


def test_codes_are_given_once() -> None:
    codes = [each.code for each in rules()]
    assert sorted(set(codes)) == codes
    assert len(codes) >= 45


def test_a_code_that_is_taken_or_malformed_is_refused() -> None:
    register = partial(drift, scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Os,), source=ENVSNAP)
    for code in ("DRV001", "DRV01", "drv999", "DRV0001"):
        with pytest.raises(ValueError, match=f"rule code '{code}' is malformed or taken"):
            register(code)(lambda _: ())
    assert "DRV999" not in table()


def test_a_rule_that_says_worse_than_it_promised_is_our_own_fault() -> None:
    rule = made_of(lambda _: [Said("x", Outcome.BLOCKS, "it differs")])
    with pytest.raises(ValueError, match="TST001 says blocks, and declares numerics as its worst"):
        judge(rule, *SIDES)


def test_a_low_confidence_row_cannot_say_that_something_will_not_run() -> None:
    weak = Looked(1, "low", ())
    rule = made_of(lambda _: [Said("x", Outcome.BLOCKS, "it differs", rests_on=weak)])
    (finding,) = judge(rule._replace(worst=Outcome.BLOCKS), *SIDES).findings
    assert (finding.outcome, finding.confidence) == (Outcome.DEGRADES, "low")
    assert finding.why.endswith("; who says so is too unsure to call it more than a limit")


def test_what_was_found_before_an_unknown_fact_stays() -> None:
    def half(pair: Pair) -> Iterator[Said]:
        yield Said("x", Outcome.NOTE, "it differs", why="so")
        need(UNSEEN, pair.found.path("os.kernel"))

    report = judge(made_of(half), *SIDES)
    assert [each.what for each in report.findings] == ["it differs"]
    (left_open,) = report.not_checked
    assert (left_open.path, left_open.section) == ("found os.kernel", "os")
    assert left_open.reason is UNSEEN
    assert report.judged == {}


def test_the_section_of_a_place_does_not_depend_on_the_names_in_it() -> None:
    def open_(_: Pair) -> Iterator[Open]:
        yield Open("wanted packages.installed.a $(reboot) b.content", UNSEEN)

    assert [each.section for each in judge(made_of(open_), *SIDES).not_checked] == ["packages"]


def test_nothing_judged_runs_nowhere() -> None:
    for scope in Scope.NATIVE, Scope.CONTAINER:
        assert Report().verdict(scope) is Verdict.CANNOT_TELL
        assert Report(judged={"PKG001": scope}).verdict(scope) is Verdict.RUNS
    assert Report(judged={"PKG001": Scope.NATIVE}).verdict(Scope.CONTAINER) is Verdict.CANNOT_TELL


def test_a_part_left_open_does_not_end_the_rule() -> None:
    def holes(_: Pair) -> Iterator[Said | Open]:
        yield Open("found gpu.devices[0].name", UNSEEN)
        yield Said("x", Outcome.NOTE, "it differs", why="so")

    report = judge(made_of(holes), *SIDES)
    assert len(report.findings) == 1
    assert [each.section for each in report.not_checked] == ["gpu"]


def test_a_part_left_open_may_be_less_grave_than_its_rule() -> None:
    def holes(_: Pair) -> Iterator[Said | Open]:
        yield Open("found gpu.devices[0].name", UNSEEN, Outcome.NOTE)
        yield Open("found gpu.devices[1].name", UNSEEN)

    report = judge(made_of(holes), *SIDES)
    assert [(each.worst, each.lowers) for each in report.not_checked] == [
        (Outcome.NOTE, Level.BITWISE),
        (made_of(holes).worst, made_of(holes).lowers),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NewerThanFacts("CUDA 99", "2026-11-21"), "CUDA 99 is newer than facts of 2026-11-21"),
        (NotInTable("CUDA 1", "cuda_driver"), "CUDA 1 is not in the table 'cuda_driver'"),
    ],
)
def test_what_the_tables_lack_is_not_checked(
    answer: NewerThanFacts | NotInTable, said: str
) -> None:
    def asking(_: Pair) -> Iterator[Said]:
        look_up(answer, "wanted cuda")
        yield Said("x", Outcome.NOTE, "never said", why="so")

    report = judge(made_of(asking), *SIDES)
    assert [each.reason for each in report.not_checked] == [Unknown(Reason.NOT_SUPPORTED, said)]
    assert report.findings == ()


def test_a_well_machine_has_no_health_finding_and_every_rule_is_judged() -> None:
    report = health(DEEP)
    assert (report.findings, report.not_checked) == ((), ())
    expected = {
        each.code
        for each in rules()
        if each.kind is not Kind.DRIFT and each.scope is not Scope.CONTAINER
        if each.family != "REQ"  # its author requires nothing
    }
    assert set(report.judged) == expected


def test_health_finds_the_driver_below_its_own_packages() -> None:
    from tests.rules.machines import device

    old = machine(gpu=gpu(device(), driver=driver("515.65.01")))
    assert [(each.id, each.kind) for each in health(old).findings] == [("DRV001:driver", "fit")]
