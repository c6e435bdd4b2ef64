"""The words that make a package worth asking what it is built for leave none out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envsnap.facts import cuda_names
from envsnap.facts.cuda_names import cuda_of
from envsnap.rules import _cuda
from envsnap.rules._cuda import is_for_amd, may_be_about_gpus
from tests.made import package

NAMES = st.one_of(
    st.from_regex(cuda_names._SUFFIX),  # noqa: SLF001 - what the conventions themselves look for
    st.from_regex(cuda_names._RUNTIME),  # noqa: SLF001
    st.from_regex(_cuda._ROCM),  # noqa: SLF001
    st.sampled_from(("torch-gpu", "nvidia-cublas-cu12", "nvidia-nccl", "numpy")),
)
VERSIONS = st.one_of(st.from_regex(cuda_names._LABEL), st.just("1.0"), st.just("1.0+rocm6.0"))  # noqa: SLF001


@given(NAMES, VERSIONS)
def test_what_names_a_gpu_is_asked_about_it(name: str, version: str) -> None:
    found = (
        cuda_of(name, version) is not None
        or is_for_amd(name, package(name, version))
        or name.endswith("-gpu")
        or name.startswith("nvidia-")
    )
    assert may_be_about_gpus(name, version) or not found
