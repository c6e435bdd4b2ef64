"""CUDA libraries by who brought them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import Ran, RecordedHost
from envsnap.probes import _cuda_packages, _cuda_system
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look, Options
from envsnap.probes.cuda import probe_cuda
from envsnap.sections import (
    CondaRecord,
    Cuda,
    CudaLibrary,
    Fact,
    Origin,
    Package,
    Packages,
    Reason,
    Unknown,
)

NVCC_12_4 = (
    "nvcc: NVIDIA (R) Cuda compiler driver\n"
    "Copyright (c) 2005-2024 NVIDIA Corporation\n"
    "Built on Thu_Mar_28_02:18:24_PDT_2024\n"
    "Cuda compilation tools, release 12.4, V12.4.131\n"
    "Build cuda_12.4.r12.4/compiler.34097967_0\n"
)
NOWHERE = Unknown(Reason.NOT_ASKED, "no interpreter in this test")
GCC_LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def package(
    name: str, version: str, *, active: bool = True, conda: CondaRecord | None = None
) -> Package:
    no = Unknown(Reason.NOT_RECORDED)
    origin = Origin(
        kind="index",
        url=no,
        vcs=None,
        commit=None,
        revision=None,
        archive_hash=None,
        subdirectory=None,
    )
    return Package(
        name=name,
        version=version,
        version_valid=True,
        active=active,
        layer="env",
        location="{env}/lib/python3.11/site-packages",
        installer="pip",
        requested=no,
        origin=origin,
        tags=None,
        build=None,
        content=None,
        evidence="version",
        conda=conda,
    )


def record(name: str, version: str) -> CondaRecord:
    return CondaRecord(
        name=name,
        version=version,
        build="0",
        channel="conda-forge",
        subdir="linux-64",
        url=None,
        md5=None,
        sha256=None,
    )


def cuda(
    host: RecordedHost,
    *,
    installed: Fact[tuple[Package, ...]] = (),
    conda_only: Fact[tuple[CondaRecord, ...]] = (),
    have: Mapping[str, object] | None = None,
) -> Cuda:
    packages = Packages(installed=installed, conda_only=conda_only, broken=())

    def environment() -> Fact[Interpreter]:
        return NOWHERE

    look = Look(
        host=host,
        options=Options(),
        have={"packages": packages} if have is None else have,
        environment=environment,
    )
    return probe_cuda(look)


def bare(**more: object) -> RecordedHost:
    return RecordedHost.made(absent_below=["/"], home="/home/user", cwd="/home/user", **more)  # type: ignore[arg-type]


def library(  # noqa: PLR0917 - one line of the expected table
    family: str, version: Fact[str], source: str, owner: str | None, location: str | None
) -> CudaLibrary:
    return CudaLibrary(
        family=family, version=version, source=source, owner=owner, location=location
    )


def test_a_machine_without_cuda_has_a_known_empty_list() -> None:
    assert cuda(bare(), installed=(package("numpy", "2.0.0"),)) == Cuda(libraries=(), nvcc=None)


def test_pips_libraries_are_told_by_family() -> None:
    installed = (
        package("nvidia-cudnn-cu12", "9.1.0.70"),
        package("nvidia-cudnn-cu11", "8.9.0.131", active=False),
        package("nvidia_cuda_runtime_cu12", "12.4.127"),
        package("nvidia-ml-py", "13.580.65"),
        package("nvidia-nvjpeg2k-cu12", "0.8.0.38"),
    )
    assert cuda(bare(), installed=installed).libraries == (
        library("cudnn", "9.1.0.70", "pip", "nvidia-cudnn-cu12", None),
        library("nvjpeg2k", "0.8.0.38", "pip", "nvidia-nvjpeg2k-cu12", None),
        library("runtime", "12.4.127", "pip", "nvidia_cuda_runtime_cu12", None),
    )


def test_condas_libraries_are_told_by_family() -> None:
    owned = package("nvidia-nccl-cu12", "2.21.5", conda=record("nccl", "2.21.5.1"))
    only = (record("cudatoolkit", "11.8.0"), record("libcublas", "11.11.3.6"), record("zlib", "1"))
    assert cuda(bare(), installed=(owned,), conda_only=only).libraries == (
        library("cublas", "11.11.3.6", "conda", "libcublas", None),
        library("nccl", "2.21.5.1", "conda", "nccl", None),
        library("toolkit", "11.8.0", "conda", "cudatoolkit", None),
    )


def test_a_toolkit_and_the_systems_libraries_are_told_by_their_files() -> None:
    lib = "/usr/local/cuda-12.4/targets/x86_64-linux/lib"
    host = bare(
        files={
            "/usr/local/cuda-12.4/version.json": '{"cuda": {"version": "12.4.1"}}',
            f"{lib}/libcudart.so.12.4.127": "",
            f"{lib}/libcublas.so.12.4.5.8": "",
            f"{GCC_LIBRARIES}/libcudnn.so.9.1.0": "",
            f"{GCC_LIBRARIES}/libcudnn_ops.so.9.1.0": "",
            "/usr/bin/nvcc": "",
        },
        links={
            "/usr/local/cuda": "cuda-12.4",
            "/usr/local/cuda-12.4/lib64": "targets/x86_64-linux/lib",
            f"{lib}/libcudart.so.12": "libcudart.so.12.4.127",
            f"{GCC_LIBRARIES}/libcudnn.so.9": "libcudnn.so.9.1.0",
        },
        commands={("nvcc", "--version"): NVCC_12_4},
    )
    assert cuda(host) == Cuda(
        libraries=(
            library("cublas", "12.4.5.8", "system", None, f"{lib}/libcublas.so.12.4.5.8"),
            library("cudnn", "9.1.0", "system", None, f"{GCC_LIBRARIES}/libcudnn.so.9.1.0"),
            library("runtime", "12.4.127", "system", None, f"{lib}/libcudart.so.12.4.127"),
            library("toolkit", "12.4.1", "system", None, "/usr/local/cuda-12.4"),
        ),
        nvcc="12.4.131",
    )


def test_a_toolkit_that_a_module_names_lies_anywhere() -> None:
    host = bare(
        files={"/apps/cuda/10.2/version.txt": "CUDA Version 10.2.89\n"},
        environ={"CUDA_HOME": "/apps/cuda/10.2"},
    )
    assert cuda(host).libraries == (library("toolkit", "10.2.89", "system", None, "{other}/10.2"),)


def test_two_copies_of_cudnn_are_both_there() -> None:
    folder = "/usr/lib64"
    host = bare(files={f"{folder}/libcudnn.so.8.9.7": "", f"{folder}/libcudnn.so.9.1.0": ""})
    assert cuda(host).libraries == (
        library("cudnn", "8.9.7", "system", None, f"{folder}/libcudnn.so.8.9.7"),
        library("cudnn", "9.1.0", "system", None, f"{folder}/libcudnn.so.9.1.0"),
    )


def test_without_the_packages_the_list_is_unknown_and_nvcc_is_not() -> None:
    host = bare(files={"/usr/bin/nvcc": ""}, commands={("nvcc", "--version"): NVCC_12_4})
    why = Unknown(Reason.TIMED_OUT, "the interpreter")
    assert cuda(host, have={"packages": why}) == Cuda(libraries=why, nvcc="12.4.131")
    left_out = Unknown(Reason.NOT_ASKED, "packages was left out of this capture")
    assert cuda(host, have={}) == Cuda(libraries=left_out, nvcc="12.4.131")
    assert cuda(host, installed=why).libraries == why
    assert cuda(host, conda_only=why).libraries == why


def test_a_folder_that_cannot_be_read_makes_the_list_unknown() -> None:
    denied = Unknown(Reason.NO_PERMISSION)
    assert cuda(bare(folders={"/usr/local": denied})).libraries == denied
    assert cuda(bare(folders={GCC_LIBRARIES: denied})).libraries == denied


def test_an_unreadable_version_file_is_an_unknown_version() -> None:
    host = bare(files={"/usr/local/cuda/version.json": "{truncated"})
    assert cuda(host).libraries == (
        library(
            "toolkit",
            Unknown(Reason.UNPARSABLE, "version.json: {truncated"),
            "system",
            None,
            "/usr/local/cuda",
        ),
    )


def test_the_compilers_version_is_read_where_its_toolkit_writes_it() -> None:
    text = '{"cuda": {"version": "12.4.1"}, "cuda_nvcc": {"version": "12.4.131"}}'
    host = bare(
        files={"/usr/local/cuda-12.4/bin/nvcc": "", "/usr/local/cuda-12.4/version.json": text},
        links={"/usr/bin/nvcc": "/usr/local/cuda-12.4/bin/nvcc"},
    )
    assert cuda(host).nvcc == "12.4.131"


@pytest.mark.parametrize(
    ("ran", "nvcc"),
    [
        (NVCC_12_4, "12.4.131"),
        ("Cuda compilation tools, release 9.1, V9.1.85\n", "9.1.85"),
        ("hello\n", Unknown(Reason.UNPARSABLE, "hello")),
        (Ran(127, "", "no such"), Unknown(Reason.CRASHED, "nvcc --version ended with status 127")),
        (Unknown(Reason.TIMED_OUT, "nvcc"), Unknown(Reason.TIMED_OUT, "nvcc")),
    ],
)
def test_the_compilers_version(ran: str | Ran | Unknown, nvcc: Fact[str]) -> None:
    host = bare(files={"/usr/bin/nvcc": ""}, commands={("nvcc", "--version"): ran})
    assert cuda(host).nvcc == nvcc


@pytest.mark.parametrize(
    ("name", "version", "family"),
    [
        ("nvidia-cublas-cu12", "12.4.5.8", "cublas"),
        ("nvidia-cublas", "13.0.2.14", "cublas"),
        ("nvidia-cuda-nvrtc-cu117", "11.7.99", "nvrtc"),
        ("nvidia-cudnn-cu14", "9.99.0", "cudnn"),
        ("cuda-toolkit", "12.9.0", "toolkit"),
        ("nvidia-dali-cuda120", "1.30.0", None),
        ("torch", "2.4.0", None),
    ],
)
def test_the_family_of_a_distribution(name: str, version: str, family: str | None) -> None:
    assert _cuda_packages.pip_family(name, version) == family


@given(st.text(), st.lists(st.text()))
def test_no_text_raises(text: str, names: list[str]) -> None:
    _cuda_packages.pip_family(text, text)
    _cuda_packages.pip_family(f"nvidia-{text}", text)
    for parse in (
        _cuda_system.parse_version_json,
        _cuda_system.parse_version_txt,
        _cuda_system.parse_nvcc,
    ):
        assert parse(text) is None or parse(text)
    assert len(list(_cuda_system.parse_names(names))) <= len(names)
