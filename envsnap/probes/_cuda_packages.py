"""CUDA libraries that pip or conda installed, by the names of their packages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envsnap.sections import CondaRecord, CudaLibrary, Package

_SUFFIX = re.compile(r"nvidia-(.+)-cu\d{2,3}\Z", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
_CONDA_FAMILIES = {
    "cudatoolkit": "toolkit", "cuda-toolkit": "toolkit", "cuda-version": "version",
    "cuda-cudart": "runtime", "cuda-nvrtc": "nvrtc", "cuda-nvcc": "nvcc", "cuda-cupti": "cupti",
    "cuda-nvtx": "nvtx", "cudnn": "cudnn", "libcudnn": "cudnn", "nccl": "nccl",
    "libcublas": "cublas", "libcufft": "cufft", "libcurand": "curand",
    "libcusolver": "cusolver", "libcusparse": "cusparse", "cusparselt": "cusparselt",
    "libnvjitlink": "nvjitlink", "libnpp": "npp", "libnvjpeg": "nvjpeg", "libcufile": "cufile",
    "cutensor": "cutensor", "libcutensor": "cutensor",
}  # fmt: skip


def from_pip(packages: Sequence[Package]) -> Iterator[CudaLibrary]:
    """The libraries among the active distributions; conda's own are told by `from_conda`."""
    for package in packages:
        if not package.active or package.conda is not None:
            continue
        family = pip_family(package.name, package.version)
        if family is not None:
            yield CudaLibrary(
                family=family,
                version=package.version,
                source="pip",
                owner=package.name,
                location=None,
            )


def from_conda(records: Sequence[CondaRecord]) -> Iterator[CudaLibrary]:
    """The libraries among conda's packages."""
    for record in records:
        family = _CONDA_FAMILIES.get(record.name)
        if family is not None:
            yield CudaLibrary(
                family=family,
                version=record.version,
                source="conda",
                owner=record.name,
                location=None,
            )


def pip_family(name: str, version: str) -> str | None:
    """The family that a distribution brings; None for one that brings no CUDA library.

    >>> pip_family("nvidia-cudnn-cu12", "9.1.0.70"), pip_family("nvidia-ml-py", "13.580.65")
    ('cudnn', None)
    """
    canonical = _SEPARATORS.sub("-", name).lower()
    if canonical == "cuda-toolkit":
        return "toolkit"
    if not canonical.startswith("nvidia-"):
        return None
    from envsnap.facts import Looked, nvidia_pip  # its table is read only where one is installed

    found = nvidia_pip.component(canonical, version)
    if isinstance(found, Looked):
        return found.value.name.removeprefix("cuda-")
    # One that the table does not hold, older or newer, still says what it is.
    match = _SUFFIX.match(canonical)
    return match.group(1).removeprefix("cuda-") if match else None
