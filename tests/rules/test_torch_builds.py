"""Whose build of PyTorch it is, and for which machine, where a list of packages does not say it."""

from __future__ import annotations

import pytest

from envsnap._import import imported, read
from envsnap.imports import Text
from envsnap.manifest import Manifest
from envsnap.rules import Report, Scope, Verdict, compare, health
from envsnap.sections import Fact, Origin, Package, Python
from tests import made
from tests.rules.machines import (
    RUNTIME,
    TORCH_TAGS,
    UNSEEN,
    device,
    driver,
    gpu,
    judged,
    machine,
    missing,
    packages,
    told,
)

RTX_5090 = gpu(device("NVIDIA GeForce RTX 5090", compute_capability="12.0"))
V100 = gpu(device("Tesla V100-SXM2-16GB", compute_capability="7.0"))
TO_HOPPER = "sm_50, sm_60, sm_70, sm_75, sm_80, sm_86, sm_90"
NO_CODE = f"torch 2.5.1+cu121 has no code for GeForce RTX 5090 (sm_120), only for {TO_HOPPER}"
WHOSE = "not-supported: whose build of PyTorch it is, and for which CUDA, is not told"
SMI = """\
| NVIDIA-SMI 570.124.06             Driver Version: 570.124.06     CUDA Version: 12.8     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|                                         |                        |               MIG M. |
|=========================================+========================+======================|
|   0  NVIDIA GeForce RTX 5090        Off |   00000000:01:00.0 Off |                  N/A |
|  0%   35C    P8             15W /  575W |       1MiB /  32607MiB |      0%      Default |
|                                         |                        |                  N/A |
+-----------------------------------------+------------------------+----------------------+
"""
PIP = """\
Package    Version
---------- -----------
numpy      1.26.4
torch      2.5.1+cu121
"""


def torch(version: str, kind: str = "unknown") -> Package:
    return made.package("torch", version, tags=TORCH_TAGS, origin=Origin(kind=kind))


def having(*found: Package, **sections: object) -> Manifest:
    return machine(packages=packages(*found), **sections)


def code(wanted: Manifest, found: Manifest | None = None) -> Report:
    return judged("GPU002", wanted, found or machine(gpu=RTX_5090))


def python(architecture: Fact[str]) -> Python:
    return made.python(architecture=architecture)


def test_a_label_of_its_projects_own_tells_whose_build_it_is() -> None:
    assert told(code(having(torch("2.5.1+cu121")))) == [("blocks", NO_CODE)]


@pytest.mark.parametrize("version", ["2.5.1+ours", "2.6.0.dev20241112+cu121"])
def test_a_label_that_the_tables_do_not_know_leaves_it_open(version: str) -> None:
    ((path, _),) = missing(code(having(torch(version))))
    assert path == "wanted packages.installed.torch.version"


def test_without_a_label_it_may_be_anybodys() -> None:
    where = ("wanted packages.installed.torch.origin", WHOSE)
    wanted = having(torch("2.5.1"))
    ampere = machine(gpu=gpu(device("NVIDIA A10", compute_capability="8.6")))
    assert missing(code(wanted, ampere)) == [where]
    assert missing(judged("DRV001", wanted, machine(gpu=RTX_5090))) == [where]


def test_where_no_published_build_has_the_code_it_is_a_limit_whosever_it_is() -> None:
    report = code(having(torch("2.5.1")))
    assert [(str(each.outcome), each.what) for each in report.findings] == [
        ("degrades",
         "no build of torch 2.5.1 (cu118, cu121, cu124) has code for GeForce RTX 5090 (sm_120)")
    ]  # fmt: skip
    assert [(each.path, str(each.reason)) for each in report.not_checked] == [
        ("wanted packages.installed.torch.origin", WHOSE)
    ]
    assert report.verdict(Scope.NATIVE) is Verdict.CANNOT_TELL


def test_where_one_published_build_has_the_code_it_is_open_which_it_is() -> None:
    blackwell = code(having(torch("2.7.0")))  # cu118 and cu126 have no code for it, cu128 has
    assert missing(blackwell) == [("wanted packages.installed.torch.origin", WHOSE)]


def test_what_ran_on_such_a_gpu_runs_there_whoever_built_it() -> None:
    wanted = having(torch("2.5.1"))
    assert told(code(wanted, machine())) == []


def test_without_a_driver_there_is_none_to_be_too_old() -> None:
    assert told(judged("DRV001", having(torch("2.5.1")), machine(gpu=gpu()))) == []


def test_the_libraries_beside_it_tell_its_cuda() -> None:
    old = machine(gpu=gpu(device(), driver=driver("515.65.01", cuda="11.7")))
    ((outcome, what),) = told(judged("DRV001", having(torch("2.5.1"), RUNTIME), old))
    assert outcome == "blocks"
    assert what.startswith("nvidia-cuda-runtime-cu12 is built for CUDA 12.4")


def test_on_macos_it_needs_no_driver_of_nvidias() -> None:
    mac = having(torch("2.5.1", "index"), os=made.linux(system="Darwin", architecture="arm64"))
    assert told(judged("DRV001", mac, machine())) == []
    assert told(code(mac)) == []


def test_a_build_of_somebodys_own_is_said_to_be_unread() -> None:
    report = code(having(torch("2.5.1", "conda")))
    assert told(report) == []
    assert [each.text for each in report.conditions] == [
        "whether torch has code for this GPU was not read"
    ]


@pytest.mark.parametrize("architecture", ["x86_64", "AMD64", UNSEEN])
def test_the_systems_architecture_will_do_and_windows_calls_it_otherwise(
    architecture: Fact[str],
) -> None:
    wanted = having(torch("2.5.1+cu121"), python=python(architecture))
    assert told(code(wanted)) == [("blocks", NO_CODE)]


NOWHERE = {"python": python(UNSEEN), "os": made.linux(architecture=UNSEEN)}


def test_an_unknown_machine_is_likely_the_usual_one_and_stays_open() -> None:
    report = code(having(torch("2.5.1+cu121"), **NOWHERE))
    assert [(str(each.outcome), each.what) for each in report.findings] == [("degrades", NO_CODE)]
    assert [each.path for each in report.not_checked] == ["wanted python.architecture"]


def test_an_unknown_machine_matters_not_where_its_cuda_makes_no_such_code() -> None:
    wanted = having(torch("2.9.0+cu130"), **NOWHERE)
    (outcome,) = [outcome for outcome, _ in told(code(wanted, machine(gpu=V100)))]
    assert outcome == "blocks"


def test_an_unknown_machine_matters_not_where_all_of_its_builds_agree() -> None:
    hopper = machine(gpu=gpu(device("NVIDIA H100 PCIe", compute_capability="9.0")))
    turing = machine(gpu=gpu(device("Tesla T4", compute_capability="7.5")))
    wanted = having(torch("2.12.0+cu126"), **NOWHERE)
    assert told(code(wanted, hopper)) == []
    assert missing(code(wanted, turing)) == [("wanted python.architecture", str(UNSEEN))]


def test_a_list_and_a_table_of_cards_tell_that_its_kernels_do_not_run() -> None:
    manifest = imported([read(Text("-", PIP)), read(Text("-", SMI))], "2026-11-21T00:00:00Z")
    report = health(manifest)
    assert [
        (str(each.outcome), each.what) for each in report.findings if each.code == "GPU002"
    ] == [("degrades", NO_CODE)]
    assert report.verdict(Scope.NATIVE) is Verdict.CANNOT_TELL


def test_a_fact_that_a_view_lacks_ends_every_rule_that_asks_for_it() -> None:
    wanted = having(torch("2.5.1"))
    report = compare(wanted, machine(gpu=RTX_5090))
    whose = [each.code for each in report.not_checked if each.path.endswith("torch.origin")]
    assert {"DRV001", "DRV002", "GPU002"} <= set(whose)
