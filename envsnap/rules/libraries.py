"""LIB: which libraries programs would load, as `capture --deep` resolved them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, fit, health, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._libraries import PACKAGED, Loaded, consumers, loaded, missing, title
from envsnap.rules._moves import Move, exchanged, moved
from envsnap.rules._sources import LD_SO
from envsnap.rules._views import asked_for, few
from envsnap.sections import Consumer, Environ, Libraries, SystemLibraries, Unknown

_NO_DIGITS = frozenset({"libstdc++", "driver", "cupti", "nvtx", "cufile"})
"""Families on which no digit depends. The driver's library is the driver rules' matter."""
_ONCE = frozenset({"openmp", "blas"})
"""Families of which one implementation is meant to be in a process, whatever its name."""
_DRIVERS_OWN = ("libcuda.so", "libnvidia-ml.so", "libnvcuvid.so", "libnvidia-encode.so")
_UNUSED = "What needs them does not import by itself; what works there does without"
_NAMED_LIKE_IT = frozenset({
    "libcudnn", "libcublas", "libcudart", "libnccl", "libcufft", "libcurand", "libcusolver",
    "libcusparse", "libnvrtc", "libnvJitLink", "libmpi",
})  # fmt: skip
"""The first library of a family, which its name stands for."""


@drift("LIB001", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Libraries,), source=LD_SO)
def loads_from_elsewhere(pair: Pair) -> Iterator[Said | Open]:
    """Another copy of the library computes: its algorithms and roundings may differ.

    For each package with compiled code, the file that the dynamic linker would give it for a
    library is compared with the captured one: whose folder it is in, its version, its bytes. Of
    BLAS, OpenMP and MPI another implementation may serve instead, under another name. A package's
    own copy in the environment is the package rules' matter, whatever its version.
    """
    libraries = asked_for(pair.wanted, Libraries)
    ours = pair.found.need(Libraries)
    told: dict[Move, list[str]] = {}
    wanted, found = consumers(pair.wanted, libraries), consumers(pair.found, ours)
    for name in sorted(wanted.keys() & found.keys()):
        try:
            there = loaded(pair.wanted, libraries, wanted[name])
            here = loaded(pair.found, ours, found[name])
            lacking = missing(pair.found, found[name]) - missing(pair.wanted, wanted[name])
            moves = [*moved(there, here), *exchanged(there, here, lacking)]
        except NeedError as error:
            yield Open(error.path, error.reason)
            continue
        for move in moves:
            told.setdefault(move, []).append(name)
    for move, names in told.items():
        if isinstance(move.same, Unknown):
            yield Open(pair.found.path(f"libraries.copies.{move.stem}.content"), move.same)
        else:
            yield _elsewhere(move, names)


def _elsewhere(move: Move, names: list[str]) -> Said:
    family, no_digits = title(move.family), move.same or move.family in _NO_DIGITS
    what = family if move.stem in {"", *_NAMED_LIKE_IT} else move.stem
    return Said(
        f"{family} {move.stem}".strip(), Outcome.NOTE if no_digits else Outcome.NUMERICS,
        f"{what} of {few(names)}: {move.wanted} -> {move.found}",
        remedy="leave LD_LIBRARY_PATH and LD_PRELOAD empty, or run it in the container"
        if "(LD_" in move.found else "run it in the container",
        wanted=move.wanted, found=move.found,
    )  # fmt: skip


@fit(
    "LIB002", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Libraries, SystemLibraries),
    source=LD_SO,
)  # fmt: skip
def missing_libraries(pair: Pair) -> Iterator[Said | Open]:
    """Importing what needs the library fails: the dynamic linker does not find it.

    A library that a package's compiled code asks for is nowhere on its search path, though
    another package may bring it, whose own code finds it. Where it was missing at capture, too,
    the package has parts that nobody used there, or that another import made work: a note.
    """
    libraries = asked_for(pair.wanted, Libraries)
    wanted, ours = consumers(pair.wanted, libraries), pair.found.need(Libraries)
    for name, consumer in consumers(pair.found, ours).items():
        if name not in wanted:
            continue
        try:
            theirs = _asked(missing(pair.wanted, wanted[name]))
            here = _asked(missing(pair.found, consumer))
        except NeedError as error:
            yield Open(error.path, error.reason)
            continue
        for names, outcome in ((here - theirs, Outcome.BLOCKS), (here & theirs, Outcome.NOTE)):
            if names:
                remedy = _remedy(pair.found, ours, names)
                yield _lacking(consumer.distribution, names, outcome, remedy)


def _asked(names: frozenset[str]) -> frozenset[str]:
    """The missing libraries without the driver's: what lacks those, the driver rules say."""
    return frozenset(each for each in names if not each.startswith(_DRIVERS_OWN))


def _lacking(distribution: str, names: frozenset[str], outcome: Outcome, remedy: str) -> Said:
    has_not = "is" if len(names) == 1 else "are"
    return Said(
        distribution, outcome,
        f"{few(sorted(names))}, which {distribution} needs, {has_not} not here",
        remedy=remedy, why=None if outcome is Outcome.BLOCKS else _UNUSED,
        wanted="there" if outcome is Outcome.BLOCKS else "missing", found="missing",
    )  # fmt: skip


def _remedy(side: Side, libraries: Libraries, names: frozenset[str]) -> str:
    """How to come by libraries: a package may bring them where only its own code looks."""
    loaders = _loaders(libraries, names)
    exempt = _brought(side) & names - loaders.keys()
    parts = []
    if loaders:
        users = sorted({each for some in loaders.values() for each in some})
        parts.append(f"for {few(sorted(loaders))} import first what loads it: {few(users)}")
    if exempt:
        parts.append(
            f"for {few(sorted(exempt))} put the folder of the package that brings it on "
            "LD_LIBRARY_PATH"
        )
    if names - loaders.keys() - exempt:
        install = "install the system package that has it, or run it in the container"
        parts.append(f"for the others {install}" if parts else install)
    return "; ".join(parts)


def _loaders(libraries: Libraries, names: frozenset[str]) -> Mapping[str, set[str]]:
    """Of the libraries that a package brings, the distributions that load it."""
    copies = () if isinstance(libraries.copies, Unknown) else libraries.copies
    brought = {
        each.location: each.name
        for each in copies
        if each.name in names and each.source in PACKAGED
    }  # fmt: skip
    users = () if isinstance(libraries.consumers, Unknown) else libraries.consumers
    found: dict[str, set[str]] = {}
    for each in users:
        for load in () if isinstance(each.loads, Unknown) else each.loads:
            if load.location in brought:
                found.setdefault(brought[load.location], set()).add(each.distribution)
    return found


def _brought(side: Side) -> frozenset[str]:
    """The libraries that a package brings and the asker does not find."""
    section = side.manifest.section(SystemLibraries)
    if isinstance(section, Unknown) or isinstance(section.exempt, Unknown):
        return frozenset()
    return frozenset(each.name for each in section.exempt if each.why == "brought")


@health("LIB003", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Libraries,), source=LD_SO)
def two_copies(side: Side) -> Iterator[Said | Open]:
    """Which of the two serves a call depends on what was loaded first.

    One package gets two copies of a library, or two packages that are imported together get
    CUDA libraries of different bytes.
    """
    libraries = asked_for(side, Libraries)
    together: dict[tuple[str, str], dict[str, Loaded]] = {}
    for name, consumer in consumers(side, libraries).items():
        found = _or_open(side, libraries, consumer)
        if isinstance(found, Open):
            yield found
            continue
        for each in found:
            key = each.copy.family, each.stem
            together.setdefault(key, {}).setdefault(each.copy.location, each)
        yield from _twice(name, found)
    for (family, stem), copies in together.items():
        if family not in _ONCE | _NO_DIGITS and len(_contents(copies)) > 1:
            words = " and ".join(sorted(each.words() for each in copies.values()))
            yield Said(
                f"{title(family)} {stem}", Outcome.NOTE, f"copies of {stem}: {words}",
                remedy="keep one, or leave LD_LIBRARY_PATH empty",
            )  # fmt: skip


@health("ENV010", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Environ,), source=LD_SO)
def preloaded(side: Side) -> Iterator[Said]:
    """It comes before every program's own libraries, and answers in their place.

    LD_PRELOAD is set: an allocator, a profiler, another BLAS. Where two sides differ in it,
    ENV001 says so.
    """
    variables = need(side.need(Environ).variables, side.path("environ.variables"))
    value = variables.get("LD_PRELOAD", "").strip()
    if value:
        names = sorted(each.rpartition("/")[2] for each in value.replace(":", " ").split())
        yield Said(
            "LD_PRELOAD", Outcome.NOTE, f"LD_PRELOAD loads {few(names)} into every program",
            remedy="unset LD_PRELOAD, unless it is meant",
        )  # fmt: skip


def _or_open(side: Side, libraries: Libraries, consumer: Consumer) -> tuple[Loaded, ...] | Open:
    """What a package gets, or why that is not known: the others are judged all the same."""
    try:
        return loaded(side, libraries, consumer)
    except NeedError as error:
        return Open(error.path, error.reason)


def _contents(copies: Mapping[str, Loaded]) -> set[str]:
    """The different bytes among the copies; one that was not hashed counts by its place."""
    return {
        each.copy.content if isinstance(each.copy.content, str) else location
        for location, each in copies.items()
    }


def _twice(name: str, found: tuple[Loaded, ...]) -> Iterator[Said]:
    """What one package gets twice."""
    groups: dict[tuple[str, str], dict[str, Loaded]] = {}
    for each in found:
        if each.copy.family in _ONCE and not each.stem.startswith("libmkl_"):
            stem = "" if each.copy.family == "openmp" else each.stem  # no two of any kind
            groups.setdefault((each.copy.family, stem), {})[each.copy.location] = each
    for (family, _), copies in groups.items():
        if len(copies) > 1:
            which = " and ".join(
                sorted(f"{each.stem} of {each.words()}" for each in copies.values())
            )
            yield Said(
                f"{title(family)} of {name}", Outcome.NOTE,
                f"{title(family)} twice for {name}: {which}",
                remedy="keep one of the packages that bring it",
            )  # fmt: skip
