"""check's answer as SARIF 2.1.0."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._check import check
from envsnap.profiles import load
from envsnap.reports._lines import STANDARD_INPUT
from envsnap.reports._sides import Sides
from envsnap.reports.check_sarif import text
from envsnap.rules import Checked, CheckOptions, Scope, rules
from tests.reports.hand_made import (
    BLOCKS,
    BY_AUTHOR,
    BY_READER,
    DIGITS,
    LIMIT,
    LOWERING,
    NOTE,
    OPEN,
    SEEDS,
    checked,
    sides,
)
from tests.rules.machines import machine


def run_of(answer: Checked, both: Sides | None = None) -> dict[str, Any]:
    log = json.loads(text([(answer, both or sides())]))
    assert (log["version"], set(log)) == ("2.1.0", {"$schema", "version", "runs"})
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def results(answer: Checked) -> dict[str, dict[str, Any]]:
    """The results by the code of their rule, without those that nobody asked for."""
    return {
        each["ruleId"]: each
        for each in run_of(answer)["results"]
        if not each["message"]["text"].startswith("Not asked")
    }


def test_each_rule_is_a_result_of_its_kind() -> None:
    options = CheckOptions(ignore={"ENG001": "no engine here"})
    found = results(checked(BLOCKS, LIMIT, DIGITS, NOTE, left=(OPEN,), options=options))
    assert {code: (each["kind"], each["level"]) for code, each in found.items()} == {
        "CPU001": ("fail", "warning"),
        "CPU004": ("pass", "none"),
        "DRV001": ("fail", "error"),
        "ENG001": ("notApplicable", "none"),
        "GPU003": ("open", "none"),
        "GPU005": ("fail", "warning"),
        "PKG001": ("pass", "none"),
        "SYS007": ("fail", "note"),
    }
    assert found["DRV001"]["message"]["text"] == (
        "driver: CUDA 12.4 needs driver 525.60.13; here is 515.65.01. CUDA does not start. "
        "What mends it: a driver of 525.60.13 or newer"
    )
    assert found["DRV001"]["properties"] == {
        "outcome": "blocks", "scope": "both", "lowers": "does not run", "decides": True,
    }  # fmt: skip
    assert found["ENG001"]["message"]["text"] == "Left out: no engine here"
    assert found["GPU003"]["message"]["text"] == (
        "Not checked: found gpu.devices: no-permission: for a test"
    )


def test_what_the_results_rest_on_is_no_pass() -> None:
    seeds = SEEDS._replace(code="ENV003")
    found = results(checked(conditions=(seeds, LOWERING)))
    assert (found["ENV003"]["kind"], found["ENV003"]["level"]) == ("open", "none")
    assert found["ENV003"]["message"]["text"] == (
        "Not recorded: the seeds were not recorded. What mends it: state the seeds"
    )
    assert found["ENV002"]["kind"] == "review"
    assert found["ENV002"]["properties"] == {"lowers": "statistical"}


def test_an_excuse_is_a_suppression_and_the_authors_is_under_review() -> None:
    found = results(
        checked(DIGITS._replace(excuses=(BY_READER,)), LIMIT._replace(excuses=(BY_AUTHOR,)))
    )
    assert found["CPU001"]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "accepted: the cluster is mixed, until 2099-12-31",
        }
    ]
    assert found["GPU005"]["suppressions"][0]["status"] == "underReview"
    taken = checked(LIMIT._replace(excuses=(BY_AUTHOR,)), options=CheckOptions(accept_waivers=True))
    assert results(taken)["GPU005"]["suppressions"][0]["status"] == "accepted"


def test_what_concerns_the_other_way_of_running_is_a_note() -> None:
    found = results(checked(BLOCKS._replace(scope=Scope.CONTAINER)))
    assert (found["DRV001"]["level"], found["DRV001"]["properties"]["decides"]) == ("note", False)


def test_a_result_points_at_its_rule_and_at_the_manifest() -> None:
    run = run_of(check(machine(), load("t4-cloud")))
    named = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in named] == [each.code for each in rules()]
    assert {each["help"]["text"].count("Source: ") for each in named} == {1}
    for each in run["results"]:
        assert named[each["ruleIndex"]]["id"] == each["ruleId"]
        (place,) = each["locations"]
        assert place["physicalLocation"] == {
            "artifactLocation": {"uri": "paper.json"}, "region": {"startLine": 1},
        }  # fmt: skip
        assert (each["kind"] == "fail") == (each["level"] != "none")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a b/c#1?.json", "a%20b/c%231%3F.json"),
        ("./m.json", "m.json"),
        ("../m.json", "../m.json"),
        ("/data/m.json", "file:///data/m.json"),
        ("javascript:x", "javascript%3Ax"),
    ],
)
def test_the_place_of_a_manifest_is_a_relative_address(name: str, uri: str) -> None:
    first = run_of(checked(), sides()._replace(wanted_name=name))["results"][0]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_what_came_through_a_pipe_has_no_file() -> None:
    first = run_of(checked(), sides()._replace(wanted_name=STANDARD_INPUT))["results"][0]
    assert first["locations"] == [{"logicalLocations": [{"name": STANDARD_INPUT}]}]


def test_the_run_says_how_the_check_ended() -> None:
    run = run_of(checked(DIGITS, left=(OPEN,)))
    assert run["invocations"] == [
        {
            "executionSuccessful": True,
            "exitCode": 1,
            "exitCodeDescription": 'Exit 1: numbers may differ.  To ask only "will it run": '
            "--fail-on blocks",
        }
    ]
    assert run["automationDetails"] == {"id": "envsnap/0/this machine"}
    assert run["properties"]["claim"] == "statistical"


def test_two_machines_are_two_runs_whose_categories_differ() -> None:
    log = json.loads(text([(checked(), sides("same")), (checked(), sides("same"))]))
    ids = [each["automationDetails"]["id"] for each in log["runs"]]
    assert len({each.rpartition("/")[0] for each in ids}) == 2


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_words_make_a_link_or_break_the_log(one: str, other: str) -> None:
    evil = BLOCKS._replace(subject=one, what=f"[x]({other})", why="{0}", remedy=other)
    written = text([(checked(evil), sides(one))])
    assert written.replace("\n", "").isprintable()
    message = results(checked(evil))["DRV001"]["message"]["text"]
    assert "](" not in message
    assert "{{0}}" in message


def test_a_value_without_end_is_cut_and_its_name_stays_its_own() -> None:
    one, other = (
        BLOCKS._replace(subject=f"{'x' * 10**6}{each}", what="y" * 10**6) for each in "ab"
    )
    log = run_of(checked(one, other), sides("n" * 10**6))
    assert len(json.dumps(log)) < 400_000
    names = [
        each["partialFingerprints"]["envsnapResult/v1"]
        for each in log["results"]
        if each["ruleId"] == "DRV001"
    ]
    assert len(set(names)) == 2
    assert all(len(each) < 100 for each in names)
