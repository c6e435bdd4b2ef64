"""CPU: the processor and the memory beside it."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, drift, need
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import MKL, NUMPY_SIMD, X86_LEVELS
from envsnap.rules._views import active, gib
from envsnap.sections import Cpu, Memory, Packages, Unknown

_LEVELS = ("x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4")
_SHOWN = 3
_LESS = 0.9  # firmware and kernel keep a few per cent, not the same on every machine
_BUILT_HERE = ("linux_x86_64", "linux_aarch64")


@drift("CPU001", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Cpu,), source=NUMPY_SIMD)
def microarchitecture(pair: Pair) -> Iterator[Said]:
    """NumPy, BLAS and PyTorch take other kernels, which add in another order.

    Numerical libraries choose their code by the processor they find. The names are archspec's;
    a newer processor of the same family runs the same programs, with other kernels.
    """
    wanted, found = pair.wanted.need(Cpu), pair.found.need(Cpu)
    theirs = need(wanted.microarchitecture, pair.wanted.path("cpu.microarchitecture"))
    ours = need(found.microarchitecture, pair.found.path("cpu.microarchitecture"))
    if theirs != ours:
        yield Said(
            "CPU", Outcome.NUMERICS, f"{theirs} -> {ours}{_lacking(wanted, found)}",
            wanted=theirs, found=ours,
        )  # fmt: skip


@drift(
    "CPU002", scope=Scope.NATIVE, worst=Outcome.DEGRADES, reads=(Cpu, Packages), source=X86_LEVELS
)
def lower_level(pair: Pair) -> Iterator[Said]:
    """Code compiled on the wanted machine may use instructions that are not here.

    Wheels of an index are built for old processors and choose at run time. What was compiled
    on the machine itself (its wheel says linux_x86_64) may have been compiled for it alone,
    and stops with an illegal instruction on a lower x86-64 level.
    """
    theirs = need(pair.wanted.need(Cpu).generic_level, pair.wanted.path("cpu.generic_level"))
    ours = need(pair.found.need(Cpu).generic_level, pair.found.path("cpu.generic_level"))
    if theirs not in _LEVELS or ours not in _LEVELS:
        return
    if _LEVELS.index(ours) >= _LEVELS.index(theirs):
        return
    local = []
    for name, package in active(pair.wanted).items():
        tags = need(package.tags, pair.wanted.path(f"packages.installed.{name}.tags"))
        if any(tag.endswith(_BUILT_HERE) for tag in tags or ()) and not _is_many(tags):
            local.append(package.name)
    if local:
        yield Said(
            "CPU level", Outcome.DEGRADES,
            f"{theirs} -> {ours}, and {', '.join(sorted(local)[:_SHOWN])} was compiled there",
            remedy="build it again here", wanted=theirs, found=ours,
        )  # fmt: skip


@drift("CPU003", scope=Scope.BOTH, worst=Outcome.PERF, reads=(Cpu,), source=MKL)
def threads(pair: Pair) -> Iterator[Said | Condition]:
    """It runs at another speed.

    Where no number of threads is set, libraries take one for each logical processor, and split
    their sums accordingly: set OMP_NUM_THREADS to the wanted machine's number.
    """
    theirs = need(pair.wanted.need(Cpu).threads, pair.wanted.path("cpu.threads"))
    ours = need(pair.found.need(Cpu).threads, pair.found.path("cpu.threads"))
    if theirs != ours:
        yield Said(
            "CPU threads", Outcome.PERF, f"{theirs} -> {ours} threads",
            remedy=f"OMP_NUM_THREADS={theirs} splits sums as there",
            wanted=str(theirs), found=str(ours),
        )  # fmt: skip
        yield Condition(code="CPU003", text="sums on the CPU are split by its number of threads")


@drift("CPU004", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Memory,), source=X86_LEVELS)
def memory(pair: Pair) -> Iterator[Said]:
    """What the computation needed is not known, only what its machine had.

    The found machine has less memory than the wanted one.
    """
    theirs = need(pair.wanted.need(Memory).total_mib, pair.wanted.path("memory.total_mib"))
    ours = need(pair.found.need(Memory).total_mib, pair.found.path("memory.total_mib"))
    if ours < min(theirs, theirs * _LESS):
        yield Said(
            "memory", Outcome.NOTE, f"{gib(theirs)} -> {gib(ours)}",
            wanted=gib(theirs), found=gib(ours),
        )  # fmt: skip


def _lacking(wanted: Cpu, found: Cpu) -> str:
    """What the found processor cannot do, of what the libraries may have used."""
    if isinstance(wanted.features, Unknown) or isinstance(found.features, Unknown):
        return ""
    lacking = sorted(
        each
        for each in set(wanted.features) - set(found.features)
        if each.startswith(("avx", "fma", "sse", "sve", "asimd", "amx"))
    )
    if not lacking:
        return ""
    more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return f", without {', '.join(lacking[:_SHOWN])}{more}"


def _is_many(tags: tuple[str, ...] | None) -> bool:
    return any("manylinux" in tag for tag in tags or ())
