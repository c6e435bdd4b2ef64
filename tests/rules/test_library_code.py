"""GPU009: the code that libraries hold, and the GPUs that are to run it."""

from __future__ import annotations

import pytest

from envsnap._check import check
from envsnap.manifest import Manifest
from envsnap.rules import Level, Outcome, Verdict
from envsnap.sections import CodeFile, Device, Environ, Fact, GpuCode, replace
from tests import made
from tests.rules.machines import (
    AMD,
    T4,
    TORCH,
    UNSEEN,
    device,
    driver,
    gpu,
    judged,
    machine,
    missing,
    packages,
    told,
    well,
)

A100 = device()
BLACKWELL = device("NVIDIA B200", compute_capability="10.0", architecture="blackwell")
SASS = ("sm_75", "sm_80", "sm_86", "sm_90")


def code(
    distribution: str = "torch", name: str = "libtorch_cuda.so", *,
    sass: Fact[tuple[str, ...]] = (),
    ptx: tuple[str, ...] = (), amd: tuple[str, ...] = (),
) -> CodeFile:  # fmt: skip
    return CodeFile(
        distribution=distribution, location=f"{{env}}/{distribution}/lib/{name}", sass=sass,
        ptx=ptx, amd=amd,
    )  # fmt: skip


def holding(*files: CodeFile, devices: tuple[Device, ...] = (A100,), **more: object) -> Manifest:
    return machine(gpu_code=GpuCode(files=files), gpu=gpu(*devices), **more)


def on(*devices: Device, **changes: object) -> Manifest:
    return machine(gpu=gpu(*devices, **changes))


@pytest.mark.parametrize(
    ("sass", "capability", "runs"),
    [
        (("sm_80",), "8.0", True),
        (("sm_80",), "8.9", True),
        (("sm_86",), "8.0", False),
        (("sm_90",), "10.0", False),
        (("sm_90a",), "9.0", True),
        (("sm_100a",), "10.3", False),
        (("sm_100f",), "10.3", True),
        (("sm_120f",), "12.1", True),
        (("sm_103f",), "10.0", False),
        (("sm_80",), "8.7", False),  # Jetson Orin: no compiled code passes between the two
        (("sm_87",), "8.7", True),
        (("sm_87",), "8.9", False),
    ],
)
def test_compiled_code_runs_on_its_own_major_from_its_minor_on(
    sass: tuple[str, ...], capability: str, *, runs: bool
) -> None:
    found = on(replace(A100, compute_capability=capability))
    name = f"sm_{capability.replace('.', '')}"
    expected = [] if runs else [
        ("blocks", f"torch has no code for A100-SXM4-40GB ({name}), only for {', '.join(sass)}")
    ]  # fmt: skip
    assert told(judged("GPU009", holding(code(sass=sass)), found)) == expected


def test_ptx_runs_where_the_driver_is_as_new_as_the_release_that_made_it() -> None:
    wanted = holding(code(sass=SASS, ptx=("compute_90",)))  # the environment is of CUDA 12.4
    new, old = driver("550.54.14"), driver("535.183.01", cuda_in_effect="12.2")
    assert told(judged("GPU009", wanted, on(BLACKWELL, driver=new))) == []
    assert told(judged("GPU009", wanted, on(BLACKWELL, driver=old))) == [
        ("blocks", ("torch has no code for B200 (sm_100), only for sm_75, sm_80, sm_86, sm_90, "
         "compute_90 and PTX of CUDA 12.4, which a driver for CUDA 12.2 cannot compile"))
    ]  # fmt: skip


def test_ptx_of_one_architecture_alone_runs_on_no_later_one() -> None:
    wanted = holding(code(ptx=("compute_90a",)))
    assert [each for each, _ in told(judged("GPU009", wanted, on(BLACKWELL)))] == ["blocks"]


def test_what_the_driver_serves_is_asked_only_where_ptx_has_to_do() -> None:
    blind = driver(cuda_in_effect=UNSEEN)
    both = code(sass=SASS, ptx=("compute_90",))
    assert told(judged("GPU009", holding(both), on(T4, driver=blind))) == []
    assert missing(judged("GPU009", holding(both), on(BLACKWELL, driver=blind))) == [
        ("found gpu.driver.cuda_in_effect", "no-permission: for a test")
    ]


def test_the_release_that_made_the_ptx_may_not_be_known() -> None:
    wanted = holding(code(ptx=("compute_90",)), packages=packages(made.package("idna", "3.7")))
    assert missing(judged("GPU009", wanted, on(BLACKWELL))) == [
        ("wanted gpu_code.files.{env}/torch/lib/libtorch_cuda.so",
         "not-supported: which CUDA release made the PTX of torch is not known")
    ]  # fmt: skip


def test_a_release_that_a_package_does_not_tell_lies_below_its_environments() -> None:
    flash = code("flash-attn", "flash.so", ptx=("compute_80", "compute_90"))
    wanted = holding(flash)  # the environment is of CUDA 12.4

    def on_blackwell(served: str) -> Manifest:
        return on(BLACKWELL, driver=driver(cuda_in_effect=served))

    assert told(judged("GPU009", wanted, on_blackwell("12.4"))) == []
    assert missing(judged("GPU009", wanted, on_blackwell("12.2"))) == [
        ("wanted gpu_code.files.{env}/flash-attn/lib/flash.so",
         "not-supported: which CUDA release made the PTX of flash-attn is not known")
    ]  # fmt: skip
    assert told(judged("GPU009", wanted, on_blackwell("10.2"))) == [
        ("degrades", ("flash-attn has no code for B200 (sm_100), only for compute_80, compute_90 "
         "and PTX of CUDA 11.0 or newer, which a driver for CUDA 10.2 cannot compile"))
    ]  # fmt: skip


def test_a_library_of_a_package_that_ran_there_and_not_here_is_a_limit() -> None:
    wanted = holding(code(sass=SASS), code(name="libtorch_cuda_linalg.so", sass=("sm_80",)))
    assert told(judged("GPU009", wanted, on(T4))) == [
        ("degrades", ("1 file: libtorch_cuda_linalg.so of torch has no code for Tesla T4 (sm_75), "
         "only for sm_80"))
    ]  # fmt: skip


def test_a_library_that_had_nothing_for_its_own_gpu_either_is_silent() -> None:
    wanted = holding(code(sass=SASS), code(name="libtorch_nvshmem.so", sass=("sm_90",)))
    assert told(judged("GPU009", wanted, on(T4))) == []
    assert told(well("GPU009", wanted)) == []


def test_the_library_that_all_others_of_a_package_need_stands_for_it() -> None:
    wanted = holding(code(sass=("sm_80",)), code(name="libtorch_other.so", sass=("sm_75",)))
    assert told(judged("GPU009", wanted, on(T4))) == [
        ("blocks", "torch has no code for Tesla T4 (sm_75), only for sm_80")
    ]


def test_a_package_that_others_use_is_a_limit_and_on_its_own_machine_a_note() -> None:
    flash = code("flash-attn", "flash_attn_2_cuda.so", sass=("sm_80", "sm_90"))
    words = "flash-attn has no code for Tesla T4 (sm_75), only for sm_80, sm_90"
    assert told(judged("GPU009", holding(flash), on(T4))) == [("degrades", words)]
    assert told(well("GPU009", holding(flash, devices=(T4,)))) == [("note", words)]


def test_libraries_that_are_made_for_few_gpus_are_a_note() -> None:
    sparse = code("nvidia-cusparselt-cu12", "libcusparseLt.so.0", sass=("sm_80",))
    attention = code("nvidia-cudnn-cu12", "libcudnn_engines_runtime_compiled.so.9", sass=("sm_80",))
    rest = code("nvidia-cudnn-cu12", "libcudnn_ops.so.9", sass=("sm_70", "sm_80"))
    assert told(judged("GPU009", holding(sparse, attention, rest), on(T4))) == [
        ("note", ("1 file: libcudnn_engines_runtime_compiled.so.9 of nvidia-cudnn-cu12 has no "
                  "code for Tesla T4 (sm_75), only for sm_80")),
        ("note", "nvidia-cusparselt-cu12 has no code for Tesla T4 (sm_75), only for sm_80"),
    ]  # fmt: skip
    assert told(judged("GPU009", holding(attention), on(T4))) == [
        ("blocks", "nvidia-cudnn-cu12 has no code for Tesla T4 (sm_75), only for sm_80")
    ]


def test_every_visible_gpu_is_judged_and_each_kind_once() -> None:
    wanted = holding(code(sass=("sm_80",)))
    found = on(T4, A100, replace(T4, pci_bus_id="0000:43:00.0"))
    assert told(judged("GPU009", wanted, found)) == [
        ("blocks", "torch has no code for Tesla T4 (sm_75), only for sm_80")
    ]


def test_amds_targets_match_by_name_and_may_be_overridden() -> None:
    wanted = holding(
        code(amd=("gfx1030", "gfx90a")), devices=(replace(AMD, architecture="gfx90a"),)
    )
    assert told(judged("GPU009", wanted, on(AMD))) == [
        ("blocks", "torch has no code for AMD Instinct MI300X (gfx942), only for gfx90a, gfx1030")
    ]
    card = replace(AMD, name="AMD Radeon RX 6700 XT", architecture="gfx1031")
    over = Environ(variables={"HSA_OVERRIDE_GFX_VERSION": "10.3.0"})
    assert told(judged("GPU009", wanted, machine(gpu=gpu(card), environ=over))) == []


def test_code_for_another_vendors_gpus_is_not_looked_at() -> None:
    assert told(judged("GPU009", holding(code(sass=SASS)), on(AMD))) == []


def test_libraries_without_gpu_code_say_nothing() -> None:
    assert told(judged("GPU009", holding(), on(BLACKWELL))) == []


def test_without_deep_the_table_of_torch_stands_in() -> None:
    wanted = machine(packages=packages(TORCH))
    assert told(judged("GPU009", wanted, on(BLACKWELL))) == []
    assert [each for each, _ in told(judged("GPU002", wanted, on(BLACKWELL)))] == ["blocks"]
    deep = holding(code(sass=(*SASS, "sm_100")), packages=packages(TORCH))
    assert told(judged("GPU002", deep, on(BLACKWELL))) == []


def test_code_that_could_not_be_read_leaves_its_library_open() -> None:
    files = (code(sass=UNSEEN), code("flash-attn", "flash.so", sass=("sm_80",)))
    report = judged("GPU009", holding(*files), on(T4))
    assert [(each.path, str(each.reason)) for each in report.not_checked] == [
        ("wanted gpu_code.files.{env}/torch/lib/libtorch_cuda.so.sass", "no-permission: for a test")
    ]
    assert [each.subject for each in report.findings] == ["GPU code of flash-attn"]
    assert missing(judged("GPU009", machine(gpu_code=UNSEEN), on(T4))) == [
        ("wanted gpu_code", "no-permission: for a test")
    ]


@pytest.mark.parametrize(
    ("distribution", "worst"),
    [
        ("torch", (Outcome.BLOCKS, Level.DOES_NOT_RUN)),
        ("flash-attn", (Outcome.DEGRADES, Level.STATISTICAL)),
        ("nvidia-cusparselt-cu12", (Outcome.NOTE, Level.BITWISE)),
    ],
)
def test_what_a_library_leaves_open_is_no_worse_than_what_it_could_be_found_to_be(
    distribution: str, worst: tuple[Outcome, Level]
) -> None:
    report = judged("GPU009", holding(code(distribution, sass=UNSEEN)), on(T4))
    assert [(each.worst, each.lowers) for each in report.not_checked] == [worst]


def test_a_library_that_is_a_note_at_most_does_not_decide() -> None:
    sparse = code("nvidia-cusparselt-cu12", "libcusparseLt.so.0", sass=UNSEEN)
    wanted = holding(sparse, code(sass=SASS))
    checked = check(wanted, replace(wanted, sections={**wanted.sections, "gpu": gpu(T4)}))
    assert checked.verdict is not Verdict.CANNOT_TELL
    assert "GPU009" not in {each.code for each in checked.claim.left_open}
    nobodys = replace(sparse, distribution=UNSEEN)
    report = judged("GPU009", holding(sparse, nobodys), on(T4))
    assert {each.worst for each in report.not_checked} == {Outcome.BLOCKS}


def test_a_target_newer_than_the_tables_is_not_checked() -> None:
    wanted = holding(code(sass=("sm_80", "sm_150")))
    ((_, reason),) = missing(judged("GPU009", wanted, on(BLACKWELL)))
    assert reason.startswith("not-supported: GPU code target sm_150 is newer than facts of 2026-")


def test_a_library_of_which_nobody_knows_whose_it_is_leaves_open_what_depends_on_it() -> None:
    lacking = replace(code(sass=("sm_90",)), distribution=UNSEEN)
    assert missing(judged("GPU009", holding(lacking), on(A100))) == [
        (f"wanted gpu_code.files.{lacking.location}.distribution", "no-permission: for a test")
    ]
    serving = replace(code(sass=SASS), distribution=UNSEEN)
    assert told(judged("GPU009", holding(serving), on(A100))) == []
