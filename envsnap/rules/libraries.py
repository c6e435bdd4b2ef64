"""LIB: which libraries programs would load, as `capture --deep` resolved them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, fit, health, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._libraries import Loaded, consumers, is_same_file, loaded, title
from envsnap.rules._sources import LD_SO
from envsnap.rules._views import asked_for
from envsnap.sections import Consumer, Libraries, Unknown

_NO_DIGITS = frozenset({"libstdc++", "driver", "cupti", "nvtx", "cufile"})
"""Families on which no digit depends. The driver's library is the driver rules' matter."""
_ONCE = frozenset({"openmp", "blas"})
"""Families of which one implementation is meant to be in a process, whatever its name."""
_DRIVERS_OWN = ("libcuda.so", "libnvidia-ml.so", "libnvcuvid.so", "libnvidia-encode.so")
_NAMED_LIKE_IT = frozenset({
    "libcudnn", "libcublas", "libcudart", "libnccl", "libcufft", "libcurand", "libcusolver",
    "libcusparse", "libnvrtc", "libnvJitLink", "libmpi",
})  # fmt: skip
"""The first library of a family, which its name stands for."""
_SHOWN = 3


@drift("LIB001", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Libraries,), source=LD_SO)
def loads_from_elsewhere(pair: Pair) -> Iterator[Said | Open]:
    """Another copy of the library computes: its algorithms and roundings may differ.

    For each package with compiled code, the file that the dynamic linker would give it for a
    library is compared with the captured one: whose folder it is in, its version, its bytes. A
    package's own copy in another version is the package rules' matter.
    """
    libraries = asked_for(pair.wanted, Libraries)
    ours = pair.found.need(Libraries)
    moved: dict[_Move, list[str]] = {}
    wanted, found = consumers(pair.wanted, libraries), consumers(pair.found, ours)
    for name in sorted(wanted.keys() & found.keys()):
        there = _or_open(pair.wanted, libraries, wanted[name])
        here = _or_open(pair.found, ours, found[name])
        yield from (each for each in (there, here) if isinstance(each, Open))
        if not isinstance(there, Open) and not isinstance(here, Open):
            for move in _moves(there, here):
                moved.setdefault(move, []).append(name)
    for move, names in moved.items():
        if isinstance(move.same, Unknown):
            yield Open(pair.found.path(f"libraries.copies.{move.stem}.content"), move.same)
        else:
            yield _elsewhere(move, names)


def _or_open(side: Side, libraries: Libraries, consumer: Consumer) -> tuple[Loaded, ...] | Open:
    """What a package gets, or why that is not known: the others are judged all the same."""
    try:
        return loaded(side, libraries, consumer)
    except NeedError as error:
        return Open(error.path, error.reason)


class _Move(NamedTuple):
    """A library that comes from elsewhere than it did."""

    family: str
    stem: str
    wanted: str
    found: str
    same: bool | Unknown
    """Whether both files hold the same bytes."""


def _moves(wanted: tuple[Loaded, ...], found: tuple[Loaded, ...]) -> Iterator[_Move]:
    here: dict[tuple[str, str], list[Loaded]] = {}
    for each in found:
        here.setdefault((each.copy.family, each.stem), []).append(each)
    for each in wanted:
        others = here.get((each.copy.family, each.stem), [])
        if others and not any(_is_as_there(each, other) for other in others):
            same = is_same_file(each.copy, others[0].copy)
            yield _Move(each.copy.family, each.stem, each.words(), others[0].words(), same)


def _is_as_there(wanted: Loaded, found: Loaded) -> bool:
    """Whether it is the same package's copy, or the same bytes from the same kind of place."""
    place = _place(wanted)
    if place != _place(found):
        return False
    return place[1] is not None or is_same_file(wanted.copy, found.copy) is True


def _place(each: Loaded) -> tuple[str, str | None]:
    """Whose folder a library is in, and the package that answers for its bytes.

    The system's packages have other names on each system: there the bytes alone tell.
    """
    source = need(each.copy.source, f"{each.path}.source")
    of_a_package = source in {"pip", "conda"}
    return source, need(each.copy.owner, f"{each.path}.owner") if of_a_package else None


def _elsewhere(move: _Move, names: list[str]) -> Said:
    what = title(move.family) if move.stem in _NAMED_LIKE_IT else move.stem
    no_digits = move.same or move.family in _NO_DIGITS
    return Said(
        f"{title(move.family)} {move.stem}", Outcome.NOTE if no_digits else Outcome.NUMERICS,
        f"{what} of {_few(names)}: {move.wanted} -> {move.found}",
        remedy="leave LD_LIBRARY_PATH and LD_PRELOAD empty, or run it in the container"
        if "(LD_" in move.found else "run it in the container",
        wanted=move.wanted, found=move.found,
    )  # fmt: skip


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@fit("LIB002", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Libraries,), source=LD_SO)
def missing_libraries(pair: Pair) -> Iterator[Said | Open]:
    """Importing what needs the library fails: the dynamic linker does not find it.

    A library that a package's compiled code asks for is nowhere on its search path. Where it was
    missing at capture, too, the package has parts that nobody used there, and it is a note.
    """
    libraries = asked_for(pair.wanted, Libraries)
    wanted, ours = consumers(pair.wanted, libraries), pair.found.need(Libraries)
    for name, consumer in consumers(pair.found, ours).items():
        if name not in wanted:
            continue
        path = f"libraries.consumers.{consumer.distribution}.missing"
        for side, fact in ((pair.wanted, wanted[name].missing), (pair.found, consumer.missing)):
            if isinstance(fact, Unknown):
                yield Open(side.path(path), fact)
                break
        else:
            theirs = _asked(need(wanted[name].missing, path))
            here = _asked(need(consumer.missing, path))
            yield from _lacking(consumer.distribution, sorted(here - theirs), Outcome.BLOCKS)
            yield from _lacking(consumer.distribution, sorted(here & theirs), Outcome.NOTE)


def _asked(names: tuple[str, ...]) -> set[str]:
    """The missing libraries without the driver's: what lacks those, the driver rules say."""
    return {each for each in names if not each.startswith(_DRIVERS_OWN)}


def _lacking(distribution: str, names: list[str], outcome: Outcome) -> Iterator[Said]:
    if names:
        has_not = "is" if len(names) == 1 else "are"
        yield Said(
            distribution, outcome,
            f"{_few(names)}, which {distribution} needs, {has_not} not here",
            remedy="install the system package that has it, or run it in the container",
            wanted="there" if outcome is Outcome.BLOCKS else "missing", found="missing",
        )  # fmt: skip


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
