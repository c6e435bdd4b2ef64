"""check's answer as JUnit XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._check import check
from envsnap.profiles import load
from envsnap.reports.check_junit import text
from envsnap.rules import CheckOptions, Outcome
from tests.reports.hand_made import (
    BLOCKS,
    BY_READER,
    DIGITS,
    JUDGED,
    LOWERING,
    NOTE,
    OPEN,
    SEEDS,
    checked,
    sides,
)
from tests.rules.machines import machine

SUITE = {
    "name", "package", "id", "timestamp", "time", "hostname", "tests", "failures", "errors",
    "skipped",
}  # fmt: skip


def parsed(document: str) -> ET.Element:
    return ET.fromstring(document.encode())  # noqa: S314 - our own


def ends(suite: ET.Element) -> dict[str, str | None]:
    """How each test ended that was asked for, by its code."""
    found = {}
    for case in suite.iter("testcase"):
        child = next(iter(case), None)
        how = "passed" if child is None else f"{child.tag}: {child.get('message')}"
        found[str(case.get("name")).partition(" ")[0]] = how
    return {key: how for key, how in found.items() if how and "not asked" not in how}


def test_each_rule_is_a_test_with_its_end() -> None:
    options = CheckOptions(ignore={"ENG001": "no engine here"})
    answer = checked(
        BLOCKS, DIGITS._replace(excuses=(BY_READER,)), NOTE, left=(OPEN,), options=options
    )
    (suite,) = parsed(text([(answer, sides())]))
    assert ends(suite) == {
        "CPU001": "skipped: accepted: the cluster is mixed, until 2099-12-31",
        "CPU004": "passed",
        "DRV001": "failure: driver: CUDA 12.4 needs driver 525.60.13; here is 515.65.01",
        "ENG001": "skipped: left out: no engine here",
        "GPU003": "skipped: not checked: found gpu.devices: no-permission: for a test",
        "GPU005": "passed",
        "PKG001": "passed",
        "SYS007": "passed",
    }
    failure = suite.find(".//failure")
    assert failure is not None
    assert failure.get("type") == "blocks"
    assert failure.text == (
        "DRV001 blocks (both): driver: CUDA 12.4 needs driver 525.60.13; here is 515.65.01. "
        "CUDA does not start -> a driver of 525.60.13 or newer"
    )
    assert suite.findtext("system-out", "").splitlines()[1:] == [
        "SYS007 note (both): kernel: 6.1.0 -> 6.8.0. Linux keeps its promises to programs",
        "Exit 1: it will not run here",
    ]


def test_what_the_results_rest_on_is_not_green() -> None:
    answer = checked(conditions=(SEEDS._replace(code="ENV003"), LOWERING))
    (suite,) = parsed(text([(answer, sides())]))
    found = ends(suite)
    assert found["ENV003"] == "skipped: not recorded: the seeds were not recorded"
    assert found["ENV002"] == "skipped: lowers the results: no deterministic cuBLAS"


def test_the_counts_are_those_of_the_tests() -> None:
    answer = checked(BLOCKS, DIGITS, left=(OPEN,))
    (suite,) = parsed(text([(answer, sides())]))
    cases = suite.findall("testcase")
    assert set(suite.keys()) == SUITE
    assert suite.get("tests") == str(len(cases))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "2"
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    assert [each.tag for each in suite if each.tag != "testcase"] == [
        "properties", "system-out", "system-err",
    ]  # fmt: skip
    assert (suite.get("hostname"), suite.get("timestamp")) == ("localhost", "2026-01-31T12:00:00")
    assert {each.get("classname") for each in cases} >= {"envsnap.packages", "envsnap.driver"}


def test_what_fails_is_what_fail_on_says() -> None:
    for fail_on, number in ((Outcome.NOTE, "1"), (Outcome.NUMERICS, "0")):
        answer = checked(NOTE, options=CheckOptions(fail_on=fail_on))
        (suite,) = parsed(text([(answer, sides())]))
        assert suite.get("failures") == number


def test_rules_that_were_not_chosen_are_no_tests() -> None:
    answer = check(machine(), machine(), CheckOptions(select=("PKG001", "CPU")))
    (suite,) = parsed(text([(answer, sides())]))
    codes = {str(each.get("name")).partition(" ")[0] for each in suite.iter("testcase")}
    assert "PKG001" in codes
    assert {each[:3] for each in codes} == {"PKG", "CPU"}


def test_each_machine_is_a_suite() -> None:
    found = load("t4-cloud")
    done = [(check(machine(), found), sides("t4-cloud")), (checked(), sides("other"))]
    suites = parsed(text(done))
    assert [(each.get("id"), each.get("name")) for each in suites] == [
        ("0", "t4-cloud"), ("1", "other"),
    ]  # fmt: skip
    assert all(len(suite.findall("testcase")) > len(JUDGED) for suite in suites)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_words_make_a_document_that_parses(one: str, other: str) -> None:
    evil = BLOCKS._replace(subject=one, what=other, why=one, remedy=other)
    (suite,) = parsed(text([(checked(evil), sides(one))]))
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", "".join(suite.itertext()))
    assert len(suite.findall("testcase/failure")) == 1


@pytest.mark.parametrize("time", ["", "yesterday", "2026-1-1", "\x00"])
def test_a_time_that_is_none_is_no_reason_to_fail(time: str) -> None:
    from envsnap.sections import replace

    found = machine()
    odd = replace(found, captured=replace(found.captured, time=time))
    (suite,) = parsed(text([(checked(), sides()._replace(found=odd))]))
    assert suite.get("timestamp") == "1970-01-01T00:00:00"


def test_a_value_without_end_is_cut() -> None:
    evil = BLOCKS._replace(subject="x" * 10**6, what="y" * 10**6, why="z" * 10**6)
    document = text([(checked(evil, evil._replace(code="GPU003")), sides("n" * 10**6))])
    assert len(document) < 100_000
    (suite,) = parsed(document)
    assert suite.get("name") == f"{'n' * 2000} … {'n' * 2000} (1000000 characters)"
