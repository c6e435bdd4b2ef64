"""GPU: the accelerators, and whether packages have code for them."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import Device, MigSlice, Package, replace
from tests import made
from tests.rules.machines import (
    AMD,
    RUN,
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
    well,
)

A100 = device()
PURE = packages(made.package("idna", "3.7"))


def having(*devices: Device, **changes: object) -> Manifest:
    return machine(gpu=gpu(*devices, **changes))


def test_a_machine_known_to_have_no_gpu_blocks_what_computes_on_one() -> None:
    report = judged("GPU001", machine(), having())
    assert told(report) == [("blocks", "A100-SXM4-40GB -> no such GPU")]
    assert report.findings[0].remedy == "a machine with an NVIDIA GPU"


def test_a_gpu_of_another_vendor_is_no_such_gpu() -> None:
    assert told(judged("GPU001", machine(), having(AMD))) == [
        ("blocks", "A100-SXM4-40GB -> no such GPU, but AMD Instinct MI300X")
    ]


def test_the_way_to_a_gpu_of_another_vendor_is_another_machine_or_other_packages() -> None:
    (finding,) = judged("GPU001", machine(), having(AMD)).findings
    assert finding.remedy == (
        "a machine with an NVIDIA GPU, or packages built for the one that is here"
    )


def test_a_run_that_held_no_memory_on_a_gpu_does_without_one() -> None:
    ran = machine(run=replace(RUN, gpu_peaks=()))
    assert told(judged("GPU001", ran, having())) == [("note", "A100-SXM4-40GB -> no such GPU")]
    for other in (RUN, replace(RUN, gpu_peaks=(), exit_status=1)):
        assert told(judged("GPU001", machine(run=other), having())) == [
            ("blocks", "A100-SXM4-40GB -> no such GPU")
        ]


def test_a_hidden_gpu_is_told_from_a_missing_one() -> None:
    found = having(A100, visible=(), hidden="CUDA_VISIBLE_DEVICES hides 1")
    report = judged("GPU001", machine(), found)
    assert told(report) == [("blocks", "A100-SXM4-40GB -> CUDA_VISIBLE_DEVICES hides 1")]
    assert report.findings[0].remedy == "show it to programs (CUDA_VISIBLE_DEVICES)"


def test_devices_that_were_not_seen_are_neither_there_nor_not() -> None:
    assert missing(judged("GPU001", machine(), having(devices=UNSEEN))) == [
        ("found gpu.devices", "no-permission: for a test")
    ]


def test_without_packages_that_compute_on_it_a_missing_gpu_is_a_note() -> None:
    wanted = machine(packages=PURE)
    assert told(judged("GPU001", wanted, having())) == []
    assert told(judged("GPU008", wanted, having())) == [("note", "A100-SXM4-40GB -> none")]
    assert told(judged("GPU008", machine(), having())) == []


def test_where_the_environment_was_left_out_the_gpus_count() -> None:
    from envsnap.sections import Reason, Unknown

    left_out = Unknown(Reason.NOT_ASKED, "--host-only")
    machines_alone = machine(packages=left_out, python=left_out)
    assert [outcome for outcome, _ in told(judged("GPU001", machines_alone, having()))] == [
        "blocks"
    ]
    half_seen = machine(packages=left_out)
    assert missing(judged("GPU001", half_seen, having())) == [
        ("wanted packages", "not-asked: --host-only")
    ]


def test_another_kind_and_size_are_two_reasons_for_other_digits() -> None:
    found = having(T4)
    assert told(judged("GPU003", machine(), found)) == [
        ("numerics", "A100-SXM4-40GB (sm_80) -> Tesla T4 (sm_75)")
    ]
    assert told(judged("GPU004", machine(), found)) == [("numerics", "108 -> 40 multiprocessors")]


def test_the_same_kind_in_another_size_is_one_reason() -> None:
    pcie = device("NVIDIA H100 PCIe", compute_capability="9.0", multiprocessors=114)
    sxm = device("NVIDIA H100 80GB HBM3", compute_capability="9.0", multiprocessors=132)
    assert told(judged("GPU003", having(sxm), having(pcie))) == []
    assert told(judged("GPU004", having(sxm), having(pcie))) == [
        ("numerics", "132 -> 114 multiprocessors")
    ]


@pytest.mark.parametrize("wanted", [
    machine(packages=UNSEEN), machine(packages=packages(unlisted=UNSEEN))
])  # fmt: skip
def test_where_packages_are_not_known_another_gpu_is_named_and_left_open(wanted: Manifest) -> None:
    report = judged("GPU008", wanted, having(T4))
    assert [(str(each.outcome), each.what, each.why) for each in report.findings] == [
        ("note", "A100-SXM4-40GB -> Tesla T4",
         "whether what is installed computes on a GPU is not known")
    ]  # fmt: skip
    assert len(report.not_checked) == 1
    assert told(judged("GPU008", wanted, having(A100))) == []


def test_every_found_kind_is_judged_once() -> None:
    found = having(A100, T4, replace(T4, pci_bus_id="0000:42:00.0"))
    assert told(judged("GPU003", machine(), found)) == [
        ("numerics", "A100-SXM4-40GB (sm_80) -> Tesla T4 (sm_75)")
    ]


@pytest.mark.parametrize(
    ("code", "fact"),
    [("GPU003", "compute_capability"), ("GPU004", "multiprocessors"), ("GPU005", "memory_mib")],
)
def test_a_fact_that_one_card_refuses_is_not_judged(code: str, fact: str) -> None:
    assert missing(judged(code, machine(), having(replace(A100, **{fact: UNSEEN})))) == [
        (f"found gpu.devices[0].{fact}", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("mib", "expected"),
    [
        (40960, []),
        (40000, []),  # ECC takes a share of the same card
        (15360, [("degrades", "40 GiB -> 15 GiB")]),
        (81920, []),
    ],
)
def test_less_memory_is_a_limit(mib: int, expected: list[tuple[str, str]]) -> None:
    found = having(replace(A100, memory_mib=mib))
    assert told(judged("GPU005", machine(), found)) == expected


def test_a_slice_counts_with_its_own_memory_and_size() -> None:
    part = MigSlice(profile="1g.5gb", memory_mib=4864, multiprocessors=14)
    found = having(replace(A100, mig=True, slices=(part,)))
    assert told(judged("GPU004", machine(), found)) == [("numerics", "108 -> 14 multiprocessors")]
    assert told(judged("GPU005", machine(), found)) == [("degrades", "40 GiB -> 4.8 GiB")]


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (1, 1, []),
        (1, 4, [("note", "1 -> 4 GPUs")]),
        (2, 4, [("numerics", "2 -> 4 GPUs")]),
        (4, 1, [("degrades", "4 -> 1 GPUs")]),
    ],
)
def test_another_number_of_gpus_is_one_finding(
    wanted: int, found: int, expected: list[tuple[str, str]]
) -> None:
    report = judged("GPU006", having(*[A100] * wanted), having(*[A100] * found))
    assert told(report) == expected


def test_a_number_format_that_the_gpu_lacks_is_a_limit() -> None:
    report = judged("GPU007", machine(), having(T4))
    assert told(report) == [("degrades", "bfloat16: not in sm_75's hardware")]
    assert report.findings[0].confidence == "medium"
    assert told(judged("GPU007", having(T4), machine())) == []
    ada = having(device("NVIDIA GeForce RTX 4090", compute_capability="8.9"))
    assert told(judged("GPU007", ada, machine())) == [("note", "FP8: not in sm_80's hardware")]


def test_hidden_gpus_and_mixed_models_are_notes() -> None:
    assert told(well("GPU010", having(A100, hidden="CUDA_VISIBLE_DEVICES hides 1"))) == [
        ("note", "CUDA_VISIBLE_DEVICES hides 1")
    ]
    assert told(well("GPU011", having(A100, T4))) == [
        ("note", "different models: A100-SXM4-40GB, Tesla T4")
    ]
    assert told(well("GPU011", having(A100, A100))) == []


def test_what_is_visible_or_hidden_may_be_unknown() -> None:
    assert missing(well("GPU010", having(A100, hidden=UNSEEN))) == [
        ("gpu.hidden", "no-permission: for a test")
    ]
    assert missing(well("GPU011", having(A100, visible=UNSEEN))) == [
        ("gpu.visible", "no-permission: for a test")
    ]


def built(version: str, **changes: object) -> Manifest:
    return machine(packages=packages(made.package("torch", version, **changes)))


@pytest.mark.parametrize(
    ("torch", "capability", "expected"),
    [
        ("2.5.1", "8.0", []),
        ("2.5.1", "8.9", []),  # sm_86's code runs on later minors of its major
        ("2.5.1", "12.0", [("blocks",
            ("torch 2.5.1 has no code for A100-SXM4-40GB (sm_120), only for sm_50, sm_60, sm_70, "
            "sm_75, sm_80, sm_86, sm_90"))]),
        ("2.7.0+cu128", "12.0", []),
        ("2.5.1+cpu", "12.0", []),
    ],
)  # fmt: skip
def test_torch_needs_code_for_the_gpu(
    torch: str, capability: str, expected: list[tuple[str, str]]
) -> None:
    found = having(replace(A100, compute_capability=capability))
    assert told(judged("GPU002", built(torch), found)) == expected


def test_a_torch_that_the_tables_lack_ran_where_it_was_captured() -> None:
    wanted = built("99.0.0")
    assert told(judged("GPU002", wanted, machine())) == []
    ((path, reason),) = missing(judged("GPU002", wanted, having(T4)))
    assert path == "wanted packages.installed.torch.version"
    assert reason.startswith("not-supported: torch 99.0.0 is newer than facts of 2026-")


@pytest.mark.parametrize(
    "changes", [{"origin": made.origin("editable")}, {"version": "2.5.1+rocm6.1"}]
)
def test_another_build_of_torch_is_not_looked_up(changes: dict[str, object]) -> None:
    wanted = machine(packages=packages(replace(TORCH, **changes)))
    found = having(replace(A100, compute_capability="12.0"))
    assert told(judged("GPU002", wanted, found)) == []


def test_a_capability_that_was_not_seen_leaves_the_code_open() -> None:
    found = having(replace(A100, compute_capability=UNSEEN))
    assert missing(judged("GPU002", built("2.5.1"), found)) == [
        ("found gpu.devices[0].compute_capability", "no-permission: for a test")
    ]


def test_a_cpu_build_beside_a_gpu_is_another_speed() -> None:
    assert told(well("GPU012", built("2.5.1+cpu"))) == [
        ("perf", "torch 2.5.1+cpu is built without CUDA, beside A100-SXM4-40GB")
    ]
    assert told(well("GPU012", built("2.5.1"))) == []


def test_packages_that_only_look_at_a_gpu_do_not_compute_on_it() -> None:
    looking: Package = made.package("nvidia-ml-py", "12.560.30")
    wanted = machine(packages=packages(looking))
    assert told(judged("GPU003", wanted, having(T4))) == []


JAX_13 = packages(
    made.package("jax-cuda13-plugin", "0.8.0"), made.package("nvidia-cuda-runtime", "13.0.48")
)
V100 = device("Tesla V100-SXM2-32GB", compute_capability="7.0", architecture="volta")


def test_a_cuda_release_that_dropped_the_gpu_has_no_code_for_it() -> None:
    wanted = machine(packages=JAX_13)
    assert told(judged("GPU016", wanted, having(V100))) == [
        ("blocks", ("jax-cuda13-plugin is built for CUDA 13, which makes no code for "
         "Tesla V100-SXM2-32GB (sm_70)"))
    ]  # fmt: skip
    assert told(judged("GPU016", wanted, having(T4))) == []
    older = packages(made.package("jax-cuda12-plugin", "0.4.30"))
    assert told(judged("GPU016", machine(packages=older), having(V100))) == []


def test_code_that_nobody_looked_at_lowers_what_is_claimed() -> None:
    wanted = machine(packages=JAX_13)
    report = judged("GPU016", wanted, having(T4))
    assert [each.text for each in report.conditions] == [
        "whether jax-cuda13-plugin has code for this GPU was not read"
    ]
    assert judged("GPU016", wanted, having(A100)).conditions == ()
    assert missing(judged("GPU016", wanted, having(replace(T4, compute_capability=UNSEEN)))) == [
        ("found gpu.devices[0].compute_capability", "no-permission: for a test")
    ]


def test_an_environment_for_amds_gpus_computes_on_no_other() -> None:
    rocm = packages(made.package("torch", "2.8.0+rocm6.4"))
    wanted = machine(packages=rocm, gpu=gpu(AMD, kind="amd", driver=None))
    assert told(judged("GPU001", wanted, having(A100))) == [
        ("blocks", "AMD Instinct MI300X -> no such GPU, but NVIDIA A100-SXM4-40GB")
    ]
    assert told(judged("GPU001", wanted, wanted)) == []
