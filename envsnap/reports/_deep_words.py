"""What `capture --deep` read, and the fabric, in one short line each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from envsnap.facts import gpu_packages
from envsnap.manifest import Manifest
from envsnap.rules._libraries import OPENMP_KINDS, stem, title
from envsnap.rules._views import few
from envsnap.sections import (
    CodeFile,
    Fabric,
    GpuCode,
    Libraries,
    LibraryCopy,
    Math,
    MathLibrary,
    SystemLibraries,
    Unknown,
)

_FIRST: Mapping[str, str] = MappingProxyType({
    "runtime": "libcudart", "cublas": "libcublas", "cudnn": "libcudnn", "nccl": "libnccl",
    "rocblas": "librocblas", "miopen": "libMIOpen", "rccl": "librccl", "mpi": "libmpi",
})  # fmt: skip
"""The families that have a place in the line, each by the library that stands for it."""
_SHOWN = 4


def libraries_words(manifest: Manifest) -> str:
    """'cuDNN 9.1.0 from nvidia-cudnn-cu12; NCCL 2.21.5 from nvidia-nccl-cu12'."""
    section = manifest.section(Libraries)
    if isinstance(section, Unknown) or isinstance(section.copies, Unknown):
        return ""
    told = {
        family: dict.fromkeys(
            _copy(each)
            for each in section.copies
            if each.family == family and stem(each.name) == first
        )
        for family, first in _FIRST.items()
    }
    parts = [f"{title(family)} {' and '.join(words)}" for family, words in told.items() if words]
    others = sorted({title(each.family) for each in section.copies})
    return "; ".join(parts) or (f"none of CUDA; {', '.join(others)}" if others else "none")


def _copy(copy: LibraryCopy) -> str:
    owner = copy.owner if isinstance(copy.owner, str) else None
    place = owner or (f"{copy.source}" if isinstance(copy.source, str) else "an unknown folder")
    version = copy.version if isinstance(copy.version, str) else None
    return f"{version} from {place}" if version else f"from {place}"


def code_words(manifest: Manifest) -> str:
    """'torch: sm_80 sm_90 compute_90; 11 other packages'."""
    section = manifest.section(GpuCode)
    if isinstance(section, Unknown) or isinstance(section.files, Unknown):
        return ""
    files = sorted(section.files, key=_rank)
    if not files:
        return "none in any library"
    names = dict.fromkeys(_package(each) for each in files)
    first = next(iter(names))
    targets = _targets([files[0]] if _rank(files[0]) == 0 else section.files, first)
    more = len(names) - 1
    others = f"; {more} other {'package' if more == 1 else 'packages'}" if more else ""
    return f"{first}: {' '.join(targets) or 'not read'}{others}"


def _rank(file: CodeFile) -> int:
    """PyTorch's own library first, the CUDA libraries last."""
    if file.location.endswith(gpu_packages.roots("torch")):
        return 0
    return 2 if _package(file).startswith("nvidia-") else 1


def _package(file: CodeFile) -> str:
    if isinstance(file.distribution, str):
        return file.distribution
    return file.location.rpartition("/")[2]


def _targets(files: Iterable[CodeFile], package: str) -> list[str]:
    facts = (
        fact for each in files if _package(each) == package
        for fact in (each.sass, each.ptx, each.amd)
    )  # fmt: skip
    names = {name for fact in facts if not isinstance(fact, Unknown) for name in fact}
    return sorted(
        names, key=lambda name: (name.startswith("compute"), len(name.rstrip("af")), name)
    )


def system_words(manifest: Manifest) -> str:
    """'14 system libraries, libsndfile.so.1 not here'."""
    section = manifest.section(SystemLibraries)
    if isinstance(section, Unknown) or isinstance(section.needed, Unknown):
        return ""
    number = len(section.needed)
    text = f"{number} system {'library' if number == 1 else 'libraries'}"
    absent = [each.name for each in section.needed if each.location is None]
    return f"{text}; not here: {few(absent)}" if absent else text


def math_words(manifest: Manifest) -> str:
    """'openblas 0.3.29 of numpy (kernels for Zen, 16 threads); NumPy with AVX2'."""
    section = manifest.section(Math)
    if isinstance(section, Unknown):
        return ""
    known = () if isinstance(section.libraries, Unknown) else section.libraries
    parts = [_blas(each) for each in known if each.kind not in OPENMP_KINDS]
    shown = parts[:_SHOWN]
    shown += [f"{len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
    if isinstance(section.numpy_dispatch, tuple) and section.numpy_dispatch:
        shown.append(f"NumPy with {few(list(section.numpy_dispatch)[::-1])}")
    return "; ".join(shown)


def _blas(library: MathLibrary) -> str:
    version = library.version if isinstance(library.version, str) else ""
    owner = f"of {library.owner}" if isinstance(library.owner, str) else ""
    more = []
    if isinstance(library.kernel, str):
        more.append(f"kernels for {library.kernel}")
    if isinstance(library.threads, int):
        more.append("1 thread" if library.threads == 1 else f"{library.threads} threads")
    inside = f"({', '.join(more)})" if more else ""
    return " ".join(filter(None, (library.kind, version, owner, inside)))


def fabric_words(manifest: Manifest) -> str:
    """'2 x InfiniBand 400 Gb/sec (4X NDR); Open MPI 4.1.4'; nothing where there is none."""
    section = manifest.section(Fabric)
    if isinstance(section, Unknown):
        return ""
    adapters = () if isinstance(section.adapters, Unknown) else section.adapters
    kinds = [
        " ".join(str(fact) for fact in (each.link, each.rate) if not isinstance(fact, Unknown))
        or each.name
        for each in adapters
    ]
    parts = [f"{kinds.count(kind)} x {kind}" for kind in dict.fromkeys(kinds)]
    for label, fact in (("UCX", section.ucx), ("libfabric", section.libfabric), ("", section.mpi)):
        parts += [f"{label} {fact}".strip()] if isinstance(fact, str) else []
    return "; ".join(parts)
