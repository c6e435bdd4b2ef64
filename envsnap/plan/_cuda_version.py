"""Which CUDA an environment needs of its image: what its packages are built for decides first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from envsnap.facts import library_families
from envsnap.facts.cuda_names import cuda_of
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan._floor import numbers
from envsnap.sections import Cuda, Package, Packages, Unknown

_SONAME = re.compile(r"lib[\w+-]+\.so\.(\d{1,3})(?:\.\d{1,4})*\Z")
_NAMING = frozenset({"cublas", "runtime"})
"""Families whose SONAMEs have CUDA's own release; cuFFT, cuDNN and others count for themselves."""
_NUMBERED = frozenset({"cublas", "nvjitlink", "nvrtc", "runtime", "toolkit"})
"""Families whose versions begin with CUDA's own release."""


def cuda_version(
    manifest: Manifest, built: Collection[str], *, compiles: bool = False
) -> str | None:
    """The CUDA to bring, as exactly as it is known: '12.4.1', '12.4' or '12'; None for none.

    `built` is what the packages that need it are built for: no other major release serves them.
    Of those that were there, the one of nvcc goes before the highest toolkit, and that before the
    runtime, whose number is not the toolkit's. `compiles`: a runtime alone tells of no compiler,
    and another minor release of nvcc compiles for the same packages.
    """
    kinds = ("toolkit",) if compiles else ("toolkit", "runtime")
    there = [each for each in _there(manifest, kinds) if _is_of(each, built)]
    exact = () if compiles else built
    same_minor = [each for each in there if any(_begins(each, told) for told in exact)]
    told = built or built_for(manifest, _active(manifest))
    return next(iter([*same_minor, *there]), None) or max(told, key=numbers, default=None)


def built_for(
    manifest: Manifest, names: Iterable[str], sonames: Iterable[str] = ()
) -> frozenset[str]:
    """What these distributions are built for, by their own names and the SONAMEs they ask for."""
    asking = {canonical_name(each) for each in names}
    own = (
        cuda_of(canonical_name(each.name), each.version)
        for each in _packages(manifest)
        if each.active and canonical_name(each.name) in asking
    )
    return frozenset(filter(None, (*own, *map(_of_soname, sonames))))


def fits(family: str, version: str, built: Collection[str]) -> bool:
    """Whether a library that was there can be of the CUDA that something is built for."""
    return family not in _NUMBERED or _is_of(version, built)


def of_system(manifest: Manifest) -> list[tuple[str, str]]:
    """Family and version of CUDA's libraries that the system itself has."""
    cuda = manifest.section(Cuda)
    libraries = () if isinstance(cuda, Unknown) else cuda.libraries
    return [
        (each.family, each.version)
        for each in (() if isinstance(libraries, Unknown) else libraries)
        if each.source == "system" and isinstance(each.version, str) and numbers(each.version)
    ]


def nvcc_of(manifest: Manifest) -> str | None:
    """The version that nvcc says of itself; None where none is on PATH."""
    cuda = manifest.section(Cuda)
    found = None if isinstance(cuda, Unknown) else cuda.nvcc
    return found if isinstance(found, str) and numbers(found) else None


def _there(manifest: Manifest, kinds: Iterable[str]) -> Iterator[str]:
    """The releases that were there, the likeliest first.

    nvcc's third number is its own: nvcc 12.4.131 belongs to CUDA 12.4.1.
    """
    found = of_system(manifest)
    kits = sorted((version for kind, version in found if kind == "toolkit"), key=numbers)
    nvcc = nvcc_of(manifest)
    if nvcc is not None:
        yield from (each for each in reversed(kits) if _minor(each) == _minor(nvcc))
        yield _minor(nvcc)
    for kind in kinds:
        versions = sorted((version for each, version in found if each == kind), key=numbers)
        yield from reversed(versions if kind == "toolkit" else [_minor(each) for each in versions])


def _of_soname(name: str) -> str | None:
    """The major CUDA release that a SONAME of CUDA's own names; None for cuDNN, NCCL and others."""
    found = _SONAME.match(name)
    return found[1] if found is not None and library_families.family(name) in _NAMING else None


def _is_of(version: str, built: Collection[str]) -> bool:
    """Whether a version is of the same major release; any is where nothing tells of one."""
    return not built or version.partition(".")[0] in {each.partition(".")[0] for each in built}


def _begins(version: str, exact: str) -> bool:
    return numbers(version)[: len(numbers(exact))] == numbers(exact)


def _packages(manifest: Manifest) -> Iterable[Package]:
    section = manifest.section(Packages)
    installed = () if isinstance(section, Unknown) else section.installed
    return () if isinstance(installed, Unknown) else installed


def _active(manifest: Manifest) -> list[str]:
    return [each.name for each in _packages(manifest) if each.active]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
