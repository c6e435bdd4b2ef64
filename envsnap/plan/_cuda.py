"""Whether CUDA belongs into the base image, by evidence, and which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envsnap._typing import Literal, NamedTuple
from envsnap.facts import cuda_users, gpu_packages, library_families
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import _safe
from envsnap.plan._cuda_version import built_for, cuda_version, fits, nvcc_of, of_system
from envsnap.plan._floor import numbers
from envsnap.plan._model import Why
from envsnap.sections import (
    Artifact,
    Environ,
    Gpu,
    Libraries,
    Package,
    Run,
    SystemLibraries,
    Unknown,
)

FAMILIES = frozenset(
    {"cublas", "cudnn", "cufft", "cupti", "curand", "cusolver", "cusparse", "cusparselt",
     "cutensor", "nccl", "nvjitlink", "nvrtc", "nvtx", "runtime"}
)  # fmt: skip
"""What the images nvidia/cuda have of CUDA; the driver's libraries come from the host."""
ROCM = frozenset({"hip", "miopen", "rccl", "rocblas", "rocfft", "rocsolver", "rocsparse"})
_COMPILERS = frozenset({"nvcc", "cicc", "cudafe++", "ptxas", "fatbinary", "nvlink"})
_HOMES = ("CUDA_HOME", "CUDA_PATH")
_SONAME = re.compile(r"lib[\w+-]+\.so\.(\d{1,3}(?:\.\d{1,3})?)(?:\.\d{1,4})*\Z")
_FEW = 3


class Need(NamedTuple):
    """What of CUDA the image must have beside its wheels."""

    flavour: Literal["runtime", "devel"]
    cuda: str | None
    """'12.4.1', '12.4' or '12', as exactly as it is known; None where nothing tells it."""
    cudnn: int | None
    """The generation of cuDNN; None where it is not needed."""
    why: Why


class _Seen(NamedTuple):
    """What the capture saw of CUDA outside the environment's packages."""

    names: tuple[str, ...]
    sonames: tuple[str, ...]
    """CUDA's libraries that compiled code needs, or loaded from the system, and no wheel brings."""
    by: str
    """Who needs them."""
    source: str


def cuda_need(
    manifest: Manifest, active: Sequence[Package], sources: Sequence[Artifact]
) -> tuple[Need | None, list[Why]]:
    """What of CUDA the base image must bring, and why; or None, and why not."""
    names = tuple(canonical_name(each.name) for each in active)
    seen = _system_libraries(manifest, names)
    compiled = _compiler_need(manifest, names, sources)
    if compiled is not None:
        # A compiler that a recorded run started is a fact; what else would need one is built for
        # the CUDA of its own name, and of the packages that it is compiled against.
        built = frozenset() if _used_compilers(manifest) else built_for(manifest, names)
        version = cuda_version(manifest, built, compiles=True)
        return Need("devel", version, _cudnn(manifest, seen), compiled), []
    aside = _compiler_aside(manifest, names)
    if seen is not None:
        few = _few(seen.sonames)
        why = Why(f"CUDA's libraries are part of the base image ({few})",
                  f"{seen.by} needs them, and no package brings them", seen.source)  # fmt: skip
        version = cuda_version(manifest, built_for(manifest, seen.names, seen.sonames))
        return Need("runtime", version, _cudnn(manifest, seen), why), aside
    return None, [*_without(active, manifest), *aside]


def _compiler_need(
    manifest: Manifest, names: Sequence[str], sources: Sequence[Artifact]
) -> Why | None:
    """Why CUDA's compiler belongs into the image; None where nothing needs it."""
    decision = "CUDA's compiler is part of the base image (devel)"
    used = _used_compilers(manifest)
    if used:
        return Why(decision, f"the recorded run used {_few(used)}", "sections.run.programs")
    gpu_sources = [each.name for each in sources if each.name in gpu_packages.gpu_only()]
    if gpu_sources:
        return Why(decision, f"only the source of {_few(gpu_sources)} is published, and nvcc "
                   "compiles it", "lock.artifacts")  # fmt: skip
    home = _home(manifest)
    here = home or (nvcc_of(manifest) and "nvcc on PATH")
    compiling = [each for each in names if _needs(each, names) == "compiler"]
    if here and compiling:
        return Why(decision, f"GPU code of {_few(compiling)} is compiled at run time, and "
                   f"{here} was there at capture", "table cuda_users")  # fmt: skip
    if home and nvcc_of(manifest) and not _was_run(manifest):
        return Why(
            decision,
            f"{home} was set and nvcc on PATH at capture, and no recorded run says that nothing "
            "used them: record one (envsnap run), or name an image without (--base-image)",
            "sections.environ",
        )
    return None


def _compiler_aside(manifest: Manifest, names: Sequence[str]) -> list[Why]:
    """What is said where a compiler was there and stays out."""
    compiling = [each for each in names if _needs(each, names) == "compiler"]
    if compiling and not nvcc_of(manifest):
        return [
            Why("the compiler nvcc is not in the image",
                f"{_few(compiling)} can compile at run time, but the captured machine had no nvcc "
                "for it either", "table cuda_users")
        ]  # fmt: skip
    if nvcc_of(manifest) and _was_run(manifest):
        return [
            Why("the compiler nvcc is not in the image",
                "it is on PATH where the capture was made, and the recorded run did not use it",
                "sections.run.programs")
        ]  # fmt: skip
    if nvcc_of(manifest):
        return [
            Why("the compiler nvcc is not in the image",
                "it is on PATH where the capture was made, but installed packages do not show a "
                "need of it; where one compiles at run time, name an nvidia/cuda devel image",
                "sections.cuda.nvcc")
        ]  # fmt: skip
    return []


def _without(active: Sequence[Package], manifest: Manifest) -> list[Why]:
    """Why there is no CUDA in the base image."""
    bringing = sorted({each.name for each in active if _brings_cuda(each)})
    rocm = sorted({each.name for each in active if "+rocm" in each.version})
    if bringing:
        return [Why("no CUDA in the base image", f"wheels provide CUDA ({_few(bringing)})",
                    "sections.packages")]  # fmt: skip
    if rocm:
        return [Why("no ROCm in the base image", f"wheels provide ROCm ({_few(rocm)})",
                    "sections.packages")]  # fmt: skip
    return [
        Why("no CUDA in the base image", "no package of this environment is a CUDA build",
            "sections.packages")
    ] if _has_gpu(manifest) else []  # fmt: skip


def _system_libraries(manifest: Manifest, names: Sequence[str]) -> _Seen | None:
    """CUDA's libraries that the environment takes from the system."""
    section = manifest.section(SystemLibraries)
    needed = () if isinstance(section, Unknown) else section.needed
    ours = [
        each for each in (() if isinstance(needed, Unknown) else needed)
        if library_families.family(each.name) in FAMILIES
    ]  # fmt: skip
    if ours:
        who = sorted({name for each in ours for name in each.needed_by}) or ["compiled code"]
        sonames = tuple(each.name for each in ours)
        return _Seen(tuple(who), sonames, _few(who), "sections.system_libraries.needed")
    loaded = dict(_loaded(manifest))
    if loaded:
        who = sorted(set(loaded.values()))
        return _Seen(tuple(who), tuple(sorted(loaded)), _few(who), "sections.libraries")
    opening = [each for each in names if _needs(each, names) == "libraries"]
    there = of_system(manifest)
    if opening and there and not _was_looked_into(manifest):
        built = built_for(manifest, opening)
        fitting = [
            f"{family} {version}" for family, version in there if fits(family, version, built)
        ]
        sonames = tuple(fitting) or (f"CUDA {max(built, key=numbers)}",)
        return _Seen(tuple(opening), sonames, _few(opening), "table cuda_users")
    return None


def _loaded(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Libraries of CUDA that code would load from the system, of families that no package has."""
    section = manifest.section(Libraries)
    if isinstance(section, Unknown) or isinstance(section.copies, Unknown):
        return
    brought = {each.family for each in section.copies if each.source in {"pip", "conda"}}
    names = {
        each.location: each.name
        for each in section.copies
        if each.family in FAMILIES - brought and each.source in {"system", "module", "other"}
    }
    for consumer in () if isinstance(section.consumers, Unknown) else section.consumers:
        for load in () if isinstance(consumer.loads, Unknown) else consumer.loads:
            if load.location in names:
                yield names[load.location], consumer.distribution


def _cudnn(manifest: Manifest, seen: _Seen | None) -> int | None:
    """The generation of cuDNN that is needed of the system; None where none is."""
    if seen is None:
        return None
    for name in seen.sonames:
        found = _SONAME.match(name)
        if found is not None and library_families.family(name) == "cudnn":
            return int(found[1].partition(".")[0])
    if seen.source != "table cuda_users":
        return None
    versions = [version for family, version in of_system(manifest) if family == "cudnn"]
    return max((numbers(each)[0] for each in versions if numbers(each)), default=None)


def _used_compilers(manifest: Manifest) -> list[str]:
    """Programs of CUDA's compiler that the run started; a package's own copy is no need."""
    run = manifest.section(Run)
    programs = () if isinstance(run, Unknown) else run.programs
    return sorted(
        {
            each.rpartition("/")[2]
            for each in (() if isinstance(programs, Unknown) else programs)
            if not each.startswith("{env}") and each.rpartition("/")[2] in _COMPILERS
        }
    )


def _was_run(manifest: Manifest) -> bool:
    run = manifest.section(Run)
    return not isinstance(run, Unknown) and not isinstance(run.programs, Unknown)


def _was_looked_into(manifest: Manifest) -> bool:
    """Whether `capture --deep` saw what compiled code loads, so that a table need not guess."""
    section = manifest.section(Libraries)
    return not isinstance(section, Unknown) and not isinstance(section.consumers, Unknown)


def _home(manifest: Manifest) -> str | None:
    """The variable that named CUDA's folder at capture."""
    environ = manifest.section(Environ)
    if isinstance(environ, Unknown) or isinstance(environ.variables, Unknown):
        return None
    return next((name for name in _HOMES if environ.variables.get(name)), None)


def _needs(name: str, names: Sequence[str]) -> str | None:
    found = cuda_users.need(name, names)
    return None if found is None else found.value


def _brings_cuda(package: Package) -> bool:
    local = package.version.partition("+")[2]
    return package.name.lower().startswith("nvidia-c") or local.startswith("cu")


def _has_gpu(manifest: Manifest) -> bool:
    gpu = manifest.section(Gpu)
    return not isinstance(gpu, Unknown) and gpu.kind == "nvidia"


def _few(names: Sequence[str]) -> str:
    shown = [_safe.plain(each) for each in names[:_FEW]]
    return ", ".join(shown) + (", ..." if len(names) > _FEW else "")
