"""Machines as they are, and environments that were captured on an A100: what check says.

Each row was read against NVIDIA's and AMD's documents by hand. The container's verdict is asked
for, which rests on the machine alone; packages are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from envsnap._check import CheckOptions, check
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest
from envsnap.rules import Outcome, Scope, Verdict, health
from envsnap.sections import Gpu, GpuCode, replace
from tests import made
from tests.rules.machines import AMD, RUN, TORCH_TAGS, device, gpu, machine, packages
from tests.rules.test_library_code import code
from tests.test_hosts import captured

OPTIONS = CheckOptions(scope=Scope.CONTAINER, select=("GPU", "DRV", "RUN"))
A100 = device("NVIDIA A100-SXM4-80GB", memory_mib=81920)


def of(*installed: tuple[str, str], **sections: object) -> Manifest:
    """An environment with these packages, captured on one A100 of 80 GB."""
    found = [made.package(name, version, tags=TORCH_TAGS) for name, version in installed]
    return machine(**{"packages": packages(*found), "gpu": gpu(A100), **sections})


CUDA_12_8 = of(("torch", "2.8.0+cu128"))
ENVIRONMENTS = {
    "cu126": of(("torch", "2.8.0+cu126")),
    "cu128": CUDA_12_8,
    "cu130": of(("torch", "2.9.0+cu130")),
    "tensorflow": of(("tensorflow", "2.18.0"), ("nvidia-cuda-runtime-cu12", "12.5.82")),
    "jax13": of(("jax-cuda13-plugin", "0.8.0"), ("nvidia-cuda-runtime", "13.0.48")),
    "ptx": of(
        ("torch", "2.8.0+cu128"),
        gpu_code=GpuCode(files=(code(sass=("sm_80",), ptx=("compute_75",)),)),
    ),
    "rocm": of(
        ("torch", "2.8.0+rocm6.4"),
        gpu=gpu(replace(AMD, architecture="gfx90a"), kind="amd", driver=None),
        gpu_code=GpuCode(files=(code(amd=("gfx90a", "gfx942")),)),
    ),
    "gfx90a": of(
        ("torch", "2.8.0+rocm6.4"),
        gpu=gpu(replace(AMD, architecture="gfx90a"), kind="amd", driver=None),
        gpu_code=GpuCode(files=(code(amd=("gfx90a",)),)),
    ),
    "peak": replace(CUDA_12_8, sections={**CUDA_12_8.sections, "run": RUN}),
}
"""`ptx`: code for the A100 and PTX of CUDA 12.8; `peak`: a run that held 18 GiB of it."""

VERDICTS = {
    "RUNS": Verdict.RUNS, "LIMITS": Verdict.LIMITS, "NO": Verdict.WILL_NOT_RUN,
    "OPEN": Verdict.CANNOT_TELL,
}  # fmt: skip
TABLE = """\
rocky-a100-mig-one-named-slice
  cu126 cu128 ptx: LIMITS 1 GPU004 GPU005 GPU018
  tensorflow: LIMITS 1 GPU004 GPU005
  cu130: NO 1 DRV001 GPU004 GPU005 GPU018
  jax13: NO 1 DRV001 GPU004 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: RUNS 1 GPU004 GPU018
rocky-a100-mig-none-named
  cu126 cu128 ptx: LIMITS 1 GPU004 GPU005 GPU018
  tensorflow: LIMITS 1 GPU004 GPU005
  cu130: NO 1 DRV001 GPU004 GPU005 GPU018
  jax13: NO 1 DRV001 GPU004 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: RUNS 1 GPU004 GPU018
ubuntu-a100-vgpu-guest
  cu126 cu128 tensorflow ptx: LIMITS 1 GPU005
  cu130 jax13: NO 1 DRV001 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: LIMITS 1 RUN001
rocky-h100-pcie
  cu126 cu128 peak: RUNS 1 GPU003 GPU004 GPU018
  tensorflow: RUNS 1 GPU003 GPU004
  cu130: NO 1 DRV001 GPU003 GPU004 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004
  ptx: NO 1 GPU003 GPU004 GPU009 GPU018
  rocm gfx90a: NO 1 GPU001
ubuntu-h100-sxm-two-over-nvswitch
  cu126 cu128 peak: RUNS 1 GPU003 GPU004 GPU018
  tensorflow: RUNS 1 GPU003 GPU004
  cu130: NO 1 DRV001 GPU003 GPU004 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004
  ptx: NO 1 GPU003 GPU004 GPU009 GPU018
  rocm gfx90a: NO 1 GPU001
ubuntu-h200-passed-through
  cu126 cu128 ptx peak: RUNS 1 GPU003 GPU004 GPU018
  tensorflow: RUNS 1 GPU003 GPU004
  cu130: NO 1 DRV001 GPU003 GPU004 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004
  rocm gfx90a: NO 1 GPU001
ubuntu-rtx4090-wsl2-with-memory-checks-off
  cu126 cu128 ptx: LIMITS 1 GPU003 GPU004 GPU005 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005
  cu130: OPEN 1 GPU003 GPU004 GPU005 GPU018
  jax13: OPEN 1 GPU003 GPU004 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: RUNS 1 GPU003 GPU004 GPU018
ubuntu-t4-healthy
  cu126 cu128: LIMITS 1 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005 GPU007 GPU013
  cu130: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007
  ptx: NO 1 GPU003 GPU004 GPU005 GPU007 GPU009 GPU013 GPU018
  rocm gfx90a: NO 1 GPU001
  peak: LIMITS 1 GPU003 GPU004 GPU007 GPU013 GPU018 RUN001
ubuntu-t4-container-given-one-of-two
  cu126 cu128: LIMITS 1 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005 GPU007 GPU013
  cu130: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007
  ptx: NO 1 GPU003 GPU004 GPU005 GPU007 GPU009 GPU013 GPU018
  rocm gfx90a: NO 1 GPU001
  peak: LIMITS 1 GPU003 GPU004 GPU007 GPU013 GPU018 RUN001
ubuntu-t4-container-without-its-gpu
  cu126 cu128 tensorflow ptx rocm gfx90a peak: NO 1 GPU001
  cu130 jax13: NO 1 DRV001 GPU001
rocky-v100-driver-515
  cu126 cu128: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  tensorflow: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007 GPU013
  cu130: NO 1 DRV001 GPU002 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007 GPU016
  ptx: NO 1 DRV001 GPU003 GPU004 GPU005 GPU007 GPU009 GPU013 GPU018
  rocm gfx90a: NO 1 GPU001
  peak: NO 1 DRV001 GPU003 GPU004 GPU007 GPU013 GPU018
rocky-v100-driver-580
  cu126 cu128: LIMITS 1 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005 GPU007 GPU013
  cu130: NO 1 GPU002 GPU003 GPU004 GPU005 GPU007 GPU013 GPU018
  jax13: NO 1 GPU003 GPU004 GPU005 GPU007 GPU016
  ptx: NO 1 GPU003 GPU004 GPU005 GPU007 GPU009 GPU013 GPU018
  rocm gfx90a: NO 1 GPU001
  peak: LIMITS 1 GPU003 GPU004 GPU007 GPU013 GPU018
ubuntu-b200-open-module
  cu126: NO 1 GPU002 GPU003 GPU004 GPU018
  cu128 ptx peak: RUNS 1 GPU003 GPU004 GPU018
  tensorflow: RUNS 1 GPU003 GPU004
  cu130: NO 1 DRV001 GPU003 GPU004 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004
  rocm gfx90a: NO 1 GPU001
ubuntu-orin-jetson
  cu126 cu128 peak: NO 1 GPU002 GPU003
  cu130: NO 1 DRV001 GPU002 GPU003
  tensorflow ptx: OPEN 1 GPU003
  jax13: NO 1 DRV001 GPU003
  rocm gfx90a: NO 1 GPU001
ubuntu-mi300x-rocm-one-of-two
  cu126 cu128 cu130 tensorflow jax13 ptx peak: NO 1 GPU001
  rocm: RUNS 1 GPU018 GPU020
  gfx90a: NO 1 GPU009 GPU018 GPU020
rocky-a100-a40-eight-of-two-models
  cu126 cu128 ptx: LIMITS 1 GPU003 GPU004 GPU005 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005
  cu130: NO 1 DRV001 GPU003 GPU004 GPU005 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: RUNS 1 GPU003 GPU004 GPU018
rocky-a100-slurm-gave-one-of-four
  cu126 cu128 tensorflow ptx peak: RUNS 0
  cu130 jax13: NO 1 DRV001
  rocm gfx90a: NO 1 GPU001
ubuntu-l40s-hidden-by-cuda-visible-devices
  cu126 cu128 ptx: LIMITS 1 GPU003 GPU004 GPU005 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005
  cu130: NO 1 DRV001 GPU003 GPU004 GPU005 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: RUNS 1 GPU003 GPU004 GPU018
ubuntu-a100-cuda-compat
  cu126 cu128 tensorflow ptx peak: RUNS 0
  cu130 jax13: NO 1 DRV009
  rocm gfx90a: NO 1 GPU001
ubuntu-a100-cuda-compat-elsewhere
  cu126 cu128 tensorflow ptx peak: RUNS 0
  cu130 jax13: NO 1 DRV009
  rocm gfx90a: NO 1 GPU001
ubuntu-rtx3090-cuda-compat
  cu126 cu128 ptx: LIMITS 1 GPU003 GPU004 GPU005 GPU018
  tensorflow: LIMITS 1 GPU003 GPU004 GPU005
  cu130: NO 1 DRV001 GPU003 GPU004 GPU005 GPU018
  jax13: NO 1 DRV001 GPU003 GPU004 GPU005
  rocm gfx90a: NO 1 GPU001
  peak: RUNS 1 GPU003 GPU004 GPU018
ubuntu-rtx3090-driver-upgraded-not-rebooted
  cu126 cu128 cu130 tensorflow jax13 ptx rocm gfx90a peak: NO 1 DRV004 GPU001
ubuntu-h100-nvml-hangs
  cu126 cu128 tensorflow ptx peak: OPEN 1 DRV012
  cu130 jax13: NO 1 DRV001 DRV012
  rocm gfx90a: NO 1 DRV012 GPU001
ubuntu-h100-nvml-crashes-over-the-second
  cu126 cu128 tensorflow ptx peak: OPEN 1 DRV012
  cu130 jax13: NO 1 DRV001 DRV012
  rocm gfx90a: NO 1 DRV012 GPU001
ubuntu-h100-nvml-lies
  cu126 cu128 tensorflow ptx peak: OPEN 4
  cu130 jax13: NO 1 DRV001
  rocm gfx90a: NO 1 GPU001
rocky-a100-nvml-cannot-be-loaded
  cu126 cu128 tensorflow ptx peak: OPEN 4
  cu130 jax13: NO 1 DRV001
  rocm gfx90a: NO 1 GPU001
ubuntu-t4-broken-nvidia-smi
  cu126 cu128 cu130 tensorflow jax13 ptx rocm gfx90a peak: NO 1 DRV005 GPU001
"""
"""A machine; below it environments: their verdict, exit code, and what reaches numerics."""


class Row(NamedTuple):
    """What check is to say of one environment on one machine."""

    host: str
    environment: str
    verdict: Verdict
    exit_code: int
    codes: tuple[str, ...]


def table() -> Iterator[Row]:
    host = ""
    for line in TABLE.splitlines():
        names, _, expected = line.partition(":")
        if not expected:
            host = line
            continue
        verdict, exit_code, *codes = expected.split()
        for name in names.split():
            yield Row(host, name, VERDICTS[verdict], int(exit_code), tuple(codes))


@cache
def found(name: str) -> Manifest:
    return captured(Path(__file__).parent / "hosts" / name)[0]


@pytest.mark.parametrize("row", list(table()), ids=lambda row: f"{row.environment}-on-{row.host}")
def test_check_says_what_becomes_of_an_environment_on_a_machine(row: Row) -> None:
    checked = check(ENVIRONMENTS[row.environment], found(row.host), OPTIONS)
    reached = [
        each.code
        for each in checked.report.findings_of(Scope.CONTAINER)
        if each.outcome.reaches(Outcome.NUMERICS)
    ]
    assert (checked.verdict, checked.exit_code, tuple(sorted(reached))) == (
        row.verdict, ExitCode(row.exit_code), row.codes,
    )  # fmt: skip


def test_every_environment_meets_every_machine_of_the_table() -> None:
    hosts = {row.host for row in table()}
    assert len(hosts) >= 20
    assert {(row.host, row.environment) for row in table()} == {
        (host, environment) for host in hosts for environment in ENVIRONMENTS
    }


def on_one_of(host: str) -> Manifest:
    """PyTorch, captured on the first GPU of a machine."""
    seen = found(host).section(Gpu)
    assert isinstance(seen, Gpu)
    return of(("torch", "2.8.0+cu128"), gpu=replace(seen, visible=(0,), hidden=None))


@pytest.mark.parametrize(
    ("wanted", "here", "told"),
    [
        ("ubuntu-h100-sxm-two-over-nvswitch", "rocky-h100-pcie",
         [("numerics", "132 -> 114 multiprocessors")]),
        ("rocky-h100-pcie", "ubuntu-h100-sxm-two-over-nvswitch",
         [("numerics", "114 -> 132 multiprocessors"), ("note", "1 -> 2 GPUs")]),
        ("ubuntu-h100-sxm-two-over-nvswitch", "ubuntu-h200-passed-through", []),
        ("ubuntu-h200-passed-through", "ubuntu-h100-sxm-two-over-nvswitch",
         [("degrades", "140 GiB -> 80 GiB"), ("note", "1 -> 2 GPUs")]),
        ("ubuntu-t4-healthy", "ubuntu-t4-healthy", []),
    ],
)  # fmt: skip
def test_the_forms_of_one_architecture_differ_in_size_and_memory_alone(
    wanted: str, here: str, told: list[tuple[str, str]]
) -> None:
    checked = check(on_one_of(wanted), found(here), OPTIONS._replace(select=("GPU00",)))
    findings = checked.report.findings_of(Scope.CONTAINER)
    assert [(str(each.outcome), each.what) for each in findings] == told


@pytest.mark.parametrize(
    ("host", "codes"),
    [
        ("ubuntu-t4-healthy", []),
        ("ubuntu-a100-cuda-compat", []),
        ("ubuntu-a100-cuda-compat-elsewhere", []),
        ("ubuntu-rtx3090-cuda-compat", ["DRV008"]),
        ("ubuntu-a100-vgpu-guest", []),
        ("rocky-a100-mig-none-named", ["GPU010"]),
        ("ubuntu-b200-open-module", []),
        ("rocky-a100-a40-eight-of-two-models", ["GPU010"]),
        ("ubuntu-l40s-hidden-by-cuda-visible-devices", ["GPU010"]),
        ("ubuntu-t4-container-without-its-gpu", ["GPU010"]),
        ("ubuntu-rtx3090-driver-upgraded-not-rebooted", ["DRV004", "GPU010"]),
        ("ubuntu-t4-broken-nvidia-smi", ["DRV005", "GPU010"]),
    ],
)
def test_what_ails_a_machine_is_told_without_another_to_compare(
    host: str, codes: list[str]
) -> None:
    found_ill = [each.code for each in health(found(host)).findings]
    assert sorted(each for each in found_ill if each.startswith(("DRV", "GPU"))) == codes


@pytest.mark.parametrize(
    "host", ["ubuntu-h100-nvml-hangs", "ubuntu-h100-nvml-lies", "rocky-a100-nvml-cannot-be-loaded"]
)
def test_a_driver_that_does_not_answer_is_no_gpu_and_no_healthy_one(host: str) -> None:
    report = health(found(host))
    assert {each.code for each in report.findings if each.code.startswith("GPU")} == set()
    assert {each.code for each in report.not_checked} & {"DRV003", "GPU011"}
