"""The health lines at the end of a capture."""

from __future__ import annotations

from envsnap.reports.health import health_lines
from envsnap.rules import health
from envsnap.sections import Reason, Unknown, replace
from tests.rules.machines import TORCH, UNSEEN, device, driver, gpu, machine, packages

JUDGED = len(health(machine()).judged)


def test_a_well_machine_is_one_line() -> None:
    assert JUDGED >= 20
    assert health_lines(health(machine()), 80) == [
        f"  Healthy    {JUDGED} rules on driver, GPU code and libraries found nothing"
    ]


def test_what_could_not_be_judged_is_counted() -> None:
    unseen = machine(gpu=gpu(device(), hidden=UNSEEN))
    assert health_lines(health(unseen), 80) == [
        f"  Healthy    {JUDGED - 1} rules on driver, GPU code and libraries found nothing, 1 could",
        "             not be judged",
    ]


def test_what_is_wrong_is_told_the_worst_first_with_its_remedy() -> None:
    ill = machine(
        gpu=gpu(device(), driver=driver(kernel_module="535.129.03")),
        packages=packages(replace(TORCH, version="2.5.1+cpu")),
    )
    assert health_lines(health(ill), 80) == [
        "  Unwell     kernel module 535.129.03, libraries 550.54.14: CUDA refuses to",
        "             start until module and libraries are of one version again (DRV004)",
        "             -> reboot, or load the new module",
        "  Note       torch 2.5.1+cpu is built without CUDA, beside A100-SXM4-40GB:",
        "             PyTorch computes on the processor, and the GPU stays idle (GPU012)",
        "             -> install a build with CUDA from PyTorch's own index",
    ]


def test_where_most_could_not_be_judged_nothing_is_called_healthy() -> None:
    hangs = Unknown(Reason.NO_PERMISSION, "for a test")
    unseen = machine(gpu=gpu(devices=hangs, visible=hangs, hidden=hangs, driver=hangs),
                     packages=UNSEEN, cuda=UNSEEN)  # fmt: skip
    told = " ".join(" ".join(health_lines(health(unseen), 80)).split())
    assert told.startswith("Health nothing wrong in what ")
    assert " rules saw; too little to tell: " in told
