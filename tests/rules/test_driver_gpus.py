"""Which GPUs a driver drives: from its branch's number, unless it is seen to drive them."""

from __future__ import annotations

import pytest

from envsnap.sections import Device, ForwardCompatibility, replace
from tests.rules.machines import device, driver, gpu, judged, machine, missing, told

RTX_5090 = device("NVIDIA GeForce RTX 5090", compute_capability="12.0", shown_by=("pci",))
H200 = device("NVIDIA H200", compute_capability="9.0", shown_by=("pci",))


@pytest.mark.parametrize(
    ("card", "version", "kind", "first"),
    [
        (RTX_5090, "535.183.01", "blackwell GPUs (sm_120)", "R570"),
        (RTX_5090, "565.57.01", "blackwell GPUs (sm_120)", "R570"),
        (RTX_5090, "570.86.16", None, None),
        (H200, "515.105.01", "hopper GPUs (sm_90)", "R520"),
        (H200, "525.60.13", None, None),
        (device(shown_by=("pci",)), "440.33.01", "ampere GPUs (sm_80)", "R450"),
    ],
)
def test_a_branch_from_before_the_gpu_blocks(
    card: Device, version: str, kind: str | None, first: str | None
) -> None:
    found = machine(gpu=gpu(card, driver=driver(version)))
    says = f"driver {version} does not drive {kind} yet; the first branch that does is {first}"
    assert told(judged("DRV011", machine(), found)) == ([("blocks", says)] if kind else [])


def test_forward_compatibility_does_not_teach_the_kernel_module_a_gpu() -> None:
    compat = ForwardCompatibility(
        version="590.44.01", cuda="13.1", drivers=(535,), found_first=True, used=True,
        location="/usr/local/cuda/compat/libcuda.so.590.44.01",
    )  # fmt: skip
    b200 = device("NVIDIA B200", compute_capability="10.0", shown_by=("pci",))
    found = machine(gpu=gpu(b200, driver=driver("535.183.01", compat=compat)))
    assert [outcome for outcome, _ in told(judged("DRV011", machine(), found))] == ["blocks"]


@pytest.mark.parametrize("code", ["DRV003", "DRV011"])
def test_a_gpu_that_the_driver_shows_is_driven_whatever_the_tables_say(code: str) -> None:
    for card, version in ((RTX_5090, "535.183.01"), (device(compute_capability="13.0"), "999.1")):
        shown = replace(card, shown_by=("nvml", "pci"))
        report = judged(code, machine(), machine(gpu=gpu(shown, driver=driver(version))))
        assert (told(report), missing(report)) == ([], [])


def test_a_driver_that_came_after_the_tables_is_not_checked_unless_it_shows_the_gpu() -> None:
    card = device(shown_by=("pci",))
    report = judged("DRV003", machine(), machine(gpu=gpu(card, driver=driver("999.1.1"))))
    assert missing(report) == [
        ("found gpu.driver.version",
         "not-supported: Driver 999.1.1 is newer than facts of 2026-11-21")
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["DRV003", "DRV011"])
def test_a_gpu_that_came_after_the_tables_is_not_checked_unless_it_is_shown(code: str) -> None:
    card = device(compute_capability="13.0", shown_by=("pci",))
    assert missing(judged(code, machine(), machine(gpu=gpu(card)))) == [
        ("found gpu.devices[0].compute_capability",
         "not-supported: Compute capability 13.0 is newer than facts of 2026-11-21")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("560.35.03", "A newer driver runs what was built for an older one"),
        ("535.183.01", "An older driver: CUDA 12 asks for 525.60.13, so 535.183.01 is enough"),
        ("515.65.01", "An older driver: CUDA 12 asks for 525.60.13"),
    ],
)
def test_another_driver_is_argued_by_its_direction(version: str, why: str) -> None:
    report = judged("DRV006", machine(), machine(gpu=gpu(device(), driver=driver(version))))
    assert [each.why for each in report.findings] == [why]
