"""Which CUDA an environment was built for, by its packages' names and versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.facts import Looked, torch_cuda
from envsnap.rules._core import Side, look_up, need
from envsnap.rules._views import active
from envsnap.sections import Package, Packages, Python, Reason, Unknown

_LABEL = re.compile(r"\+cu(\d{2})(\d)\b")
_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?\Z")
_SUFFIX = re.compile(r"(?:-cuda|-cu)(\d{2})x?(?:-|\Z)")
_CONDA = frozenset({"cuda-version", "cuda-cudart", "cudatoolkit", "cuda-runtime"})
_GPU_ONLY = frozenset({
    "apex", "bitsandbytes", "cudf", "cuml", "cupy", "faiss-gpu", "flash-attn", "onnxruntime-gpu",
    "paddlepaddle-gpu", "pycuda", "tensorflow-gpu", "tensorrt", "torch-tensorrt",
    "transformer-engine", "vllm", "warp-lang", "xformers",
})  # fmt: skip
"""Distributions that do nothing, or not what they are for, without a GPU."""


_ROCM = re.compile(r"(?:-|\A)rocm\d*(?:-|\Z)|\Aamdgpu-|\Arocm-")
_TOOLS = frozenset({"nvidia-ml-py", "nvidia-ml-py3", "nvidia-pyindex"})
"""NVIDIA's distributions that only look at a GPU."""


class Need(NamedTuple):
    """One package that was built for a CUDA version."""

    package: str
    cuda: str
    """As '12.4', or '12' where only the major is known."""


def needs(side: Side) -> tuple[Need, ...]:
    """The packages of that side which bring or need CUDA, with its version."""
    if is_machine_alone(side):
        return ()
    packages = active(side)
    found = [each for name, package in packages.items() for each in _of(name, package)]
    found += _of_torch(side, packages)
    for record in need(side.need(Packages).conda_only, side.path("packages.conda_only")):
        if record.name in _CONDA:
            found.append(Need(record.name, _two(record.version)))
    # The names that people know come first, and are told where several would do.
    return tuple(sorted(found, key=lambda each: each.package.startswith("nvidia-")))


def gpu_packages(side: Side) -> list[str]:
    """The packages that are there to compute on a GPU."""
    named = {each.package for each in needs(side)}
    named.update(
        package.name
        for name, package in active(side).items()
        if name in _GPU_ONLY
        or name.endswith("-gpu")
        or is_for_amd(name, package)
        or (name.startswith("nvidia-") and name not in _TOOLS)
    )
    return sorted(named)


def is_for_amd(name: str, package: Package) -> bool:
    """Whether a package is a build for ROCm, by its name or its local version."""
    return bool(_ROCM.search(name)) or "+rocm" in package.version


def computes_on_gpu(side: Side) -> bool:
    """Whether the environment has packages that compute on a GPU.

    Where the environment was left out, the machines alone are compared, and their GPUs count.
    """
    return is_machine_alone(side) or bool(gpu_packages(side))


def is_machine_alone(side: Side) -> bool:
    """Whether the environment was left out on purpose: machines are compared.

    Packages that were left out beside a Python that was not are an environment half seen.
    """
    sections = (side.manifest.section(Packages), side.manifest.section(Python))
    return all(isinstance(each, Unknown) and each.reason is Reason.NOT_ASKED for each in sections)


def major(cuda: str) -> str:
    """The major of a CUDA version."""
    return cuda.partition(".")[0]


def _of(name: str, package: Package) -> Iterator[Need]:
    label = _LABEL.search(package.version)
    suffix = _SUFFIX.search(name)
    if label:
        yield Need(package.name, f"{label[1]}.{label[2]}")
    elif _RUNTIME.match(name):
        yield Need(package.name, _two(package.version))
    elif suffix:
        yield Need(package.name, suffix[1])


def _of_torch(side: Side, packages: Mapping[str, Package]) -> Iterator[Need]:
    """The index's own build of PyTorch has no label: which CUDA it is for, the tables say."""
    torch = packages.get("torch")
    if torch is None or "+" in torch.version or torch.conda is not None:
        return
    build = torch_cuda.variant(torch.version, machine=machine(side))
    if not isinstance(build, Looked) and any(name.startswith("nvidia-") for name in packages):
        return  # the libraries that came with it say it
    cuda = look_up(build, side.path("packages.installed.torch.version")).value.cuda
    if cuda is not None:
        yield Need(torch.name, _two(cuda))


def published_torch(side: Side) -> Package | None:
    """PyTorch as its project publishes it; None where it is another's build, or not there."""
    torch = None if is_machine_alone(side) else active(side).get("torch")
    if torch is None or torch.conda is not None or "rocm" in torch.version:
        return None
    return torch if torch.origin.kind in {"index", "archive"} else None


def machine(side: Side) -> str:
    """The architecture that the environment's packages are for."""
    return need(side.need(Python).architecture, side.path("python.architecture"))


def _two(version: str) -> str:
    return ".".join(version.split(".")[:2])
