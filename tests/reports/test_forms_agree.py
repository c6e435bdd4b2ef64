"""Every form of a check's answer says the same."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest
from envsnap.profiles import load
from envsnap.reports import check_json, check_junit, check_markdown, check_sarif, check_text
from envsnap.reports._lines import plain
from envsnap.reports._sides import Sides
from envsnap.rules import Outcome, Verdict
from tests.rules.machines import T4, UNSEEN, cpu, device, driver, gpu, machine, packages

OTHERS = [
    machine(),
    machine(gpu=gpu(T4), cpu=cpu(microarchitecture=UNSEEN)),
    machine(gpu=gpu(device(), driver=driver("515.65.01")), packages=packages()),
    machine(gpu=UNSEEN, python=UNSEEN, packages=UNSEEN),
    load("t4-cloud"),
]
ASKED = [CheckOptions(), CheckOptions(fail_on=Outcome.NOTE), CheckOptions(ignore={"GPU": "no"})]


@pytest.mark.parametrize("options", ASKED)
@pytest.mark.parametrize("found", OTHERS)
def test_every_form_names_the_same_rules_and_the_same_exit(
    found: Manifest, options: CheckOptions
) -> None:
    answer = check(machine(), found, options)
    told = [(answer, Sides(machine(), "a.json", found, "b.json"))]
    decides = {each.code for each in answer.reached}
    bearing = answer.report.conditions_of(answer.scope)
    (document,) = json.loads(check_json.text(told))["checks"]
    assert {each["code"] for each in document["findings"] if each["decides"]} == decides
    suite = ET.fromstring(check_junit.text(told).encode())[0]  # noqa: S314 - our own
    failed = {str(each.get("name"))[:6] for each in suite if each.find("failure") is not None}
    assert failed == decides
    (run,) = json.loads(check_sarif.text(told))["runs"]
    results = [each for each in run["results"] if each["kind"] == "fail"]
    assert {each["ruleId"] for each in results if each["properties"]["decides"]} == decides
    left = {each["ruleId"] for each in run["results"] if each["kind"] == "open"}
    assumed = {each.code for each in bearing if each.lowers is None}
    assert left == {each.code for each in answer.report.not_checked} | assumed
    lowering = {each["ruleId"] for each in run["results"] if each["kind"] == "review"}
    assert lowering == {each.code for each in bearing if each.lowers is not None}
    assert {each["code"] for each in document["conditions"] if each["decides"]} >= {
        each.code for each in answer.claim.conditions
    }
    well = {str(each.get("name"))[:6] for each in suite if next(iter(each), None) is None}
    assert well & {each.code for each in bearing} == set()
    passed = {each["ruleId"] for each in run["results"] if each["kind"] == "pass"}
    assert passed & {each.code for each in bearing} == set()
    assert run["invocations"][0]["exitCode"] == document["exit_code"] == int(answer.exit_code)
    page = check_markdown.text(told)
    said = "\n".join(plain(check_text.text(*told[0], verbose=True)))
    for code in decides:
        assert f"[{code}](" in page or f"| {code} |" in page
        assert code in said
    for form in (page, said):
        assert f"Exit {int(answer.exit_code)}: " in form
    assert page.splitlines()[0].endswith(f" (exit {int(answer.exit_code)})")
    assert ("✅" in page) == (answer.exit_code == 0 and answer.verdict is Verdict.RUNS)
