"""DRV010: a card on one side, a Jetson on the other."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, drift, need
from envsnap.rules._cuda import computes_on_gpu
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import TEGRA
from envsnap.sections import Gpu, Packages, Python


@drift("DRV010", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Gpu, Packages, Python), source=TEGRA)
def other_platform(pair: Pair) -> Iterator[Said]:
    """Jetson takes its driver from its own system, made for it.

    One side's GPU is a Jetson's (Tegra), the other's a card. A Jetson before Thor has CUDA
    libraries, images and packages of its own, and its GPU shares the processor's memory. Whether
    code and driver will do, the rules on them tell; WSL is SYS010's matter.
    """
    if not computes_on_gpu(pair.wanted):
        return
    theirs, ours = (need(side.need(Gpu).platform, side.path("gpu.platform")) for side in pair)
    if theirs != ours and "tegra" in {theirs, ours} and "none" not in {theirs, ours}:
        yield Said(
            "GPU platform", Outcome.NOTE, f"GPU reached by {theirs} -> {ours}",
            remedy="images and packages for that platform", wanted=theirs, found=ours,
        )  # fmt: skip
