"""What was seen of a command, joined with the machine that it ran on."""

from __future__ import annotations

import pytest

from envsnap._run import Watched, python_of, seen
from envsnap.host import RecordedHost
from envsnap.probes import Look, Options
from envsnap.sections import Fact, Gpu, GpuPeak, Reason, Unknown, replace
from tests.probes.gpus import NONE, two_kinds
from tests.probes.gpus import gpu as gpu_of

MIB = 1024 * 1024
LATE = Unknown(Reason.TIMED_OUT, "the command ended before NVML answered")
NO_PYTHON = Unknown(Reason.NOT_ASKED, "no interpreter in this test")
WATCHED = Watched(
    status=0, wall_ms=1200, peak_mib=300, gpu_bytes={}, by_change=False, libraries=(),
    programs=("/home/ann/tool", "/usr/bin/git", "/data/ann/x"), imported=NO_PYTHON, python=None,
    pythons=(), left=0, sampled_ms=50,
)  # fmt: skip


def look(gpu: Fact[Gpu]) -> Look:
    host = RecordedHost.made(files={}, absent_below=["/"], home="/home/ann", cwd="/home/ann")
    return Look(host=host, options=Options(), have={"gpu": gpu}, environment=lambda: NO_PYTHON)


def peaks(gpu: Fact[Gpu], told: object) -> object:
    watched = WATCHED._replace(gpu_bytes=told)  # type: ignore[arg-type]  # each test's own
    return seen(["/usr/bin/git"], watched)(look(gpu)).gpu_peaks


def test_programs_are_anchored_and_sorted() -> None:
    run = seen(["/home/ann/tool", "--token=secret"], WATCHED)(look(NONE))
    assert (run.program, run.programs) == (
        "{home}/tool", ("/usr/bin/git", "{home}/tool", "{other}/x"),
    )  # fmt: skip


def test_peaks_are_joined_by_the_pci_address_and_rounded_up() -> None:
    gpu = gpu_of(two_kinds())
    assert not isinstance(gpu.devices, Unknown)
    last = len(gpu.devices) - 1
    written = f"0000{gpu.devices[last].pci_bus_id}".upper()
    assert peaks(gpu, {written: 5 * MIB + 1, "00000000:99:00.0": 7}) == (
        GpuPeak(device=last, memory_mib=6),
    )


def test_without_a_gpu_there_is_no_peak_whatever_nvml_says() -> None:
    assert peaks(NONE, LATE) == ()


def test_what_nvml_did_not_say_is_unknown_where_there_is_a_gpu() -> None:
    assert peaks(gpu_of(two_kinds()), LATE) == LATE


def test_another_vendor_s_cards_are_not_looked_at() -> None:
    gpu = gpu_of(two_kinds())
    assert not isinstance(gpu.devices, Unknown)
    amd = replace(gpu, devices=tuple(replace(each, vendor="amd") for each in gpu.devices))
    assert peaks(amd, LATE) == Unknown(
        Reason.NOT_SUPPORTED, "the memory of NVIDIA's GPUs alone is looked at"
    )


def test_a_machine_whose_gpus_are_unknown_costs_the_peaks_alone() -> None:
    why = Unknown(Reason.CRASHED, "ValueError")
    run = seen(["/usr/bin/git"], WATCHED)(look(why))
    assert (run.gpu_peaks, run.peak_memory_mib, run.wall_ms) == (why, 300, 1200)


@pytest.mark.parametrize(
    ("word", "told", "chosen"),
    [
        ("/opt/python3.12", "/env/bin/python", "/env/bin/python"),
        ("no-such-python3", None, None),
        ("sh", None, None),
    ],
)
def test_the_python_is_the_one_that_told(word: str, told: str | None, chosen: str | None) -> None:
    assert python_of([word], WATCHED._replace(python=told)) == chosen
