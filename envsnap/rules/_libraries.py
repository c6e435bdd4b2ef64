"""What would load, as several rules read it: the copies that each distribution gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.manifest import canonical_name
from envsnap.rules._core import Side, need
from envsnap.sections import Consumer, Libraries, LibraryCopy, Load, Unknown

TITLES: Mapping[str, str] = MappingProxyType({
    "blas": "BLAS", "cublas": "cuBLAS", "cudnn": "cuDNN", "cufft": "cuFFT", "cufile": "cuFile",
    "cupti": "CUPTI", "curand": "cuRAND", "cusolver": "cuSOLVER", "cusparse": "cuSPARSE",
    "cusparselt": "cuSPARSELt", "cutensor": "cuTENSOR", "driver": "CUDA driver library",
    "hip": "HIP", "lapack": "LAPACK", "libstdc++": "libstdc++", "miopen": "MIOpen", "mpi": "MPI",
    "nccl": "NCCL", "nvjitlink": "nvJitLink", "nvrtc": "NVRTC", "nvshmem": "NVSHMEM",
    "openmp": "OpenMP", "rccl": "RCCL", "rocblas": "rocBLAS", "runtime": "CUDA runtime",
    "toolkit": "CUDA toolkit",
})  # fmt: skip
"""The names that people know the families by."""
OPENMP_KINDS = ("libgomp", "libomp", "libiomp")
"""The kinds of `math.libraries` that are no BLAS."""
_STEM = re.compile(r"(.+?)(-[0-9a-f]{8})?(\.so\b.*)?\Z", re.DOTALL)
_SOURCES = {
    "system": "the system", "module": "a module", "host": "the host, bound into the container",
    "conda": "conda", "other": "another folder",
}  # fmt: skip
PACKAGED = frozenset({"pip", "conda"})
"""Sources whose libraries are a package's, in this environment or in another."""
_INSIDE = ("{env}/", "{base}/")
_BY_VARIABLE = ("LD_LIBRARY_PATH", "LD_PRELOAD")


class Loaded(NamedTuple):
    """One library that a distribution gets."""

    load: Load
    copy: LibraryCopy
    path: str
    """The copy's place in the manifest."""

    @property
    def stem(self) -> str:
        """The name without versions and what tools that vendor libraries put into it."""
        return stem(self.copy.name)

    @property
    def by_variable(self) -> bool:
        """Whether a variable of the shell led to it."""
        return self.load.found_by in _BY_VARIABLE

    @property
    def is_inside(self) -> bool:
        """Whether it lies in this environment's folders."""
        return self.copy.location.startswith(_INSIDE)

    def words(self) -> str:
        """Where it comes from, and its version where that is known."""
        source, owner = self.copy.source, self.copy.owner
        place = owner if isinstance(owner, str) else _SOURCES.get(str(source), "an unknown folder")
        if source == "system" and isinstance(owner, str):
            place = f"the system's {owner}"
        if self.by_variable:
            where = place if isinstance(owner, str) else self.copy.location
            place = f"{where} ({self.load.found_by})"
        elif source in PACKAGED and isinstance(owner, str) and not self.is_inside:
            place = f"{place} in another folder"
        version = self.copy.version
        return f"{place} {version}" if isinstance(version, str) else place


def stem(name: str) -> str:
    """A library's name without its version.

    >>> stem("libcudnn_ops.so.9"), stem("libgomp-a34b3233.so.1.0.0")
    ('libcudnn_ops', 'libgomp')
    """
    found = _STEM.match(name)
    return found[1] if found else name


def title(family: str) -> str:
    """What people call the family."""
    return TITLES.get(family, family)


def consumers(side: Side, libraries: Libraries) -> Mapping[str, Consumer]:
    """The distributions with compiled code, by canonical name."""
    known = need(libraries.consumers, side.path("libraries.consumers"))
    return {canonical_name(each.distribution): each for each in known}


def loaded(side: Side, libraries: Libraries, consumer: Consumer) -> tuple[Loaded, ...]:
    """The libraries that a distribution gets; ends the rule where they are not known."""
    place = f"libraries.consumers.{consumer.distribution}.loads"
    loads = need(consumer.loads, side.path(place))
    return tuple(_joined(side, libraries, loads))


def missing(side: Side, consumer: Consumer) -> frozenset[str]:
    """What a distribution's code asks for and does not get; ends the rule where it is not known."""
    path = side.path(f"libraries.consumers.{consumer.distribution}.missing")
    return frozenset(need(consumer.missing, path))


def _joined(side: Side, libraries: Libraries, loads: tuple[Load, ...]) -> Iterator[Loaded]:
    copies = {
        each.location: (each, side.path(f"libraries.copies[{index}]"))
        for index, each in enumerate(need(libraries.copies, side.path("libraries.copies")))
    }
    for load in loads:
        if load.location in copies:
            yield Loaded(load, *copies[load.location])


def is_same_file(one: LibraryCopy, other: LibraryCopy) -> bool | Unknown:
    """Whether two copies hold the same bytes; unknown where one was not hashed."""
    for content in (one.content, other.content):
        if isinstance(content, Unknown):
            return content
    return one.content == other.content
