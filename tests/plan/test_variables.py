"""Captured variables that change results: written, or named with the reason why not."""

from __future__ import annotations

import pytest

from envsnap.formats import formats
from envsnap.plan import BuildPlan
from envsnap.plan._model import Why
from envsnap.sections import Environ
from tests import made
from tests.plan.planning import planned

LONG = " ".join(f"--xla_gpu_enable_option_number_{each}=true" for each in range(15))


def with_flags(value: str) -> BuildPlan:
    return planned(made.manifest(environ=Environ(variables={"XLA_FLAGS": value})))


@pytest.mark.parametrize(
    "value", [LONG, "x" * 30_000, "{a}", "--file={x}} {", "} } { {", "a\"b\\c$d`e'f", ""]
)
def test_a_value_that_every_recipe_can_hold_is_carried(value: str) -> None:
    found = with_flags(value)
    assert dict(found.variables)["XLA_FLAGS"] == value
    assert found.notes == ()
    for each in formats().values():
        each.render(found)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("--a\n--b", "is not one line of ASCII, and recipes hold nothing else"),
        ("--a=\u00e9", "is not one line of ASCII, and recipes hold nothing else"),
        ("--a={{x}}", "has '{{', which Apptainer would read as a variable of its own"),
        ("x" * 30_001, "has 30001 characters, and recipes hold 30000 at the most"),
    ],
)
def test_one_that_cannot_be_written_is_named_with_the_reason(value: str, why: str) -> None:
    found = with_flags(value)
    assert "XLA_FLAGS" not in dict(found.variables)
    assert found.notes == (
        (
            f"XLA_FLAGS changes results and is not set in the image: its value {why}; give it "
            "where the image is started, as docker run --env XLA_FLAGS or apptainer exec --env "
            "XLA_FLAGS=VALUE"
        ),
    )
    reason = Why(
        "XLA_FLAGS is not set, though it changes results", f"its value {why}", "sections.environ"
    )
    assert reason in found.reasons
    assert reason in found.others["repo2docker"]


def test_what_changes_no_result_is_left_out_without_a_word() -> None:
    found = planned(made.manifest(environ=Environ(variables={"TZ": "a\nb", "EDITOR": "\u00e9"})))
    assert found.notes == ()
