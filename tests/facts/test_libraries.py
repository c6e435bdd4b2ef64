"""cuDNN, the nvidia-* distributions, PyTorch's wheels, and the C library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.facts import (
    Answer,
    Looked,
    NewerThanFacts,
    NotInTable,
    cudnn,
    manylinux,
    nvidia_pip,
    torch_cuda,
)
from envsnap.facts.manylinux import Distribution, LibcFloor
from envsnap.facts.torch_cuda import Code, Variant

DATE = "2026-11-21"
TO_HOPPER = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
INDEX = "https://download.pytorch.org/whl"


def value(answer: Answer[object]) -> object:
    assert isinstance(answer, Looked), answer
    return answer.value


@pytest.mark.parametrize(
    ("number", "text"),
    [(90100, "9.1.0"), (91002, "9.10.2"), (8907, "8.9.7"), (8204, "8.2.4"), (7605, "7.6.5")],
)
def test_the_number_of_cudnn_is_its_version(number: int, text: str) -> None:
    assert cudnn.version(number) == text


def test_a_cudnn_version_has_a_generation() -> None:
    assert cudnn.generation("9.1.0.70") == 9
    assert cudnn.generation("8.9.7") == 8
    assert cudnn.generation("unknown") is None


def test_a_cudnn_version_has_a_line_of_support_for_each_cuda() -> None:
    assert value(cudnn.support("9.1.0.70")) == (
        cudnn.Support("9.1.0", "9.1.0", "11.x", "5.0-9.0", "450.80.02", "452.39"),
        cudnn.Support(
            "9.1.0", "9.1.0", "12.x (12.4 recommended)", "5.0-9.0", "525.60.13", "527.41"
        ),
    )


def test_any_patch_of_a_minor_range_is_in_it() -> None:
    answer = cudnn.support("8.1.1.33")
    assert isinstance(answer, Looked)
    assert [line.cuda for line in answer.value] == ["10.2", "11.0-11.2"]


def test_cudnn_support_that_was_not_collected_has_no_answer() -> None:
    assert cudnn.support("9.8.0") == NotInTable("cuDNN 9.8.0", "cudnn")
    assert cudnn.support("9.28.0.42") == NewerThanFacts("cuDNN 9.28.0.42", DATE)
    assert cudnn.sonames(10) == NewerThanFacts("cuDNN 10", DATE)
    assert cudnn.sonames(7) == NotInTable("cuDNN 7", "cudnn")


def test_the_libraries_of_cudnn_8_have_their_own_names() -> None:
    assert value(cudnn.sonames(8)) == (
        "libcudnn.so.8",
        "libcudnn_adv_infer.so.8",
        "libcudnn_adv_train.so.8",
        "libcudnn_cnn_infer.so.8",
        "libcudnn_cnn_train.so.8",
        "libcudnn_ops_infer.so.8",
        "libcudnn_ops_train.so.8",
    )


@pytest.mark.parametrize(
    ("distribution", "name", "cuda_major"),
    [
        ("nvidia-cudnn-cu12", "cudnn", 12),
        ("nvidia-cuda-runtime-cu12", "cuda-runtime", 12),
        ("nvidia-cuda-runtime-cu11", "cuda-runtime", 11),
        ("nvidia-cublas", "cublas", 13),
        ("nvidia-nccl-cu13", "nccl", 13),
    ],
)
def test_a_distribution_is_a_component_for_one_cuda(
    distribution: str, name: str, cuda_major: int
) -> None:
    answer = nvidia_pip.component(distribution)
    assert isinstance(answer, Looked)
    assert (answer.value.name, answer.value.cuda_major) == (name, cuda_major)


def test_a_component_knows_its_libraries() -> None:
    assert value(nvidia_pip.component("nvidia-cufft-cu12")) == nvidia_pip.Component(
        name="cufft",
        cuda_major=12,
        distribution="nvidia-cufft-cu12",
        sonames=("libcufft.so.11", "libcufftw.so.11"),
        title="cuFFT",
    )


def test_a_component_for_a_later_cuda_is_newer_than_the_facts() -> None:
    assert nvidia_pip.component("nvidia-cublas-cu14") == NewerThanFacts("nvidia-cublas-cu14", DATE)
    assert nvidia_pip.component("nvidia-cublas", "14.0.0.1") == NewerThanFacts(
        "nvidia-cublas 14.0.0.1", DATE
    )


@pytest.mark.parametrize("distribution", ["numpy", "nvidia-ml-py", "nvidia-cublas-cu117", ""])
def test_what_is_no_component_is_not_in_the_table(distribution: str) -> None:
    assert nvidia_pip.component(distribution) == NotInTable(distribution, "nvidia_pip")


def test_a_library_name_can_be_shared_by_several_cuda_majors() -> None:
    shared = nvidia_pip.by_soname("libnccl.so.2")
    own = nvidia_pip.by_soname("libcudart.so.12")
    assert isinstance(shared, Looked)
    assert isinstance(own, Looked)
    assert [component.cuda_major for component in shared.value] == [11, 12, 13]
    assert [component.cuda_major for component in own.value] == [12]
    assert nvidia_pip.by_soname("libm.so.6") == NotInTable("Library libm.so.6", "nvidia_pip")


def test_a_library_version_belongs_to_a_toolkit() -> None:
    assert value(nvidia_pip.toolkits("nvidia-cuda-runtime-cu12", "12.4.127")) == ("12.4.1",)
    assert nvidia_pip.toolkits("nvidia-cuda-runtime-cu12", "12.4.1") == NotInTable(
        "nvidia-cuda-runtime-cu12 12.4.1", "nvidia_pip"
    )


def test_a_toolkit_pins_its_libraries() -> None:
    answer = nvidia_pip.pins("12.8.1")
    assert isinstance(answer, Looked)
    assert answer.value["nvidia-cublas-cu12"] == "12.8.4.1"
    assert nvidia_pip.pins("14.0.0") == NewerThanFacts("CUDA toolkit 14.0.0", DATE)
    assert nvidia_pip.pins("12.7.0") == NotInTable("CUDA toolkit 12.7.0", "nvidia_pip")


TORCH_251 = Variant("2.5.1", "cu124", "12.4", "9.1.0.70", "2.21.5", f"{INDEX}/cu124")


@pytest.mark.parametrize("asked", [("2.5.1", "cu124"), ("2.5.1+cu124", None), ("2.5.1", None)])
def test_a_torch_build_is_found_by_its_label_or_as_the_default(
    asked: tuple[str, str | None],
) -> None:
    assert value(torch_cuda.variant(*asked)) == TORCH_251
    assert value(torch_cuda.code(*asked)) == Code(TO_HOPPER, None)


def test_a_cpu_build_has_no_cuda_at_all() -> None:
    assert value(torch_cuda.variant("2.5.1+cpu")) == Variant(
        "2.5.1", "cpu", None, None, None, f"{INDEX}/cpu"
    )
    assert value(torch_cuda.code("2.5.1+cpu")) == Code((), None)


def test_a_library_version_that_nobody_told_is_not_absent() -> None:
    answer = torch_cuda.variant("2.5.1+cu121")
    assert isinstance(answer, Looked)
    assert answer.value.nccl == NotInTable("NCCL of torch 2.5.1+cu121", "torch_cuda")


def test_the_default_build_is_believed_to_be_what_its_metadata_says() -> None:
    default, labelled = torch_cuda.variant("2.11.0"), torch_cuda.variant("2.11.0+cu130")
    assert isinstance(default, Looked)
    assert isinstance(labelled, Looked)
    assert (default.value.cudnn, labelled.value.cudnn) == ("9.19.0.56", "9.17.1.4")
    assert default.note is not None
    assert default.note.startswith("RELEASE.md says cuDNN 9.17.1.4")


def test_the_code_of_a_build_has_its_own_confidence() -> None:
    answer = torch_cuda.code("2.6.0+cu118")
    assert isinstance(answer, Looked)
    assert (answer.value, answer.weak) == (Code(("sm_37", *TO_HOPPER), None), True)
    contents = torch_cuda.variant("2.6.0+cu118")
    assert isinstance(contents, Looked)
    assert contents.confidence == "high"


@pytest.mark.parametrize(("version", "expected"), [("2.6.0", "medium"), ("2.6.0+cu126", "high")])
def test_a_list_that_a_wheel_printed_itself_is_sure(version: str, expected: str) -> None:
    answer = torch_cuda.code(version)
    assert isinstance(answer, Looked)
    assert (answer.value, answer.confidence) == (Code(TO_HOPPER, None), expected)


def test_newer_builds_carry_ptx_and_leave_volta_out() -> None:
    assert value(torch_cuda.code("2.13.0+cu130")) == Code(
        ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"), "compute_120"
    )


def test_arm_builds_have_code_of_their_own() -> None:
    assert value(torch_cuda.code("2.13.0+cu126", machine="aarch64")) == Code(
        ("sm_80", "sm_90"), None
    )
    assert torch_cuda.code("2.5.1+cu124", machine="aarch64") == NotInTable(
        "GPU code of torch 2.5.1+cu124 for aarch64", "torch_cuda"
    )


def test_the_default_build_is_known_for_one_machine_only() -> None:
    expected = NotInTable("torch 2.13.0 for aarch64", "torch_cuda")
    assert torch_cuda.variant("2.13.0", machine="aarch64") == expected
    assert torch_cuda.code("2.13.0", machine="aarch64") == expected


def test_gpu_code_that_nobody_told_is_not_no_code() -> None:
    assert torch_cuda.code("2.15.0+cu132") == NotInTable(
        "GPU code of torch 2.15.0+cu132", "torch_cuda"
    )


def test_a_torch_after_the_table_is_newer() -> None:
    assert torch_cuda.variant("3.0.0") == NewerThanFacts("torch 3.0.0", DATE)
    assert torch_cuda.code("3.0.0+cu140") == NewerThanFacts("torch 3.0.0+cu140", DATE)


@pytest.mark.parametrize(
    "version", ["1.9.0", "2.5.1+rocm6.2", "2.5.1+cu117", "1.11.0", "2.9.0a0+1.nv25.10", "x"]
)
def test_a_torch_that_the_table_lacks_is_not_in_it(version: str) -> None:
    assert torch_cuda.variant(version) == NotInTable(f"torch {version}", "torch_cuda")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("manylinux_2_28_x86_64", LibcFloor("glibc", "2.28")),
        ("manylinux_2_28", LibcFloor("glibc", "2.28")),
        ("manylinux1_x86_64", LibcFloor("glibc", "2.5")),
        ("manylinux2010_i686", LibcFloor("glibc", "2.12")),
        ("manylinux2014_aarch64", LibcFloor("glibc", "2.17")),
        ("manylinux_2_99_x86_64", LibcFloor("glibc", "2.99")),
        ("musllinux_1_2_x86_64", LibcFloor("musl", "1.2")),
    ],
)
def test_a_platform_tag_asks_for_a_c_library(tag: str, expected: LibcFloor) -> None:
    assert value(manylinux.floor(tag)) == expected


@pytest.mark.parametrize("tag", ["any", "linux_x86_64", "manylinux_2_x86_64", "win_amd64", ""])
def test_a_tag_without_a_c_library_is_not_in_the_table(tag: str) -> None:
    assert manylinux.floor(tag) == NotInTable(f"Platform tag {tag}", "manylinux")


@pytest.mark.parametrize(
    ("os_id", "version_id", "expected"),
    [
        (
            "debian",
            "12",
            Distribution("debian", "12", "glibc", "2.36", "bookworm", "3.4.30"),
        ),
        (
            "ubuntu",
            "22.04",
            Distribution("ubuntu", "22.04", "glibc", "2.35", "jammy", "3.4.30"),
        ),
        ("rhel", "9.4", Distribution("rhel", "9", "glibc", "2.34", None, "3.4.29")),
        ("rocky", "8.10", Distribution("rocky", "8", "glibc", "2.28", None, "3.4.25")),
        ("alpine", "3.20.3", Distribution("alpine", "3.20", "musl", "1.2.5", None, None)),
    ],
)
def test_a_distribution_has_a_c_library(
    os_id: str, version_id: str, expected: Distribution
) -> None:
    assert value(manylinux.distribution(os_id, version_id)) == expected


def test_a_distribution_that_the_table_lacks_has_no_answer() -> None:
    assert manylinux.distribution("debian", "14") == NewerThanFacts("debian 14", DATE)
    assert manylinux.distribution("ubuntu", "19.10") == NotInTable("ubuntu 19.10", "manylinux")
    assert manylinux.distribution("debian", "sid") == NotInTable("debian sid", "manylinux")
    assert manylinux.distribution("nixos", "24.11") == NotInTable("nixos 24.11", "manylinux")


@given(st.text())
def test_no_text_makes_a_lookup_raise(text: str) -> None:
    answers: list[object] = [
        cudnn.support(text),
        nvidia_pip.component(text, text),
        nvidia_pip.component(f"nvidia-x-cu{text}"),
        nvidia_pip.by_soname(text),
        nvidia_pip.toolkits(text, text),
        nvidia_pip.pins(text),
        torch_cuda.variant(text, text),
        torch_cuda.code(text, machine=text),
        manylinux.floor(text),
        manylinux.floor(f"manylinux_{text}"),
        manylinux.distribution("debian", text),
    ]
    assert all(isinstance(answer, (Looked, NewerThanFacts, NotInTable)) for answer in answers)
