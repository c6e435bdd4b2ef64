"""CPU: the BLAS and OpenMP copies, and the instruction sets they and NumPy take."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.manifest import canonical_name
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._libraries import OPENMP_KINDS
from envsnap.rules._sources import MKL, NUMPY_SIMD, OPENBLAS
from envsnap.rules._views import active, asked_for, few
from envsnap.sections import Fact, Math, MathLibrary, Packages


@drift("CPU005", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Math,), source=OPENBLAS)
def other_blas(pair: Pair) -> Iterator[Said | Open]:
    """Another BLAS, or another release or build of it, adds in another order.

    Compared are the copies that `capture --deep` found, each with the package that brought it:
    its kind, its version and its threading.
    """
    for there, here, owner in _pairs(pair):
        try:
            theirs, ours = _words(pair.wanted, there), _words(pair.found, here)
        except NeedError as error:
            yield Open(error.path, error.reason)
            continue
        if theirs != ours:
            yield Said(
                f"BLAS of {owner}", Outcome.NUMERICS, f"BLAS of {owner}: {theirs} -> {ours}",
                remedy="run it in the container", wanted=theirs, found=ours,
            )  # fmt: skip


@drift(
    "CPU006", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Math, Packages), source=NUMPY_SIMD
)
def other_kernels(pair: Pair) -> Iterator[Said | Open]:
    """Each instruction set has code of its own, which rounds and adds otherwise.

    BLAS takes the kernels of the processor that it finds, NumPy the newest of the instruction
    sets that it knows: up to four units in the last place between them are no error. Compared
    are the same releases: another one has other kernels and other names for them.
    """
    wanted = asked_for(pair.wanted, Math)
    found = pair.found.need(Math)
    theirs, ours = (
        need(each.numpy_dispatch, side.path("math.numpy_dispatch"))
        for side, each in ((pair.wanted, wanted), (pair.found, found))
    )
    if theirs is not None and ours is not None and set(theirs) != set(ours) and _same_numpy(pair):
        lost, more = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
        change = [f"without {few(lost)}"] if lost else []
        change += [f"with {few(more)}"] if more else []
        yield Said(
            "NumPy kernels", Outcome.NUMERICS, f"NumPy now runs {', '.join(change)}",
            remedy=f"export NPY_DISABLE_CPU_FEATURES='{' '.join(more)}'" if more and not lost
            else None,
            wanted=", ".join(theirs) or "baseline", found=", ".join(ours) or "baseline",
        )  # fmt: skip
    for there, here, owner in _pairs(pair):
        yield from _kernel(pair, there, here, owner)


def _same_numpy(pair: Pair) -> bool:
    theirs, ours = (active(side).get("numpy") for side in pair)
    return theirs is not None and ours is not None and theirs.version == ours.version


def _kernel(pair: Pair, there: MathLibrary, here: MathLibrary, owner: str) -> Iterator[Said | Open]:
    try:
        if _words(pair.wanted, there) != _words(pair.found, here):
            return  # CPU005 says it
        theirs = need(there.kernel, _place(pair.wanted, there, "kernel"))
        ours = need(here.kernel, _place(pair.found, here, "kernel"))
    except NeedError as error:
        yield Open(error.path, error.reason)
        return
    if theirs is not None and ours is not None and theirs != ours:
        remedy = f"export OPENBLAS_CORETYPE={theirs}" if there.kind == "openblas" else None
        yield Said(
            f"kernels of {owner}", Outcome.NUMERICS,
            f"{there.kind} of {owner}: kernels for {theirs} -> {ours}",
            remedy=remedy if remedy and theirs.isalnum() else None, wanted=theirs, found=ours,
        )  # fmt: skip


@drift("CPU007", scope=Scope.NATIVE, worst=Outcome.NUMERICS, reads=(Math,), source=MKL)
def other_threads(pair: Pair) -> Iterator[Said | Open]:
    """Sums are split among the threads: with another number they add in another order.

    What each copy of BLAS would use, by the variables that are set and the processors it may
    run on.
    """
    told: dict[tuple[int, int], list[str]] = {}
    for there, here, owner in _pairs(pair):
        try:
            theirs = need(there.threads, _place(pair.wanted, there, "threads"))
            ours = need(here.threads, _place(pair.found, here, "threads"))
        except NeedError as error:
            yield Open(error.path, error.reason)
            continue
        if theirs is not None and ours is not None and theirs != ours:
            told.setdefault((theirs, ours), []).append(owner)
    for (theirs, ours), owners in told.items():
        yield Said(
            f"BLAS threads {theirs}", Outcome.NUMERICS,
            f"BLAS of {few(owners)}: {theirs} -> {ours} threads",
            remedy=f"export OMP_NUM_THREADS={theirs}", wanted=str(theirs), found=str(ours),
        )  # fmt: skip


def _pairs(pair: Pair) -> Iterator[tuple[MathLibrary, MathLibrary, str]]:
    """The BLAS that a package brings on both sides, and whose it is.

    Of several that one package brings, the first by kind and location stands for them. That a
    program gets another package's BLAS, LIB001 says.
    """
    wanted = asked_for(pair.wanted, Math)
    theirs = _by_owner(pair.wanted, wanted)
    ours = _by_owner(pair.found, pair.found.need(Math))
    for owner, there in theirs.items():
        if owner in ours:
            yield there, ours[owner], owner


def _by_owner(side: Side, math: Math) -> dict[str, MathLibrary]:
    known = need(math.libraries, side.path("math.libraries"))
    found: dict[str, MathLibrary] = {}
    for each in known:
        if each.kind not in OPENMP_KINDS:
            owner = need(each.owner, _place(side, each, "owner"))
            found.setdefault(canonical_name(owner) if owner else "the system", each)
    return found


def _words(side: Side, library: MathLibrary) -> str:
    facts: list[tuple[str, Fact[str | None]]] = [
        ("version", library.version), ("threading", library.threading),
    ]  # fmt: skip
    values = [need(fact, _place(side, library, name)) for name, fact in facts]
    return " ".join(filter(None, (library.kind, *values)))


def _place(side: Side, library: MathLibrary, field: str) -> str:
    return side.path(f"math.libraries.{library.location}.{field}")
