"""Which family a library's name belongs to."""

from __future__ import annotations

import pytest

from envsnap.facts import library_families
from envsnap.facts._table import table


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("libcudart.so.12", "runtime"),
        ("libcudart-d0da41ae.so.11.0", "runtime"),
        ("libcuda.so.1", "driver"),
        ("libcublasLt.so.12", "cublas"),
        ("libcudnn_engines_runtime_compiled.so.9", "cudnn"),
        ("libcusparseLt.so.0", "cusparselt"),
        ("libcusparse.so.12", "cusparse"),
        ("libcusolverMg.so.11", "cusolver"),
        ("libnvrtc-builtins.so.12.8", "nvrtc"),
        ("libnvJitLink.so.13", "nvjitlink"),
        ("libscipy_openblas64_-32a4b2a6.so", "blas"),
        ("libopenblasp-r0-23e5df77.3.21.dev.so", "blas"),
        ("libmkl_rt.so.2", "blas"),
        ("liblapack.so.3", "lapack"),
        ("libgomp-e985bcbb.so.1.0.0", "openmp"),
        ("libiomp5.so", "openmp"),
        ("libmpi.so.40.30.4", "mpi"),
        ("libmpi_cxx.so.40", "mpi"),
        ("libstdc++.so.6", "libstdc++"),
        ("libamdhip64.so.6", "hip"),
        ("libgfortran-040039e1-0352e75f.so.5.0.0", None),
        ("libcudnnfrontend.so", None),
        ("libc.so.6", None),
        ("", None),
    ],
)
def test_a_library_s_family(name: str, family: str | None) -> None:
    assert library_families.family(name) == family


def test_every_library_of_nvidia_s_wheels_that_results_depend_on_has_a_family() -> None:
    rows = table("nvidia_pip").rows("component")
    wanted = ("cublas", "cudnn", "cufft", "curand", "cusolver", "cusparse", "nccl", "nvjitlink")
    named = {
        soname: row["component"]
        for row in rows
        for soname in row["sonames"]
        if row["component"] in wanted
    }
    assert len(named) > 40
    others = {name: library_families.family(name) for name in named}
    assert {name: each for name, each in others.items() if each != named[name]} == {}


def test_cudnn_opens_the_other_parts_of_its_generation() -> None:
    parts = library_families.opens("libcudnn.so.9")
    assert "libcudnn_ops.so.9" in parts
    assert "libcudnn.so.9" not in parts
    assert library_families.opens("libcudart.so.12") == ["libcuda.so.1"]
    assert list(library_families.opens("libz.so.1")) == []


def test_what_packages_open_themselves_is_known_by_its_place() -> None:
    site = "/env/lib/python3.11/site-packages"
    assert library_families.is_opened(f"{site}/torch/lib/libtorch_global_deps.so")
    assert library_families.is_opened(f"{site}/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
    assert library_families.is_opened(f"{site}/_soundfile_data/libsndfile_x86_64.so")
    assert not library_families.is_opened(f"{site}/other/libtorch_global_deps.so")
    assert not library_families.is_opened("/libtorch_global_deps.so")
