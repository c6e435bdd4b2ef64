"""RUN: what a recorded run needed, against what is there."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Memory, replace
from tests.rules.machines import RUN, T4, UNSEEN, device, gpu, judged, machine, missing, told, well


def ran(**changes: object) -> Manifest:
    return machine(run=replace(RUN, **changes))


@pytest.mark.parametrize(
    ("mib", "expected"),
    [
        (18000, []),
        (17999, [("degrades", "the run held 18000 MiB on a GPU; here is 17999 MiB")]),
        (15360, [("degrades", "the run held 18 GiB on a GPU; here is 15 GiB")]),
    ],
)
def test_the_recorded_peak_is_held_against_the_gpus_memory(
    mib: int, expected: list[tuple[str, str]]
) -> None:
    found = machine(gpu=gpu(device(memory_mib=mib)))
    assert told(judged("RUN001", ran(), found)) == expected


def test_the_largest_gpu_counts() -> None:
    assert told(judged("RUN001", ran(), machine(gpu=gpu(T4, device())))) == []


def test_what_was_recorded_replaces_the_guess_by_the_wanted_gpus_size() -> None:
    found = machine(gpu=gpu(device(memory_mib=24576)))
    assert told(judged("GPU005", machine(), found)) == [("degrades", "40 GiB -> 24 GiB")]
    assert told(judged("GPU005", ran(), found)) == []
    assert told(judged("RUN001", ran(), found)) == []


def test_a_run_that_held_no_gpu_memory_replaces_nothing() -> None:
    found = machine(gpu=gpu(device(memory_mib=24576)))
    assert told(judged("GPU005", ran(gpu_peaks=()), found)) == [("degrades", "40 GiB -> 24 GiB")]
    assert told(judged("RUN001", ran(gpu_peaks=()), found)) == []


def test_a_peak_or_a_memory_that_was_not_seen_is_not_checked() -> None:
    found = machine(gpu=gpu(device(memory_mib=UNSEEN)))
    assert missing(judged("RUN001", ran(), found)) == [
        ("found gpu.devices[0].memory_mib", "no-permission: for a test")
    ]
    for code in ("RUN001", "GPU005"):
        assert missing(judged(code, ran(gpu_peaks=UNSEEN), machine())) == [
            ("wanted run.gpu_peaks", "no-permission: for a test")
        ]


def test_the_machines_memory_is_held_against_the_runs_peak() -> None:
    assert told(judged("RUN002", ran(), machine())) == []
    small = machine(memory=Memory(total_mib=16384, swap_mib=0))
    assert told(judged("RUN002", ran(), small)) == [
        ("degrades", "the run held 29 GiB; here is 16 GiB")
    ]
    assert told(judged("RUN002", machine(), small)) == []
    assert missing(judged("RUN002", ran(peak_memory_mib=UNSEEN), small)) == [
        ("wanted run.peak_memory_mib", "no-permission: for a test")
    ]


def test_a_run_that_failed_is_a_note() -> None:
    assert told(well("RUN003", ran(exit_status=137))) == [("note", "it ended with exit status 137")]
    assert told(well("RUN003", ran())) == []
    assert told(well("RUN003", machine())) == []
    assert missing(well("RUN003", machine(run=UNSEEN))) == [("run", "no-permission: for a test")]
