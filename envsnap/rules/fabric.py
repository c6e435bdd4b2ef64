"""FAB: what joins machines, for programs that run on several."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from envsnap._typing import NamedTuple
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, drift, health, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import ENVSNAP, LOCKED_MEMORY
from envsnap.rules._views import asked_for
from envsnap.sections import Engines, Fabric

_ENOUGH_KIB = 1024 * 1024
"""Below a GiB the buffers of common messages do not fit."""
_KIB = 1024


class _Part(NamedTuple):
    """One thing to compare, in words."""

    title: str
    words: Callable[[Side, Fabric], str]


@drift("FAB001", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Fabric,), source=ENVSNAP)
def other_fabric(pair: Pair) -> Iterator[Said | Open]:
    """A program on one machine does not notice; one on several runs at another speed.

    Compared are the adapters that machines are joined by, whether GPUs may be reached over them
    directly, and the UCX, libfabric and MPI on PATH.
    """
    wanted = asked_for(pair.wanted, Fabric)
    found = asked_for(pair.found, Fabric)
    for part in _PARTS:
        try:
            theirs, ours = part.words(pair.wanted, wanted), part.words(pair.found, found)
        except NeedError as error:
            yield Open(error.path, error.reason)
            continue
        if theirs != ours:
            yield Said(
                part.title, Outcome.NOTE, f"{part.title}: {theirs} -> {ours}",
                wanted=theirs, found=ours,
            )  # fmt: skip


@health(
    "FAB002", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Engines, Fabric), source=LOCKED_MEMORY
)
def locked_memory(side: Side) -> Iterator[Said]:
    """Adapters ask for more memory that may not be moved than they can have.

    InfiniBand and RoCE reach only memory that is locked, as MPI's buffers are; under a low limit
    (ulimit -l) that fails, or goes the slower way. A job may have another limit than the shell.
    """
    known = need(asked_for(side, Fabric).adapters, side.path("fabric.adapters"))
    if not known:
        return
    limit = need(side.need(Engines).locked_memory_kib, side.path("engines.locked_memory_kib"))
    if limit is not None and limit < _ENOUGH_KIB:
        size = f"{limit} KiB" if limit < _KIB else f"{limit // _KIB} MiB"
        yield Said(
            "locked memory", Outcome.NOTE, f"{size} may be locked, beside {known[0].name}",
            remedy="ulimit -l unlimited, in the job; it takes the administrator to raise the limit",
        )  # fmt: skip


def _adapters(side: Side, fabric: Fabric) -> str:
    known = need(fabric.adapters, side.path("fabric.adapters"))
    kinds = [
        f"{need(each.link, side.path(f'fabric.adapters.{each.name}.link'))} "
        f"{need(each.rate, side.path(f'fabric.adapters.{each.name}.rate'))}"
        for each in known
    ]
    return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in sorted(set(kinds))) or "none"


def _gpudirect(side: Side, fabric: Fabric) -> str:
    return "on" if need(fabric.gpudirect, side.path("fabric.gpudirect")) else "off"


def _program(name: str) -> Callable[[Side, Fabric], str]:
    def words(side: Side, fabric: Fabric) -> str:
        return need(getattr(fabric, name), side.path(f"fabric.{name}")) or "none"

    return words


_PARTS = (
    _Part("adapters", _adapters),
    _Part("GPUDirect RDMA", _gpudirect),
    _Part("UCX", _program("ucx")),
    _Part("libfabric", _program("libfabric")),
    _Part("MPI", _program("mpi")),
)
