"""REQ004: an image's own requirement, where it counts and where nobody looks at it."""

from __future__ import annotations

import pytest

from envsnap._check import CheckOptions, check
from envsnap.manifest import Manifest
from envsnap.rules import Level, Scope, Verdict, claim
from envsnap.sections import Container, Environ
from tests.rules.machines import (
    T4,
    device,
    driver,
    engine,
    engines,
    gpu,
    judged,
    machine,
    missing,
    told,
)

OLD = gpu(T4, driver=driver("525.147.05", cuda="12.0"))
REFUSED = [("blocks", "the image asks for cuda>=12.4; here is driver 525.147.05, CUDA 12.0")]
ASKED_THEN = (
    "the image that it was captured in asks for cuda>=12.4; here is driver 525.147.05, CUDA"
)
REFUSED_THEN = [("degrades", f"{ASKED_THEN} 12.0")]


def image(text: str = "cuda>=12.4 brand=tesla,driver>=535,driver<536") -> Environ:
    return Environ(variables={"NVIDIA_REQUIRE_CUDA": text})


WANTED = machine(environ=image())


def test_the_image_it_was_captured_in_is_refused_and_another_can_be_built() -> None:
    checked = check(WANTED, machine(gpu=OLD), CheckOptions(select=("REQ",)))
    assert told(checked.report) == REFUSED_THEN
    (finding,) = checked.report.findings
    assert finding.remedy == (
        "envsnap build: its image asks for what the packages need; or NVIDIA_DISABLE_REQUIRE=1, "
        "where the CUDA libraries themselves run on this one"
    )
    assert checked.report.verdict(Scope.CONTAINER) is Verdict.LIMITS
    assert claim(checked.report, Scope.CONTAINER).level is Level.BITWISE
    assert checked.report.verdict(Scope.NATIVE) is Verdict.CANNOT_TELL  # no rule was judged


@pytest.mark.parametrize("wanted", [machine(), WANTED])
def test_the_image_itself_does_not_start(wanted: Manifest) -> None:
    found = machine(gpu=OLD, environ=image())
    checked = check(wanted, found, CheckOptions(select=("REQ",), is_image=True))
    assert told(checked.report) == REFUSED
    assert checked.report.verdict(Scope.CONTAINER) is Verdict.WILL_NOT_RUN


@pytest.mark.parametrize(
    "found",
    [
        machine(gpu=OLD, engines=engines(engine("apptainer"))),
        machine(gpu=OLD, engines=engines(engine("docker", usable=False), engine("podman"))),
        machine(gpu=OLD, container=Container(kind="docker", image=None, host_libraries=())),
        machine(gpu=gpu()),
        machine(gpu=gpu(T4, driver=driver("535.183.01", cuda="12.2"))),
        machine(gpu=gpu(T4, driver=driver("550.54.14", cuda="12.4"))),
    ],
)
def test_nothing_is_said_where_nobody_asks_or_where_it_starts(found: Manifest) -> None:
    assert told(judged("REQ004", WANTED, found)) == []


def test_a_rule_without_a_requirement_is_not_judged() -> None:
    assert judged("REQ004", machine(), machine()).judged == {}


def test_a_brand_that_a_name_does_not_tell_leaves_it_open() -> None:
    there = machine(gpu=gpu(device(), driver=driver("535.183.01", cuda="12.2")))
    reason = (
        "not-supported: the brand of the GPU decides what the image asks for, "
        "and its name does not tell it"
    )
    assert missing(judged("REQ004", WANTED, there)) == [("found gpu.devices", reason)]


def test_a_gpu_that_is_too_old_is_named() -> None:
    asked = machine(environ=image("arch>=8.0"))
    ((outcome, what),) = told(judged("REQ004", asked, machine(gpu=OLD)))
    assert outcome == "degrades"
    assert what.endswith("here is driver 525.147.05, CUDA 12.0, compute capability 7.5")


def test_a_text_that_is_hostile_is_refused_as_the_toolkit_does() -> None:
    hostile = machine(environ=image("\x1b[2J" + "x" * 5000))
    ((outcome, what),) = told(judged("REQ004", hostile, machine(gpu=OLD)))
    assert outcome == "degrades"
    assert what.endswith("here is driver 525.147.05, CUDA 12.0")
    assert len(what) < 200
