"""GPU: whether the libraries themselves hold code for the GPU at hand, as `--deep` read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.facts import gpu_packages
from envsnap.manifest import canonical_name
from envsnap.rules._code import (
    capability_of,
    first_toolkit,
    numbers_of,
    overridden,
    runs_as_ptx,
    runs_compiled,
    runs_on_amd,
)  # fmt: skip
from envsnap.rules._core import NeedError, Open, Pair, Said, fit, need, not_decidable
from envsnap.rules._cuda import needs
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import CUDA_GUIDE
from envsnap.rules._views import GpuKind, asked_for, listed, sm, visible_gpus
from envsnap.sections import CodeFile, Environ, Gpu, GpuCode, Packages, Python, Unknown

_SHOWN = 12


@fit(
    "GPU009", scope=Scope.BOTH, worst=Outcome.BLOCKS,
    reads=(Environ, Gpu, GpuCode, Packages, Python), source=CUDA_GUIDE,
)  # fmt: skip
def library_code(pair: Pair) -> Iterator[Said | Open]:
    """Its first kernel fails: no kernel image is available for the device.

    Every library's code, as `capture --deep` read it, is held against every GPU that programs
    see. Compiled code runs on its own compute capability and later ones of the same major (with
    the suffix a on that one alone, with f within its family); PTX on any later one, if the
    driver is as new as the CUDA release that made it. AMD's targets must match by name.

    Without a framework's code, or that of cuBLAS and cuDNN, nothing runs; without another
    package's, what uses it. What had nothing for the wanted GPU either, and libraries that are
    made for few GPUs (cuSPARSELt, a part of cuDNN), are a note at most.
    """
    code = asked_for(pair.wanted, GpuCode)
    files = need(code.files, pair.wanted.path("gpu_code.files"))
    gpus = visible_gpus(pair.found) if files else ()
    for package, those in _by_package(files).items():
        for gpu in _kinds(gpus):
            yield from _or_open(_judged(pair, package, those, gpu), _worst(package, files))


def _or_open(said: Iterator[Said], worst: Outcome) -> Iterator[Said | Open]:
    """What is said of one package and GPU; a fact that is missing leaves the others judged."""
    try:
        yield from said
    except NeedError as error:
        yield Open(error.path, error.reason, worst)


def _worst(package: str, files: tuple[CodeFile, ...]) -> Outcome:
    """The worst that a package's code can be found to be, as `_outcome` has it.

    Where a file's owner is unknown, it may be a part of the gravest of all.
    """
    if any(isinstance(each.distribution, Unknown) for each in files):
        return Outcome.BLOCKS
    kind = gpu_packages.code(package)
    return {"main": Outcome.BLOCKS, "optional": Outcome.NOTE}.get(kind, Outcome.DEGRADES)


def _judged(pair: Pair, package: str, files: list[CodeFile], gpu: GpuKind) -> Iterator[Said]:
    """What one package lacks for one GPU."""
    asked = [each for each in files if _has_any(each, gpu, pair)]
    lacking = [each for each in asked if not _serves(pair, each, gpu)]
    if not lacking:
        return
    _need_owners(pair)
    roots = gpu_packages.roots(package)
    is_whole = len(lacking) == len(asked) or not set(roots).isdisjoint(_names(lacking))
    outcome = _outcome(pair, package, lacking, is_whole=is_whole)
    if outcome is None:
        return
    subject = package if is_whole else f"{listed(_names(lacking), 'file')} of {package}"
    have, title = _have(lacking, gpu), f"{gpu.title} ({_target(pair, gpu)})"
    ptx = _ptx(pair, package, lacking, gpu)
    yield Said(
        f"GPU code of {package}", outcome,
        f"{subject} has no code for {title}, only for {have}{ptx}",
        remedy=f"a build of {package} with {_target(pair, gpu)}, or another GPU",
        wanted=have, found=_target(pair, gpu),
    )  # fmt: skip


def _need_owners(pair: Pair) -> None:
    """End here where a library's owner is unknown: how much depends on it cannot be told."""
    path = pair.wanted.path("gpu_code.files")
    for each in need(pair.wanted.need(GpuCode).files, path):
        need(each.distribution, f"{path}.{each.location}.distribution")


def _outcome(
    pair: Pair, package: str, lacking: list[CodeFile], *, is_whole: bool
) -> Outcome | None:
    """How bad it is; None where a part of a package had nothing for its own GPU either."""
    if is_whole and gpu_packages.code(package) == "main":
        return Outcome.BLOCKS
    if pair.is_one or not _ran_there(pair, lacking):
        return Outcome.NOTE if is_whole else None
    is_part_of_nvidias = package.startswith("nvidia-") and not is_whole
    is_optional = gpu_packages.code(package) == "optional" or is_part_of_nvidias
    return Outcome.NOTE if is_optional else Outcome.DEGRADES


def _ran_there(pair: Pair, files: list[CodeFile]) -> bool:
    """Whether every one of the libraries has code for a GPU of the wanted machine."""
    theirs = visible_gpus(pair.wanted)
    there = Pair(pair.wanted, pair.wanted)
    return bool(theirs) and all(
        any(_has_any(each, gpu, there) and _serves(there, each, gpu) for gpu in theirs)
        for each in files
    )


class _Code(NamedTuple):
    """What a library holds for GPUs of one vendor."""

    compiled: tuple[str, ...]
    ptx: tuple[str, ...]


def _code(file: CodeFile, gpu: GpuKind, pair: Pair) -> _Code:
    path = pair.wanted.path(f"gpu_code.files.{file.location}")
    if gpu.vendor == "amd":
        return _Code(need(file.amd, f"{path}.amd"), ())
    if gpu.vendor != "nvidia":
        return _Code((), ())
    return _Code(need(file.sass, f"{path}.sass"), need(file.ptx, f"{path}.ptx"))


def _has_any(file: CodeFile, gpu: GpuKind, pair: Pair) -> bool:
    """Whether it holds code for GPUs of that vendor at all: else it is for another's."""
    return any(_code(file, gpu, pair))


def _serves(pair: Pair, file: CodeFile, gpu: GpuKind) -> bool:
    """Whether the library's code runs on the GPU."""
    code, asked = _code(file, gpu, pair), _target(pair, gpu)
    path = pair.wanted.path(f"gpu_code.files.{file.location}")
    if gpu.vendor == "amd":
        return runs_on_amd(code.compiled, asked, path)
    capability = capability_of(gpu)
    if runs_compiled(code.compiled, capability, path):
        return True
    if not runs_as_ptx(code.ptx, capability, path):
        return False
    return _compiles(pair, _package(file), first_toolkit(code.ptx, capability), path)


def _compiles(pair: Pair, package: str, first: tuple[int, ...], path: str) -> bool:
    """Whether the found driver knows PTX as the release wrote it that made the package's.

    Where the package does not tell the release, it lies between the first that knows the target
    and the environment's own, whose runtime is not older than what was built for it.
    """
    released, served = _releases(pair), _served(pair)
    if package in released:
        return released[package] <= served
    if released and max(released.values()) <= served:
        return True
    if first <= served:
        not_decidable(path, f"which CUDA release made the PTX of {package} is not known")
    return False


def _releases(pair: Pair) -> Mapping[str, tuple[int, ...]]:
    """The CUDA releases that made the wanted packages which tell theirs."""
    found: dict[str, tuple[int, ...]] = {}
    for each in needs(pair.wanted):
        name, release = canonical_name(each.package), numbers_of(each.cuda)
        if "." in each.cuda:
            found[name] = max(release, found.get(name, ()))
    return found


def _served(pair: Pair) -> tuple[int, ...]:
    """The newest CUDA that the found driver, or cuda-compat over it, serves."""
    path = pair.found.path("gpu.driver")
    driver = need(pair.found.need(Gpu).driver, path)
    if driver is None:
        not_decidable(path, "an NVIDIA GPU without a driver")
    return numbers_of(need(driver.cuda_in_effect, f"{path}.cuda_in_effect"))


def _ptx(pair: Pair, package: str, files: list[CodeFile], gpu: GpuKind) -> str:
    """What is to be said of PTX that this driver cannot compile."""
    if gpu.vendor != "nvidia":
        return ""
    capability = capability_of(gpu)
    ptx = {target for each in files for target in _code(each, gpu, pair).ptx}
    if not runs_as_ptx(ptx, capability, pair.wanted.path("gpu_code.files")):
        return ""
    own = _releases(pair).get(package)
    made_by = _dotted(own) if own else f"{_dotted(first_toolkit(ptx, capability))} or newer"
    served = _dotted(_served(pair))
    return f" and PTX of CUDA {made_by}, which a driver for CUDA {served} cannot compile"


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))


def _by_package(files: tuple[CodeFile, ...]) -> Mapping[str, list[CodeFile]]:
    found: dict[str, list[CodeFile]] = {}
    for each in files:
        found.setdefault(_package(each), []).append(each)
    return dict(sorted(found.items()))


def _package(file: CodeFile) -> str:
    """The package that brought it; where none did, the library itself stands for one."""
    return canonical_name(file.distribution) if isinstance(file.distribution, str) else _name(file)


def _name(file: CodeFile) -> str:
    return file.location.rpartition("/")[2]


def _names(files: list[CodeFile]) -> list[str]:
    return [_name(each) for each in files]


def _have(files: list[CodeFile], gpu: GpuKind) -> str:
    """The targets that there are, the oldest first; never a long list."""
    facts = ((each.amd,) if gpu.vendor == "amd" else (each.sass, each.ptx) for each in files)
    every = {name for some in facts for fact in some if isinstance(fact, tuple) for name in fact}
    names = sorted(every, key=lambda name: (name[:3] == "com", len(name.rstrip("af")), name))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _kinds(gpus: tuple[GpuKind, ...]) -> tuple[GpuKind, ...]:
    """One of each kind of code that is asked for; another vendor's are not looked at."""
    kinds = {
        (each.vendor, str(each.capability), str(each.architecture)): each
        for each in reversed(gpus)
        if each.vendor in {"nvidia", "amd"}
    }
    return tuple(reversed(kinds.values()))


def _target(pair: Pair, gpu: GpuKind) -> str:
    """What code must be compiled for, to run on the GPU: 'sm_89', 'gfx942'."""
    if gpu.vendor == "nvidia":
        return sm(capability_of(gpu))
    variables = need(pair.found.need(Environ).variables, pair.found.path("environ.variables"))
    return overridden(need(gpu.architecture, f"{gpu.path}.architecture"), variables)
