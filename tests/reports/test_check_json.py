"""check's answer for programs: the document, and its schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest, environment_id
from envsnap.profiles import load
from envsnap.reports.check_json import document, text
from envsnap.reports.check_schema import schema
from envsnap.reports.check_text import Sides
from envsnap.rules import Checked
from envsnap.sections import replace
from tests.reports.hand_made import (
    BLOCKS,
    BY_AUTHOR,
    BY_READER,
    DIGITS,
    LIMIT,
    NOTE,
    OPEN,
    SEEDS,
    checked,
    sides,
)
from tests.rules.machines import UNSEEN, cpu, device, driver, gpu, machine

PAIRS = [
    (machine(), machine()),
    (machine(), load("t4-cloud")),
    (machine(), machine(gpu=UNSEEN, python=UNSEEN)),
    (load("t4-cloud"), machine()),
]


def answered(
    wanted: Manifest, found: Manifest, options: CheckOptions | None = None
) -> dict[str, object]:
    checked = check(wanted, found, options or CheckOptions())
    return document([(checked, Sides(wanted, "paper.json", found, "this machine"))])


def only(answer: dict[str, object]) -> dict[str, Any]:
    """The one check of an answer, as JSON."""
    (found,) = json.loads(json.dumps(answer))["checks"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("wanted", "found"), PAIRS)
def test_every_report_fits_its_schema(wanted: Manifest, found: Manifest) -> None:
    import jsonschema

    jsonschema.validate(answered(wanted, found), schema())


def test_the_schema_is_one_and_refuses_what_is_not_in_it() -> None:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**answered(machine(), machine()), "more": 1}, schema())


def test_a_finding_has_everything_that_people_are_told_and_its_source() -> None:
    found = machine(gpu=gpu(device(), driver=driver("515.65.01")))
    check_ = only(answered(machine(), found))
    assert check_["verdicts"] == {"native": "will not run", "container": "will not run"}
    assert (check_["decides"], check_["exit_code"]) == ("native", 1)
    assert check_["findings"][0] == {
        "id": "DRV001:driver",
        "code": "DRV001",
        "kind": "fit",
        "scope": "both",
        "outcome": "blocks",
        "subject": "driver",
        "what": "torch is built for CUDA 12.4, which needs driver 525.60.13; here is 515.65.01",
        "why": "CUDA does not start on a driver older than its family's first one",
        "remedy": "a driver of 525.60.13 or newer",
        "wanted": "525.60.13 or newer",
        "found": "515.65.01",
        "source": {
            "title": "CUDA Compatibility: minor version compatibility",
            "url": "https://docs.nvidia.com/deploy/cuda-compatibility/"
            "minor-version-compatibility.html",
            "date": "2026-11-21",
        },
        "confidence": "high",
        "lowers": "does not run",
        "excuses": [],
        "excused": False,
        "decides": True,
    }


def test_what_was_not_checked_has_its_place_and_reason() -> None:
    found = machine(cpu=cpu(microarchitecture=UNSEEN))
    options = CheckOptions(allow_unknown=frozenset({"cpu"}))
    for chosen, allowed in ((CheckOptions(), False), (options, True)):
        check_ = only(answered(machine(), found, chosen))
        assert check_["not_checked"] == [
            {
                "code": "CPU001",
                "kind": "drift",
                "scope": "both",
                "worst": "numerics",
                "lowers": "statistical",
                "path": "found cpu.microarchitecture",
                "reason": "no-permission",
                "detail": "for a test",
                "allowed": allowed,
                "decides": not allowed,
            }
        ]
        assert check_["exit_code"] == (0 if allowed else 4)


def test_the_text_is_the_document_with_its_version_and_the_two_sides() -> None:
    wanted = machine()
    checks = [(check(wanted, wanted), Sides(wanted, "paper.json", wanted, "this machine"))]
    read = json.loads(text(checks))
    assert read == json.loads(json.dumps(document(checks)))
    assert read["report"] == "1.1"
    assert read["checks"][0]["wanted"]["environment"] == environment_id(wanted)
    assert text(checks).endswith("}\n")


def test_a_word_that_is_no_unicode_is_still_json() -> None:
    wanted = machine(cpu=cpu(microarchitecture="zen\x1b[2J\ufffd"))
    checks = [(check(wanted, machine()), Sides(wanted, "a", machine(), "b"))]
    assert "\x1b" not in text(checks)


MADE = [
    checked(),
    checked(DIGITS._replace(excuses=(BY_READER, BY_AUTHOR))),
    checked(BLOCKS, LIMIT, NOTE, left=(OPEN,), conditions=(SEEDS,)),
    checked(options=CheckOptions(ignore={"ENG": "no engine here"}), accepted_left=("over",)),
]


@pytest.mark.parametrize("answer", MADE)
def test_whatever_was_answered_fits_the_schema(answer: Checked) -> None:
    import jsonschema

    wanted = replace(machine(), requires={"must": ["driver >= 525"], "may": []})
    jsonschema.validate(document([(answer, sides(wanted=wanted))]), schema())


def test_the_claim_names_what_lowered_it_and_what_it_rests_on() -> None:
    found = only(document([(checked(DIGITS, left=(OPEN,), conditions=(SEEDS,)), sides())]))
    assert found["claim"] == {
        "level": "statistical",
        "floor": "statistical",
        "definite": True,
        "lowered_by": ["CPU001:cpu"],
        "held_by": ["CPU001"],
        "left_open": [],
    }
    assert found["conditions"] == [
        {
            "code": "ENV010",
            "text": "the seeds were not recorded",
            "lowers": None,
            "remedy": "state the seeds",
            "scope": "both",
            "decides": True,
        }
    ]
    bits = only(document([(checked(left=(OPEN,)), sides())]))["claim"]
    assert (bits["level"], bits["floor"], bits["definite"]) == ("bitwise", "statistical", False)
    assert bits["left_open"] == [{"code": "GPU003", "path": "found gpu.devices"}]


def test_an_excuse_stands_beside_the_strict_outcome() -> None:
    excused = checked(DIGITS._replace(excuses=(BY_READER, BY_AUTHOR)))
    found = only(document([(excused, sides())]))
    (finding,) = found["findings"]
    assert (finding["outcome"], finding["decides"], finding["excused"]) == ("numerics", False, True)
    assert finding["excuses"] == [
        {"by": "reader", "reason": "the cluster is mixed", "until": "2099-12-31"},
        {"by": "author", "reason": "tried on both", "until": None},
    ]
    assert found["exit_code"] == 0


def test_what_the_author_requires_is_handed_on_as_it_stands() -> None:
    wanted = replace(machine(), requires={"must": ["driver >= 525"]})
    found = only(document([(checked(), sides(wanted=wanted))]))
    assert found["requires"] == {"must": ["driver >= 525"]}
