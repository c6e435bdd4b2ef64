"""GPU020: what another of AMD's GPUs does to digits."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, drift, need
from envsnap.rules._findings import Level, Outcome, Scope
from envsnap.rules._sources import ROCBLAS
from envsnap.rules._views import GpuKind
from envsnap.rules.gpu_numbers import both_computing
from envsnap.sections import Gpu, Packages, Python


@drift(
    "GPU020", scope=Scope.BOTH, worst=Outcome.NUMERICS, reads=(Gpu, Packages, Python),
    source=ROCBLAS,
)  # fmt: skip
def other_target(pair: Pair) -> Iterator[Said]:
    """The same bits are promised on the same target only (rocBLAS).

    AMD's code is made for one target, as gfx90a, and rocBLAS names the same target and the same
    ROCm as conditions of the same bits. Another model or size of one target is a note: what is
    promised for the target holds, and no more.
    """
    wanted, found = (
        [each for each in some if each.vendor == "amd"] for some in both_computing(pair)
    )
    theirs = {_target(each) for each in wanted}
    for here in {_words(each): each for each in found}.values():
        if _target(here) not in theirs:
            outcome, why, level = Outcome.NUMERICS, None, Level.STATISTICAL
        elif not any(_is_like(here, each) for each in wanted):
            outcome, why, level = Outcome.NOTE, "the target agrees", Level.SAME_ARCHITECTURE
        else:
            continue
        there, ours = _words(wanted[0]), _words(here)
        yield Said(
            "GPU target", outcome, f"{there} -> {ours}", why=why, wanted=there, found=ours,
            lowers=level,
        )  # fmt: skip


def _target(gpu: GpuKind) -> str:
    """'gfx90a'; what follows a colon are settings of it."""
    return need(gpu.architecture, f"{gpu.path}.architecture").partition(":")[0]


def _is_like(gpu: GpuKind, other: GpuKind) -> bool:
    """Whether it is of the same model and size."""
    names = [need(each.name, f"{each.path}.name") for each in (gpu, other)]
    sizes = [need(each.multiprocessors, f"{each.path}.multiprocessors") for each in (gpu, other)]
    return names[0] == names[1] and sizes[0] == sizes[1]


def _words(gpu: GpuKind) -> str:
    return f"{gpu.title} ({_target(gpu)})"
