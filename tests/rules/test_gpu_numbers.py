"""GPU017 to GPU019: another model, other random numbers, a GPU where there was none."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.rules import Level
from envsnap.sections import Device, Reason, Scheduler, Unknown, replace
from tests import made
from tests.rules.machines import (
    AMD,
    T4,
    TORCH,
    UNSEEN,
    device,
    gpu,
    judged,
    machine,
    missing,
    packages,
    told,
)

A100 = device()
A100_80 = device("NVIDIA A100-SXM4-80GB", memory_mib=81920)
ROCM = replace(TORCH, version="2.5.1+rocm6.2")


def having(*devices: Device, **changes: object) -> Manifest:
    return machine(gpu=gpu(*devices), **changes)


def test_another_model_of_the_same_architecture_and_size_is_a_note() -> None:
    report = judged("GPU017", having(A100), having(A100_80))
    assert told(report) == [("note", "A100-SXM4-40GB -> A100-SXM4-80GB")]
    assert [each.lowers for each in report.findings] == [Level.SAME_ARCHITECTURE]


def test_a_model_of_another_size_or_architecture_is_told_by_other_rules() -> None:
    pcie = device("NVIDIA A30", multiprocessors=56)
    assert told(judged("GPU017", having(A100), having(pcie))) == []
    assert told(judged("GPU017", having(A100), having(T4))) == []
    assert told(judged("GPU017", having(A100), having(A100))) == []
    nothing = packages(made.package("idna", "3.7"))
    assert told(judged("GPU017", having(A100, packages=nothing), having(A100_80))) == []


def test_a_size_that_nobody_saw_leaves_the_model_and_the_streams_open() -> None:
    found = having(replace(A100_80, multiprocessors=UNSEEN))
    for code in ("GPU017", "GPU018"):
        assert missing(judged(code, having(A100), found)) == [
            ("found gpu.devices[0].multiprocessors", "no-permission: for a test")
        ]


MI250X = replace(
    AMD, name="AMD Instinct MI250X", architecture="gfx90a:sramecc+:xnack-", multiprocessors=110
)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (MI250X, []),
        (replace(MI250X, architecture="gfx90a"), []),
        (AMD, [("numerics", "AMD Instinct MI250X (gfx90a) -> AMD Instinct MI300X (gfx942)",
                Level.STATISTICAL)]),
        (replace(MI250X, name="AMD Instinct MI210", multiprocessors=104),
         [("note", "AMD Instinct MI250X (gfx90a) -> AMD Instinct MI210 (gfx90a)",
           Level.SAME_ARCHITECTURE)]),
        (A100, []),
    ],
)  # fmt: skip
def test_amds_gpus_are_compared_by_their_target(
    found: Device, expected: list[tuple[str, str, Level]]
) -> None:
    wanted = having(MI250X, packages=packages(ROCM))
    report = judged("GPU020", wanted, having(found))
    assert [(str(each.outcome), each.what, each.lowers) for each in report.findings] == expected
    for code in ("GPU003", "GPU004", "GPU017"):
        assert told(judged(code, wanted, having(found))) == []


def test_a_target_that_nobody_saw_is_not_judged() -> None:
    found = having(replace(MI250X, architecture=UNSEEN))
    assert missing(judged("GPU020", having(MI250X, packages=packages(ROCM)), found)) == [
        ("found gpu.devices[0].architecture", "no-permission: for a test")
    ]


def test_pytorch_draws_other_numbers_on_another_size_of_gpu() -> None:
    report = judged("GPU018", having(A100), having(T4))
    streams = "108 multiprocessors of sm_80 -> 40 multiprocessors of sm_75"
    assert told(report) == [("numerics", f"PyTorch's streams: {streams}")]
    assert [each.lowers for each in report.findings] == [Level.STATISTICAL]
    assert told(judged("GPU018", having(A100), having(A100_80))) == []
    one_less = device("NVIDIA A100 MIG", multiprocessors=107)
    assert len(told(judged("GPU018", having(A100), having(one_less)))) == 1


def test_amds_gpus_are_told_apart_by_their_target() -> None:
    smaller = replace(AMD, name="AMD Instinct MI210", architecture="gfx90a", multiprocessors=104)
    theirs, ours = (
        machine(gpu=gpu(each, kind="amd", driver=None), packages=packages(ROCM))
        for each in (AMD, smaller)
    )
    assert told(judged("GPU018", theirs, ours)) == [
        (
            "numerics",
            "PyTorch's streams: 304 multiprocessors of gfx942 -> 104 multiprocessors of gfx90a",
        )
    ]


def test_without_pytorch_on_the_gpu_nothing_is_drawn_there() -> None:
    for only in (
        packages(made.package("cupy-cuda12x", "13.0.0")),
        packages(replace(TORCH, version="2.5.1+cpu")),
    ):
        assert told(judged("GPU018", having(A100, packages=only), having(T4))) == []


def test_a_gpu_where_there_was_none_computes_other_numbers() -> None:
    report = judged("GPU019", having(), having(A100))
    assert told(report) == [("numerics", "none -> A100-SXM4-40GB")]
    assert report.findings[0].remedy == "export CUDA_VISIBLE_DEVICES=''"
    assert told(judged("GPU008", having(), having(A100))) == []


def test_a_gpu_that_nothing_installed_computes_on_changes_nothing() -> None:
    processor = packages(replace(TORCH, version="2.5.1+cpu"))
    assert told(judged("GPU019", having(packages=processor), having(A100))) == []
    amd = machine(gpu=gpu(AMD, kind="amd", driver=None))
    assert told(judged("GPU019", having(), amd)) == []
    nccl = made.package("nvidia-nccl-cu12", "2.27.3")
    boosted = packages(nccl, made.package("xgboost", "3.0.0"))
    assert told(judged("GPU019", having(packages=boosted), having(A100))) == []
    flowing = packages(nccl, made.package("tensorflow", "2.17.0"))
    assert len(told(judged("GPU019", having(packages=flowing), having(A100)))) == 1
    assert told(judged("GPU019", having(A100), having(T4))) == []


def test_on_a_cluster_the_results_may_come_from_another_node() -> None:
    slurm = Scheduler(kind="slurm", version=None, modules=())
    assert told(judged("GPU019", having(scheduler=slurm), having(A100))) == []
    assert missing(judged("GPU019", having(scheduler=UNSEEN), having(A100))) == [
        ("wanted scheduler", "no-permission: for a test")
    ]


def test_machines_alone_are_compared_by_their_gpus() -> None:
    alone = Unknown(Reason.NOT_ASKED, "--host-only")
    bare = having(packages=alone, python=alone)
    assert told(judged("GPU019", bare, having(A100))) == []
    assert told(judged("GPU008", bare, having(A100))) == [("note", "none -> A100-SXM4-40GB")]
