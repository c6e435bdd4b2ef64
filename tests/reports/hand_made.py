"""Answers and a machine made by hand, so that a report's every word is known beforehand."""

from __future__ import annotations

from envsnap.facts import Source
from envsnap.manifest import Manifest
from envsnap.reports._sides import Sides
from envsnap.rules import (
    Checked,
    CheckOptions,
    Condition,
    Excuse,
    Finding,
    Level,
    NotChecked,
    Outcome,
    Report,
    Scope,
)
from envsnap.sections import Reason, Unknown
from tests import made
from tests.rules.machines import DEEP_LEARNING, cpu, device, driver, gpu, machine, packages

SOURCE = Source(title="A guide", url="https://docs.example/guide#part", date="2026-11-21")
BY_READER = Excuse("reader", "the cluster is mixed", "2099-12-31")
BY_AUTHOR = Excuse("author", "tried on both")
JUDGED = ("CPU001", "CPU004", "DRV001", "GPU003", "GPU005", "SYS007", "PKG001")

BLOCKS = Finding(
    code="DRV001", subject="driver", outcome=Outcome.BLOCKS, scope=Scope.BOTH,
    what="CUDA 12.4 needs driver 525.60.13; here is 515.65.01", why="CUDA does not start",
    remedy="a driver of 525.60.13 or newer", source=SOURCE, wanted="525.60.13",
    found="515.65.01", lowers=Level.DOES_NOT_RUN,
)  # fmt: skip
LIMIT = Finding(
    code="GPU005", subject="GPU memory", outcome=Outcome.DEGRADES, scope=Scope.BOTH,
    what="24 GiB -> 15 GiB", why="What filled the wanted GPU's memory does not fit",
    remedy="a smaller batch, or a GPU with 24 GiB", source=SOURCE, lowers=Level.STATISTICAL,
)  # fmt: skip
DIGITS = Finding(
    code="CPU001", subject="CPU", outcome=Outcome.NUMERICS, scope=Scope.BOTH,
    what="zen4 -> cascadelake", why="NumPy takes other kernels, which add in another order",
    remedy=None, source=SOURCE, wanted="zen4", found="cascadelake", lowers=Level.STATISTICAL,
)  # fmt: skip
NOTE = Finding(
    code="SYS007", subject="kernel", outcome=Outcome.NOTE, scope=Scope.BOTH,
    what="6.1.0 -> 6.8.0", why="Linux keeps its promises to programs", remedy=None,
    source=SOURCE,
)  # fmt: skip
OPEN = NotChecked(
    code="GPU003", path="found gpu.devices", reason=Unknown(Reason.NO_PERMISSION, "for a test"),
    worst=Outcome.NUMERICS, scope=Scope.BOTH, lowers=Level.STATISTICAL,
)  # fmt: skip
SEEDS = Condition("ENV010", "the seeds were not recorded", None, "state the seeds")
LOWERING = Condition(
    "ENV002", "no deterministic cuBLAS", Level.STATISTICAL, "export CUBLAS_WORKSPACE_CONFIG=:4096:8"
)

RTX = device(
    "NVIDIA GeForce RTX 4090", compute_capability="8.9", multiprocessors=128, memory_mib=24564,
    mig=None,
)  # fmt: skip
STUDENT = machine(
    packages=packages(*DEEP_LEARNING, *(made.package(f"p{n}", "1.0") for n in range(375))),
    os=made.linux(distribution="ubuntu", distribution_version="22.04", libc_version="2.35"),
    cpu=cpu(microarchitecture="zen4", threads=32),
    gpu=gpu(RTX, driver=driver("550.144.03")),
)


def checked(
    *findings: Finding,
    left: tuple[NotChecked, ...] = (),
    conditions: tuple[Condition, ...] = (),
    options: CheckOptions | None = None,
    accepted_left: tuple[str, ...] = (),
) -> Checked:
    """The answer with these findings; the rules of `JUDGED` came to an end, but for the left."""
    open_codes = {each.code for each in left}
    report = Report(
        findings=findings, not_checked=left, conditions=conditions,
        judged={code: Scope.BOTH for code in JUDGED if code not in open_codes},
        ignored=dict((options or CheckOptions()).ignore),
    )  # fmt: skip
    return Checked(
        report=report, scope=Scope.NATIVE, chosen="7 of 7 packages are installed there",
        options=options or CheckOptions(), is_set_up=True,
        accepted_left=accepted_left,
    )  # fmt: skip


def sides(found_name: str = "this machine", wanted: Manifest | None = None) -> Sides:
    return Sides(wanted or machine(), "paper.json", machine(), found_name)
