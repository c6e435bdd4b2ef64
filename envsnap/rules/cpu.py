"""CPU: the processor and the memory beside it."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Looked
from envsnap.facts.package_roles import role_of
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, need
from envsnap.rules._cuda import is_machine_alone
from envsnap.rules._findings import Level, Outcome, Scope
from envsnap.rules._sources import ENVSNAP, MKL, NUMPY_SIMD, X86_LEVELS
from envsnap.rules._views import active, all_are_listed, gib, shell_line
from envsnap.sections import Cpu, Environ, Memory, Packages, Python, Unknown

_LEVELS = ("x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4")
_WITH_FMA = _LEVELS[2:]
_SHOWN = 3
_LESS = 0.9  # firmware and kernel keep a few per cent, not the same on every machine
_VECTORS = ("avx", "fma", "sse", "sve", "asimd", "amx")
_THREADS = "OMP_NUM_THREADS"
_NUMERICAL = frozenset({
    "faiss-cpu", "jaxlib", "lightgbm", "mkl", "numba", "numexpr", "numpy", "onnxruntime",
    "scikit-learn", "scipy", "tensorflow", "torch", "xgboost",
})  # fmt: skip
"""Distributions that choose their code by the processor, and add up on several threads of it."""
_MAY_COMPUTE = "whether what is installed chooses its code by the processor is not known"
_BUILT_HERE = ("linux_x86_64", "linux_aarch64")


@drift(
    "CPU001", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Cpu, Packages, Python),
    source=NUMPY_SIMD,
)  # fmt: skip
def microarchitecture(pair: Pair) -> Iterator[Said | Open]:
    """NumPy, BLAS and PyTorch take other kernels, which add in another order.

    Numerical libraries choose their code by the processor they find. The names are archspec's;
    a newer processor of the same family runs the same programs, with other kernels. Where vendor
    and instruction sets agree, the same kernels run, though their blocks follow the caches: the
    same bits can be expected as far as one architecture keeps them. CPU006 looks into NumPy and
    BLAS alone, and does not raise that: PyTorch and oneDNN choose for themselves. Where no such
    library is installed it is a note, unless the C library's functions change: glibc has others
    for processors with AVX2 and FMA (x86-64-v3).
    """
    wanted, found = pair.wanted.need(Cpu), pair.found.need(Cpu)
    theirs = need(wanted.microarchitecture, pair.wanted.path("cpu.microarchitecture"))
    ours = need(found.microarchitecture, pair.found.path("cpu.microarchitecture"))
    if theirs == ours:
        return
    said = Said(
        "CPU", Outcome.NUMERICS, f"{theirs} -> {ours}{_lacking(wanted, found)}",
        wanted=theirs, found=ours, lowers=Level.STATISTICAL,
    )  # fmt: skip
    try:
        computes = is_machine_alone(pair.wanted) or _has_kernels(pair.wanted)
        yield from _by_kernels(pair, said) if computes else _by_c_library(pair, said)
    except NeedError as error:
        yield said._replace(outcome=Outcome.NOTE, why=_MAY_COMPUTE, lowers=Level.BITWISE)
        yield Open(error.path, error.reason)


def _by_kernels(pair: Pair, said: Said) -> Iterator[Said | Open]:
    """What another processor means where libraries have kernels for each."""
    unknown = _unknown_instructions(pair)
    is_same = unknown is not None or _same_instructions(*(side.need(Cpu) for side in pair))
    yield said._replace(lowers=Level.SAME_ARCHITECTURE) if is_same else said
    if unknown is not None:
        yield unknown


def _by_c_library(pair: Pair, said: Said) -> Iterator[Said]:
    """What it means where the C library alone computes."""
    levels = [need(side.need(Cpu).generic_level, side.path("cpu.generic_level")) for side in pair]
    with_fma = {level in _WITH_FMA for level in levels if level in _LEVELS}
    if len(with_fma) > 1:
        yield said._replace(why="the C library's functions round otherwise with FMA than without")
    else:
        why = "no library is installed that is known to choose its code by the processor"
        yield said._replace(outcome=Outcome.NOTE, why=why, lowers=Level.BITWISE)


@drift(
    "CPU002", scope=Scope.NATIVE, worst=Outcome.DEGRADES, reads=(Cpu, Packages), source=X86_LEVELS
)
def lower_level(pair: Pair) -> Iterator[Said]:
    """Code compiled on the wanted machine may use instructions that are not here.

    Wheels of an index are built for old processors and choose at run time. What was compiled
    on the machine itself (its wheel says linux_x86_64) may have been compiled for it alone,
    and may stop with an illegal instruction on a lower x86-64 level: only a build that asked for
    them uses them, so this is a limit. What is known to need them, CPU020 and CPU021 say.
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


@drift(
    "CPU003", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Cpu, Environ, Packages, Python),
    source=MKL,
)  # fmt: skip
def threads(pair: Pair) -> Iterator[Said | Open]:
    """Sums on the CPU are split by its number of threads.

    Where no number of threads is set, libraries take one for each logical processor, and add up
    accordingly: set OMP_NUM_THREADS to the wanted machine's number. Where it was set, or nothing
    is installed that adds up on several threads, it runs at another speed and no more.
    """
    theirs = need(pair.wanted.need(Cpu).threads, pair.wanted.path("cpu.threads"))
    ours = need(pair.found.need(Cpu).threads, pair.found.path("cpu.threads"))
    if theirs == ours:
        return
    said = Said(
        "CPU threads", Outcome.NUMERICS, f"{theirs} -> {ours} threads",
        remedy=shell_line("export", f"{_THREADS}={theirs}"), wanted=str(theirs), found=str(ours),
    )  # fmt: skip
    speed = said._replace(outcome=Outcome.PERF, why="It runs at another speed", remedy=None)
    try:
        yield said if _splits_sums(pair.wanted) else speed
    except NeedError as error:
        yield speed
        yield Open(error.path, error.reason)


@drift("CPU004", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Memory,), source=ENVSNAP)
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


def _unknown_instructions(pair: Pair) -> Open | None:
    """What would have to be known to say that the same kernels run; None where it is decided."""
    facts = ("vendor", "generic_level", "features")
    both = [[getattr(side.need(Cpu), name) for side in pair] for name in facts]
    if any(_differ(name, *values) for name, values in zip(facts, both, strict=True)):
        return None
    return next(
        (
            Open(side.path(f"cpu.{name}"), value)
            for name, values in zip(facts, both, strict=True)
            for side, value in zip(pair, values, strict=True)
            if isinstance(value, Unknown)
        ),
        None,
    )


def _same_instructions(wanted: Cpu, found: Cpu) -> bool:
    facts = ("vendor", "generic_level", "features")
    return not any(_differ(name, getattr(wanted, name), getattr(found, name)) for name in facts)


def _differ(name: str, theirs: object, ours: object) -> bool:
    """Whether two facts are known, and not the same to a library that chooses its kernels."""
    if isinstance(theirs, Unknown) or isinstance(ours, Unknown):
        return False
    if name == "features" and isinstance(theirs, tuple) and isinstance(ours, tuple):
        return _vectors(theirs) != _vectors(ours)
    return theirs != ours


def _vectors(features: tuple[str, ...]) -> set[str]:
    """The instruction sets that numerical libraries have kernels for."""
    return {each for each in features if each.startswith(_VECTORS)}


def _lacking(wanted: Cpu, found: Cpu) -> str:
    """What the found processor cannot do, of what the libraries may have used."""
    if isinstance(wanted.features, Unknown) or isinstance(found.features, Unknown):
        return ""
    lacking = sorted(_vectors(wanted.features) - _vectors(found.features))
    if not lacking:
        return ""
    more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return f", without {', '.join(lacking[:_SHOWN])}{more}"


def _splits_sums(side: Side) -> bool:
    """Whether a library is installed that splits sums among threads, and may choose how many."""
    if is_machine_alone(side) or not _has_kernels(side):
        return False
    return _THREADS not in need(side.need(Environ).variables, side.path("environ.variables"))


def _has_kernels(side: Side) -> bool:
    """Whether a numerical library is installed: one of those, or a compiled one that computes."""
    return side.once(_numerical)


def _numerical(side: Side) -> bool:
    packages = active(side)
    if _NUMERICAL & set(packages):
        return True
    for name, package in packages.items():
        role = role_of(name)
        if isinstance(role, Looked) and role.value != "serves":
            tags = need(package.tags, side.path(f"packages.installed.{name}.tags"))
            if any(not tag.endswith("-any") for tag in tags or ()):
                return True
    all_are_listed(side)
    return False


def _is_many(tags: tuple[str, ...] | None) -> bool:
    return any("manylinux" in tag for tag in tags or ())
