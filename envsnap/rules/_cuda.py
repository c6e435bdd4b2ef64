"""Which CUDA an environment was built for, by its packages' names and versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple, NoReturn
from envsnap.facts import Looked, torch_cuda
from envsnap.facts.cuda_names import cuda_of
from envsnap.facts.gpu_packages import gpu_only
from envsnap.rules._core import Side, look_up, need, not_decidable
from envsnap.rules._views import active, all_are_listed
from envsnap.sections import Fact, Os, Package, Packages, Python, Reason, Unknown

_CONDA = frozenset({"cuda-version", "cuda-cudart", "cudatoolkit", "cuda-runtime"})
_ROCM = re.compile(r"(?:-|\A)rocm\d*(?:-|\Z)|\Aamdgpu-|\Arocm-")
_TOOLS = frozenset({"nvidia-ml-py", "nvidia-ml-py3", "nvidia-pyindex"})
"""NVIDIA's distributions that only look at a GPU."""
_PUBLISHED = frozenset({"index", "archive"})
"""Origins of a wheel that its project made."""
_RELEASE = 3
_MACHINES = {"amd64": "x86_64"}
"""How Windows calls what Linux calls otherwise."""


class Need(NamedTuple):
    """One package that was built for a CUDA version."""

    package: str
    cuda: str
    """As '12.4', or '12' where only the major is known."""


def needs(side: Side) -> tuple[Need, ...]:
    """The packages of that side which bring or need CUDA, with its version."""
    return side.once(_needs)


def _needs(side: Side) -> tuple[Need, ...]:
    if is_machine_alone(side):
        return ()
    found = [
        Need(package.name, cuda)
        for name, package in side.once(_hinting).items()
        if (cuda := cuda_of(name, package.version)) is not None
    ]
    found += _of_torch(side, active(side))
    for record in need(side.need(Packages).conda_only, side.path("packages.conda_only")):
        if record.name in _CONDA:
            found.append(Need(record.name, _two(record.version)))
    # The names that people know come first, and are told where several would do.
    return tuple(sorted(found, key=lambda each: each.package.startswith("nvidia-")))


def _hinting(side: Side) -> Mapping[str, Package]:
    """The packages whose name or version may be about a GPU: most are not looked at again."""
    return {
        name: package
        for name, package in active(side).items()
        if may_be_about_gpus(name, package.version)
    }


def may_be_about_gpus(name: str, version: str) -> bool:
    """Whether anything here could find CUDA or ROCm in a name or version; a test holds it to."""
    return "cu" in name or "gpu" in name or "rocm" in name or "nvidia" in name or "+" in version


def gpu_packages(side: Side) -> list[str]:
    """The packages that are there to compute on a GPU."""
    return side.once(_gpu_packages)


def _gpu_packages(side: Side) -> list[str]:
    packages = active(side)
    named = {each.package for each in needs(side)}
    there = packages.keys() & gpu_only()  # which asks a list that names not all for none
    named.update(packages[name].name for name in there)
    named.update(
        package.name
        for name, package in side.once(_hinting).items()
        if name.endswith("-gpu")
        or is_for_amd(name, package)
        or (name.startswith("nvidia-") and name not in _TOOLS)
    )
    if not named:
        all_are_listed(side)
    return sorted(named)


def is_for_amd(name: str, package: Package) -> bool:
    """Whether a package is a build for ROCm, by its name or its local version."""
    named = "rocm" in name or "amdgpu" in name  # most are not, and need no pattern
    return (named and bool(_ROCM.search(name))) or "+rocm" in package.version


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


def release_of(version: str) -> str:
    """The library's own version: a fourth number is the package's build.

    >>> release_of("9.1.0.70")
    '9.1.0'
    """
    return ".".join(version.split(".")[:_RELEASE])


def major(cuda: str) -> str:
    """The major of a CUDA version."""
    return cuda.partition(".")[0]


def _of_torch(side: Side, packages: Mapping[str, Package]) -> Iterator[Need]:
    """The index's own build of PyTorch has no label: which CUDA it is for, the tables say."""
    torch = packages.get("torch")
    if torch is None or "+" in torch.version or torch.conda is not None or _is_on_mac(side):
        return
    is_told = any(name.startswith("nvidia-") for name in packages)
    if torch.origin.kind not in _PUBLISHED:
        if not is_told:
            _refuse_unlabelled(side)
        return
    build = torch_cuda.variant(torch.version, machine=machine(side))
    if not isinstance(build, Looked) and is_told:
        return  # the libraries that came with it say it
    cuda = look_up(build, side.path("packages.installed.torch.version")).value.cuda
    if cuda is not None:
        yield Need(torch.name, _two(cuda))


def torch_of(side: Side) -> Package | None:
    """PyTorch, whoever built it; None where it is not there, or the environment was left out."""
    return None if is_machine_alone(side) else active(side).get("torch")


def published_torch(side: Side) -> Package | None:
    """PyTorch as its project publishes it; None where it is another's build, or not there.

    Where a list tells no origin, a label of its project's (+cu121) does: nobody else gives it,
    and one that the tables do not know ends the rule there. Without a label it may be anybody's.
    """
    torch = torch_of(side)
    if torch is None or torch.conda is not None or "rocm" in torch.version or _is_on_mac(side):
        return None
    if torch.origin.kind == "unknown" and "+" not in torch.version:
        _refuse_unlabelled(side)
    return torch if torch.origin.kind in {*_PUBLISHED, "unknown"} else None


def _refuse_unlabelled(side: Side) -> NoReturn:
    """End the rule: a build of PyTorch that nobody says the origin of."""
    not_decidable(
        side.path("packages.installed.torch.origin"),
        "whose build of PyTorch it is, and for which CUDA, is not told",
    )


def machine(side: Side) -> str:
    """The architecture that the environment's packages are for: Python's, else the system's."""
    python, system = side.manifest.section(Python), side.manifest.section(Os)
    told: Fact[str] = python if isinstance(python, Unknown) else python.architecture
    if isinstance(told, Unknown) and not isinstance(system, Unknown):
        told = told if isinstance(system.architecture, Unknown) else system.architecture
    place = "python" if isinstance(python, Unknown) else "python.architecture"
    name = need(told, side.path(place))
    return _MACHINES.get(name.lower(), name)


def _is_on_mac(side: Side) -> bool:
    """Whether it is surely macOS, for which nobody builds with CUDA any more."""
    system = side.manifest.section(Os)
    return not isinstance(system, Unknown) and system.system == "Darwin"


def _two(version: str) -> str:
    return ".".join(version.split(".")[:2])
