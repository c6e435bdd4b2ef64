"""CPU020 and CPU021: instructions that compiled code takes without asking."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Reason, Unknown
from tests import made
from tests.rules.book.packages import having, record
from tests.rules.machines import UNSEEN, cpu, judged, machine, math, missing, told


def compiled_for(*names: str) -> Manifest:
    return machine(math=math(numpy_baseline=names))


def on(**changes: object) -> Manifest:
    return machine(cpu=cpu(**changes))


@pytest.mark.parametrize(
    ("name", "level", "expected"),
    [
        ("X86_V2", "x86_64_v2", []),
        ("X86_V2", "x86_64_v4", []),
        ("X86_V2", "x86_64",
         [("blocks", "NumPy is compiled for X86_V2, which this processor has not")]),
        ("X86_V3", "x86_64_v2",
         [("blocks", "NumPy is compiled for X86_V3, which this processor has not")]),
        ("X86_V3", None,
         [("blocks", "NumPy is compiled for X86_V3, which this processor has not")]),
    ],
)  # fmt: skip
def test_a_baseline_that_is_a_level_asks_for_that_level(
    name: str, level: str | None, expected: list[tuple[str, str]]
) -> None:
    assert told(judged("CPU020", compiled_for(name), on(generic_level=level))) == expected


def test_a_baseline_that_is_not_in_the_tables_is_not_checked() -> None:
    assert missing(judged("CPU020", compiled_for("AVX99"), on())) == [
        (
            "wanted math.numpy_baseline",
            "not-supported: Instruction set AVX99 is not in the table 'cpu_features'",
        )
    ]


def test_sse3_is_what_linux_calls_pni() -> None:
    assert told(judged("CPU020", compiled_for("SSE3"), on(features=("pni",)))) == []


def test_an_environment_without_numpy_asks_for_nothing() -> None:
    assert told(judged("CPU020", machine(math=math(numpy_baseline=None)), on())) == []
    blind = machine(math=math(numpy_baseline=UNSEEN))
    assert missing(judged("CPU020", blind, on())) == [
        ("wanted math.numpy_baseline", "no-permission: for a test")
    ]


def test_a_capture_that_was_not_deep_says_nothing_of_numpy() -> None:
    report = judged("CPU020", machine(), on())
    assert (report.findings, report.not_checked, report.judged) == ((), (), {})


def test_a_level_that_nobody_knows_yet_is_left_open() -> None:
    wanted = having(conda_only=(record("_x86_64-microarch-level", "5"),))
    assert missing(judged("CPU021", wanted, on())) == [
        (
            "wanted packages.conda_only._x86_64-microarch-level.version",
            "not-supported: level 5 of x86-64 is not known",
        )
    ]


def test_packages_for_the_first_level_run_on_every_x86_64() -> None:
    wanted = having(conda_only=(record("_x86_64-microarch-level", "1"),))
    assert told(judged("CPU021", wanted, on(generic_level="x86_64"))) == []
    assert told(judged("CPU021", wanted, on(generic_level=None))) == [
        ("blocks", "conda packages for x86_64; this processor is no x86-64")
    ]


def test_another_architecture_is_the_matter_of_the_rules_on_the_system() -> None:
    arm = machine(os=made.linux(architecture="arm64"), cpu=cpu(generic_level=None, features=()))
    wanted = having(conda_only=(record("_x86_64-microarch-level", "2"),))
    assert told(judged("CPU021", wanted, arm)) == []
    assert told(judged("CPU020", compiled_for("SSE3", "X86_V2"), arm)) == []
    same = machine(os=made.linux(architecture="AMD64"), cpu=cpu(features=()))
    assert told(judged("CPU020", compiled_for("AVX"), same)) != []


def test_a_processor_of_another_architecture_has_no_level() -> None:
    wanted = having(conda_only=(record("_x86_64-microarch-level", "2"),))
    assert told(judged("CPU021", wanted, on(generic_level=None))) == [
        ("blocks", "conda packages for x86_64_v2; this processor is no x86-64")
    ]


def test_machines_alone_are_not_asked_for_packages() -> None:
    alone = Unknown(Reason.NOT_ASKED, "--host-only")
    assert told(judged("CPU021", machine(packages=alone, python=alone), on())) == []
