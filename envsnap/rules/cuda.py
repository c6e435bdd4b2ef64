"""CUD: the CUDA libraries that the system brings, beside those of the packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap.rules._core import Open, Pair, Said, Side, drift, health, need
from envsnap.rules._cuda import is_machine_alone, major, needs, release_of
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._libraries import title
from envsnap.rules._sources import CUBLAS, CUDNN, TORCH_EXTENSIONS
from envsnap.rules._views import looked_into
from envsnap.sections import Cuda, CudaLibrary, Libraries, Packages, Python, Unknown

_LOADED_ONCE = ("cudnn", "nccl")


@drift("CUD001", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Cuda,), source=CUBLAS)
def system_libraries(pair: Pair) -> Iterator[Said | Open]:
    """Another version of a CUDA library may choose other algorithms.

    Compared are the system's copies; those of packages are compared as packages. Where a
    package brings the library too, that copy is usually the one that loads, and the system's
    is a note.
    """
    wanted = _system(pair.wanted)
    if not wanted:
        return
    found = _system(pair.found)
    brought = {each.family for each in _libraries(pair.wanted) if each.source != "system"}
    for family, theirs in wanted.items():
        ours = found.get(family, ())
        unknown = next((each for each in (*theirs, *ours) if isinstance(each, Unknown)), None)
        if unknown is not None:
            yield Open(f"cuda.libraries.{family}.version", unknown)
        elif set(theirs) != set(ours):
            outcome = Outcome.NOTE if brought & {family, "runtime"} else Outcome.NUMERICS
            yield Said(
                title(family), outcome,
                f"the system's {title(family)} {_words(theirs)} -> {_words(ours)}",
                remedy="run it in the container", wanted=_words(theirs), found=_words(ours),
            )  # fmt: skip


@health("CUD010", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Cuda, Libraries), source=CUDNN)
def two_copies(side: Side) -> Iterator[Said | Open]:
    """Which of them loads depends on the search path.

    Two versions of cuDNN or NCCL are installed, by packages or by the system. LD_LIBRARY_PATH,
    or what was imported first, decides. Where `capture --deep` resolved what loads, LIB003 says
    it instead.
    """
    if looked_into(side, Libraries) is not None:
        return
    for family in _LOADED_ONCE:
        those = [each for each in _libraries(side) if each.family == family]
        unknown = next((each.version for each in those if isinstance(each.version, Unknown)), None)
        if unknown is not None and len(those) > 1:
            yield Open(side.path(f"cuda.libraries.{family}.version"), unknown)
        copies = {
            f"{each.version} ({each.source})": str(each.version)
            for each in those
            if not isinstance(each.version, Unknown)
        }
        if len({release_of(version) for version in copies.values()}) > 1:
            yield Said(
                title(family), Outcome.NOTE,
                f"{len(copies)} versions of {title(family)}: {', '.join(sorted(copies))}",
                remedy="remove one, or leave LD_LIBRARY_PATH empty",
            )  # fmt: skip


@health(
    "CUD011", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Cuda, Packages, Python),
    source=TORCH_EXTENSIONS,
)  # fmt: skip
def other_compiler(side: Side) -> Iterator[Said]:
    """PyTorch refuses to compile an extension with it; what is compiled already runs.

    The nvcc on PATH is of another major version of CUDA than PyTorch was built with; for another
    minor version it only warns. It matters to packages that compile CUDA code where they are
    installed, and to nothing else.
    """
    if is_machine_alone(side):
        return
    nvcc = need(side.need(Cuda).nvcc, side.path("cuda.nvcc"))
    torch = [each.cuda for each in needs(side) if each.package == "torch"] if nvcc else []
    if nvcc is not None and torch and major(torch[0]) != major(nvcc):
        yield Said(
            "nvcc", Outcome.NOTE, f"nvcc {nvcc} beside torch for CUDA {torch[0]}",
            remedy=f"put the nvcc of CUDA {torch[0]} on PATH before compiling",
        )  # fmt: skip


def _libraries(side: Side) -> tuple[CudaLibrary, ...]:
    return need(side.need(Cuda).libraries, side.path("cuda.libraries"))


def _system(side: Side) -> Mapping[str, tuple[str | Unknown, ...]]:
    found: dict[str, tuple[str | Unknown, ...]] = {}
    for each in _libraries(side):
        if each.source == "system":
            found[each.family] = (*found.get(each.family, ()), each.version)
    return found


def _words(versions: tuple[str | Unknown, ...]) -> str:
    return " and ".join(sorted(map(str, set(versions)))) or "none"
