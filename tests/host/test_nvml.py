"""The child that asks NVML, against a library that plays every part a real one has played."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import LocalHost
from envsnap.host._nvml import ask, gather
from envsnap.sections import Reason, Unknown

Play = Callable[[str], None]
SOURCE = Path(__file__).parent.parent / "nvml_stand_in.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")
NO_SUPPORT = {"error": "NVML_ERROR_NOT_SUPPORTED"}
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stand-in")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is a Linux library")

T4 = """\
driver_version 550.54.15
cuda_driver_version 12040
count 1
0.name Tesla T4
0.pci 00000000:00:04.0
0.uuid GPU-11111111-2222-3333-4444-555555555555
0.capability 7 5
0.architecture 6
0.cores 2560
0.memory 16106127360
0.vbios 90.04.A7.00.01
0.ecc 1 1
0.compute_mode 0
0.power_limit 70000
0.sm_clock 1590
0.memory_clock 5001
0.application_clock 585
0.default_power_limit 70000
0.persistence 1
0.pcie_generation 3
0.pcie_width 16
0.virtualization 1
"""
T4_ANSWER: dict[str, object] = {
    "name": "Tesla T4",
    "pci_bus_id": "00000000:00:04.0",
    "uuid": "GPU-11111111-2222-3333-4444-555555555555",
    "compute_capability": [7, 5],
    "architecture": 6,
    "cores": 2560,
    "memory_bytes": 16106127360,
    "vbios": "90.04.A7.00.01",
    "ecc": [1, 1],
    "mig": NO_SUPPORT,
    "compute_mode": 0,
    "power_limit_mw": 70000,
    "max_sm_clock_mhz": 1590,
    "slices": [],
    "max_memory_clock_mhz": 5001,
    "application_sm_clock_mhz": 585,
    "default_power_limit_mw": 70000,
    "persistence": 1,
    "pcie_generation": 3,
    "pcie_width": 16,
    "virtualization": 1,
    "gsp_firmware": NO_SUPPORT,
    "links": NO_SUPPORT,
}
LATE = (
    "max_memory_clock_mhz", "application_sm_clock_mhz", "default_power_limit_mw", "persistence",
    "pcie_generation", "pcie_width", "virtualization", "gsp_firmware", "links",
)  # fmt: skip
FIRST_WORDS = {name: said for name, said in T4_ANSWER.items() if name not in LATE}
SECOND = "1.name Quadro\n1.pci 00000000:00:05.0\n"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    built = folder / "libnvidia-ml.so.1"
    command = [str(COMPILER), "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", "-o", str(built)]
    subprocess.run([*command, str(SOURCE)], check=True, timeout=60)
    return folder


@pytest.fixture
def play(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Make the next question to NVML go to the stand-in, with this table of answers."""
    table = tmp_path / "answers"
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("NVML_STAND_IN", str(table))

    def write(text: str) -> None:
        table.write_text(text, encoding="ascii")

    return write


def devices(answer: object) -> list[dict[str, object]]:
    assert isinstance(answer, dict)
    found: list[dict[str, object]] = answer["devices"]
    return found


pytestmark = [needs_compiler, needs_linux]


def test_a_card_is_told_field_by_field(play: Play) -> None:
    play(T4)
    assert LocalHost().nvml() == {
        "driver_version": "550.54.15",
        "cuda_driver_version": 12040,
        "count": 1,
        "devices": [T4_ANSWER],
    }


def test_two_models_stand_beside_each_other(play: Play) -> None:
    second = T4.partition("0.name")[2].replace("0.", "1.").replace("Tesla T4", "Tesla V100")
    play(T4.replace("count 1", "count 2") + "1.name" + second)
    assert [device["name"] for device in devices(ask())] == ["Tesla T4", "Tesla V100"]


def test_mig_instances_are_told_and_empty_slots_are_not(play: Play) -> None:
    play(
        T4
        + "0.mig 1 1\n0.max_mig 7\n"
        + "0.m0.name NVIDIA A100 MIG 1g.10gb\n0.m0.attributes 14 9856\n0.m0.uuid MIG-a\n"
        + "0.m0.gpu_instance 9\n0.m0.compute_instance 0\n"
        + "0.m4.name NVIDIA A100 MIG 3g.40gb\n0.m4.attributes !4\n"
    )
    (device,) = devices(ask())
    assert device["mig"] == [1, 1]
    assert device["slices"] == [
        {
            "name": "NVIDIA A100 MIG 1g.10gb",
            "uuid": "MIG-a",
            "gpu_instance": 9,
            "compute_instance": 0,
            "memory_mib": 9856,
            "multiprocessors": 14,
        },
        {
            "name": "NVIDIA A100 MIG 3g.40gb",
            "uuid": NO_SUPPORT,
            "gpu_instance": NO_SUPPORT,
            "compute_instance": NO_SUPPORT,
            "memory_mib": {"error": "NVML_ERROR_NO_PERMISSION"},
            "multiprocessors": {"error": "NVML_ERROR_NO_PERMISSION"},
        },
    ]


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        (4, Unknown(Reason.NO_PERMISSION, "NVML_ERROR_NO_PERMISSION")),
        (9, Unknown(Reason.NOT_SUPPORTED, "NVML_ERROR_DRIVER_NOT_LOADED")),
        (18, Unknown(Reason.WITNESSES_DISAGREE, "NVML_ERROR_LIB_RM_VERSION_MISMATCH")),
        (999, Unknown(Reason.CRASHED, "NVML_ERROR_UNKNOWN")),
        (98765, Unknown(Reason.CRASHED, "NVML_ERROR_98765")),
    ],
)
def test_a_library_that_will_not_start_says_why(play: Play, code: int, unknown: Unknown) -> None:
    play(f"init !{code}\n")
    assert ask() == unknown


def test_without_the_library_the_tool_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "libnvidia-ml.so.1"
    broken.write_bytes(b"this is no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    if os.path.exists("/proc/driver/nvidia"):
        pytest.skip("this machine has a library of its own")
    assert ask() == Unknown(Reason.TOOL_MISSING, "libnvidia-ml.so.1")


def test_without_pynvml_the_tool_is_missing(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play(T4)
    kept = [path for path in sys.path if "site-packages" not in path]
    monkeypatch.setattr(sys, "path", kept)
    assert ask() == Unknown(Reason.TOOL_MISSING, "nvidia-ml-py (the module pynvml)")


def test_a_crash_at_the_start_is_a_crash(play: Play) -> None:
    play("init crash\n")
    assert ask() == Unknown(Reason.CRASHED, "NVML: ended by SIGSEGV")


def test_a_crash_over_one_card_keeps_those_before_it(play: Play) -> None:
    play(T4.replace("count 1", "count 2") + "1.name crash\n")
    assert ask() == {
        "driver_version": "550.54.15",
        "cuda_driver_version": 12040,
        "count": 2,
        "devices": [FIRST_WORDS],
        "ended": "crashed: ended by SIGSEGV",
    }


def test_a_hang_ends_at_the_deadline(play: Play) -> None:
    play("init hang\n")
    began = time.monotonic()
    assert ask(timeout_s=0.5) == Unknown(Reason.TIMED_OUT, "NVML: no answer within 0.5 s")
    assert time.monotonic() - began < 5


def test_a_hang_over_one_card_keeps_those_before_it(play: Play) -> None:
    play(T4.replace("count 1", "count 2") + "1.name hang\n")
    answer = ask(timeout_s=3)
    assert devices(answer) == [FIRST_WORDS]
    assert isinstance(answer, dict)
    assert answer["ended"] == "timed-out: no answer within 3 s"


@pytest.mark.parametrize("key", ["0.pcie_width", "0.gsp", "0.link.0", "0-1.ancestor"])
def test_a_crash_in_a_late_call_keeps_what_every_card_said_before(play: Play, key: str) -> None:
    play(f"{key} crash\n" + T4.replace("count 1", "count 2") + SECOND)
    answer = ask()
    assert isinstance(answer, dict)
    assert answer["ended"] == "crashed: ended by SIGSEGV"
    first, second = devices(answer)
    assert {name: first[name] for name in FIRST_WORDS} == FIRST_WORDS
    assert (second["name"], second["pci_bus_id"]) == ("Quadro", "00000000:00:05.0")


def test_a_hang_in_a_late_call_keeps_what_every_card_said_before(play: Play) -> None:
    play(T4.replace("count 1", "count 2") + SECOND + "0.link.0 hang\n")
    answer = ask(timeout_s=3)
    assert isinstance(answer, dict)
    first, second = devices(answer)
    without_links = {name: said for name, said in T4_ANSWER.items() if name != "links"}
    assert (first, second["name"]) == (without_links, "Quadro")
    assert answer["ended"] == "timed-out: no answer within 3 s"


def test_links_and_the_ways_between_cards_are_told(play: Play) -> None:
    links = "0.link.0 00000000:00:05.0\n0.link.1 down\n0.link.2 00000000:00:05.0\n"
    play(
        T4.replace("count 1", "count 2") + SECOND + links
        + "0.gsp 550.54.15\n0-1.ancestor 50\n0-1.p2p 0\n"
    )  # fmt: skip
    answer = ask()
    first, second = devices(answer)
    assert first["links"] == ["00000000:00:05.0", "00000000:00:05.0"]
    assert (first["gsp_firmware"], second["links"]) == ("550.54.15", NO_SUPPORT)
    assert isinstance(answer, dict)
    assert answer["topology"] == [[0, 1, 50, 0]]


def test_a_text_without_an_end_is_read_no_further_than_its_buffer(play: Play) -> None:
    play(T4.replace("Tesla T4", "unterminated").replace("550.54.15", "unterminated"))
    answer = ask()
    assert isinstance(answer, dict)
    assert answer["driver_version"] == "A" * 80
    assert devices(answer)[0]["name"] == "A" * 96


def test_numbers_out_of_all_reason_are_passed_on_as_they_are(play: Play) -> None:
    garbage = T4.replace("0.capability 7 5", "0.capability 4294967295 77")
    play(garbage.replace("70000", "4294967295").replace("0.ecc 1 1", "0.ecc 7 9"))
    (device,) = devices(ask())
    assert device["compute_capability"] == [-1, 77]
    assert (device["power_limit_mw"], device["ecc"]) == (4294967295, [7, 9])


def test_a_mig_card_whose_instances_this_user_may_not_ask_keeps_the_refusal(play: Play) -> None:
    play(T4 + "0.mig 1 1\n0.max_mig 2\n0.m0.name !4\n0.m1.name !4\n")
    (device,) = devices(ask())
    refused = {"error": "NVML_ERROR_NO_PERMISSION"}
    assert device["slices"] == [refused, refused]


def test_text_that_is_no_text_costs_its_field_alone(play: Play) -> None:
    play(T4.replace("Tesla T4", "\\xff\\xfe").replace("550.54.15", "\\xc3\\x28"))
    answer = ask()
    assert isinstance(answer, dict)
    assert answer["driver_version"] == {"error": "UNDECODABLE"}
    assert devices(answer) == [{**T4_ANSWER, "name": {"error": "UNDECODABLE"}}]


def test_a_card_without_a_handle_keeps_its_error(play: Play) -> None:
    play(T4 + "0.handle !15\n")
    assert devices(ask()) == [{"error": "NVML_ERROR_GPU_IS_LOST"}]


def test_a_nonsense_count_starts_no_endless_loop(play: Play) -> None:
    play(T4.replace("count 1", "count 4294967295"))
    answer = ask()
    assert isinstance(answer, dict)
    assert (answer["count"], answer["devices"]) == (4294967295, [])


def test_the_parent_never_loads_the_library(play: Play) -> None:
    play(T4)
    assert isinstance(ask(), dict)
    assert "libnvidia-ml" not in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_nobody_is_asked_where_there_is_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    assert ask() == Unknown(Reason.NOT_SUPPORTED, "no interpreter to ask NVML with")


def test_an_interpreter_that_cannot_start_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ask() == Unknown(
        Reason.CRASHED,
        "NVML could not be asked: [Errno 2] No such file or directory: '/nowhere/python'",
    )


def test_a_child_that_ends_without_its_last_line_has_crashed() -> None:
    line = json.dumps({"driver_version": "1.0", "cuda_driver_version": 12040}).encode()
    assert gather(line + b"\n", None) == {
        "driver_version": "1.0",
        "cuda_driver_version": 12040,
        "devices": [],
        "ended": "crashed: NVML's process ended without its answer",
    }
    assert gather(b"", None) == Unknown(
        Reason.CRASHED, "NVML: NVML's process ended without its answer"
    )


@given(st.binary(), st.sampled_from([None, "crashed: ended by SIGSEGV", "timed-out: 10 s"]))
def test_no_output_of_the_child_raises(output: bytes, ended: str | None) -> None:
    found = gather(output, ended)
    assert isinstance(found, (dict, Unknown))
