"""GPU013 to GPU015: the arithmetic, the settings and the links of GPUs."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Device, Environ, Gpu, GpuLink, Reason, Unknown, replace
from tests import made
from tests.rules.machines import (
    T4,
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
TENSORFLOW = made.package("tensorflow", "2.17.0")
RUNTIME = made.package("nvidia-cuda-runtime-cu12", "12.4.127")


def having(*devices: Device, **changes: object) -> Manifest:
    return machine(gpu=gpu(*devices, **changes))


def test_tf32_is_another_arithmetic_on_either_side() -> None:
    report = judged("GPU013", having(T4), having(A100))
    assert told(report) == [("numerics", "float32 convolutions of PyTorch: without it -> with it")]
    assert report.findings[0].remedy == "export NVIDIA_TF32_OVERRIDE=0"
    assert told(judged("GPU013", having(A100), having(T4))) == [
        ("numerics", "float32 convolutions of PyTorch: with it -> without it")
    ]


def test_two_gpus_that_both_have_tf32_do_not_differ_in_it() -> None:
    hopper = device("NVIDIA H100 PCIe", compute_capability="9.0")
    assert told(judged("GPU013", having(A100), having(hopper))) == []


def test_tf32_that_is_switched_off_where_it_is_does_nothing() -> None:
    off = Environ(variables={"NVIDIA_TF32_OVERRIDE": "0"})
    assert told(judged("GPU013", having(T4), machine(environ=off))) == []
    assert told(judged("GPU013", machine(gpu=gpu(T4), environ=off), having(A100))) != []


def test_frameworks_that_do_not_use_tf32_by_themselves_say_nothing() -> None:
    only_cuda = machine(gpu=gpu(T4), packages=packages(RUNTIME))
    both = machine(gpu=gpu(T4), packages=packages(RUNTIME, TENSORFLOW))
    assert told(judged("GPU013", only_cuda, having(A100))) == []
    words = "float32 convolutions and matrix products of TensorFlow"
    assert told(judged("GPU013", both, having(A100))) == [
        ("numerics", f"{words}: without it -> with it")
    ]
    alone = Unknown(Reason.NOT_ASKED, "--host-only")
    machines = machine(gpu=gpu(T4), packages=alone, python=alone)
    assert told(judged("GPU013", machines, having(A100))) == []


def test_tf32_needs_to_know_the_gpu_and_the_variables() -> None:
    blind = having(replace(A100, compute_capability=UNSEEN))
    assert missing(judged("GPU013", having(T4), blind)) == [
        ("found gpu.devices[0].compute_capability", "no-permission: for a test")
    ]
    assert missing(judged("GPU013", having(T4), machine(environ=UNSEEN))) == [
        ("found environ", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"power_limit_w": 300},
         [("perf", "power limit of A100-SXM4-40GB: 400 W -> 300 W")]),
        ({"ecc": False}, [("perf", "ECC of A100-SXM4-40GB: on -> off")]),
        ({"application_sm_clock_mhz": None},
         [("perf", "SM clock for programs of A100-SXM4-40GB: 1095 MHz -> none")]),
        ({"pcie_width": 8}, [("perf", "PCIe lanes of A100-SXM4-40GB: 16 -> 8")]),
        ({"virtualization": "vgpu"},
         [("note", "virtualization of A100-SXM4-40GB: none -> vgpu")]),
        ({"name": "NVIDIA A100-PCIE-40GB", "power_limit_w": 250}, []),
    ],
)  # fmt: skip
def test_cards_of_one_model_that_are_set_otherwise(
    changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert told(judged("GPU014", machine(), having(replace(A100, **changes)))) == expected


def test_two_cards_of_a_model_may_be_set_each_for_itself() -> None:
    found = having(A100, replace(A100, power_limit_w=300))
    assert told(judged("GPU014", machine(), found)) == [
        ("perf", "power limit of A100-SXM4-40GB: 400 W -> 300 W and 400 W")
    ]


def test_a_setting_that_was_not_seen_leaves_the_others_judged() -> None:
    report = judged("GPU014", machine(), having(replace(A100, ecc=UNSEEN, pcie_width=8)))
    assert [each.what for each in report.findings] == ["PCIe lanes of A100-SXM4-40GB: 16 -> 8"]
    assert [each.path for each in report.not_checked] == ["found gpu.devices[0].ecc"]


def joined(way: object) -> Gpu:
    return gpu(A100, A100, topology=(GpuLink(first=0, second=1, way=way),))  # type: ignore[arg-type]


def test_gpus_that_are_joined_otherwise_add_up_otherwise() -> None:
    nvlink, pcie = machine(gpu=joined("nvlink:12")), machine(gpu=joined("sys"))
    assert told(judged("GPU015", nvlink, pcie)) == [("numerics", "1 x 12 NVLinks -> 1 x sys")]
    assert told(judged("GPU015", nvlink, nvlink)) == []


def test_one_gpu_or_another_number_of_them_has_no_links_to_compare() -> None:
    three = gpu(A100, A100, A100, topology=UNSEEN)
    assert told(judged("GPU015", machine(gpu=joined("sys")), machine(gpu=three))) == []
    assert told(judged("GPU015", machine(), having(A100, topology=UNSEEN))) == []


def test_links_between_gpus_that_programs_do_not_see_do_not_count() -> None:
    links = (GpuLink(first=0, second=1, way="pix"), GpuLink(first=1, second=2, way="sys"))
    found = gpu(A100, A100, A100, visible=(0, 1), topology=links)
    assert told(judged("GPU015", machine(gpu=joined("pix")), machine(gpu=found))) == []


def test_a_link_that_was_not_seen_is_not_checked() -> None:
    assert missing(judged("GPU015", machine(gpu=joined("sys")), machine(gpu=joined(UNSEEN)))) == [
        ("found gpu.topology[0].way", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.6.0", None),
        ("1.7.0", "convolutions and matrix products"),
        ("1.11.0+cu113", "convolutions and matrix products"),
        ("1.12.0", "convolutions"),
        ("2.5.1+cu124", "convolutions"),
    ],
)
def test_old_releases_of_pytorch_use_tf32_for_matrix_products_too(
    version: str, words: str | None
) -> None:
    installed = packages(RUNTIME, made.package("torch", version))
    wanted = machine(gpu=gpu(T4), packages=installed)
    expected = [("numerics", f"float32 {words} of PyTorch: without it -> with it")]
    assert told(judged("GPU013", wanted, having(A100))) == (expected if words else [])


def test_a_variable_lets_pytorch_use_tf32_for_matrix_products() -> None:
    allowed = Environ(variables={"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"})
    assert told(judged("GPU013", having(T4), machine(gpu=gpu(A100), environ=allowed))) == [
        (
            "numerics",
            "float32 convolutions and matrix products of PyTorch: without it -> with it",
        )
    ]


def test_jax_multiplies_in_tf32_unless_it_is_asked_for_more() -> None:
    installed = packages(RUNTIME, made.package("jax", "0.6.0"))
    wanted = machine(gpu=gpu(T4), packages=installed)
    full = Environ(variables={"JAX_DEFAULT_MATMUL_PRECISION": "highest"})
    assert told(judged("GPU013", wanted, having(A100))) == [
        ("numerics", "float32 convolutions and matrix products of JAX: without it -> with it")
    ]
    assert told(judged("GPU013", wanted, machine(gpu=gpu(A100), environ=full))) == []
