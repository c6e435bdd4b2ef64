"""RUN: what a recorded run really used, against what the found machine has."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, Side, fit, health, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import ENVSNAP, OUT_OF_MEMORY
from envsnap.rules._views import asked_for, gib, gpu_peaks, visible_gpus
from envsnap.sections import Gpu, Memory, Run


@fit("RUN001", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Gpu, Run), source=OUT_OF_MEMORY)
def gpu_memory(pair: Pair) -> Iterator[Said]:
    """The run that was recorded needed more; it does not fit as it is.

    `envsnap run` sampled how much memory the command held on each GPU. Held against it is the
    largest GPU that programs see; whether there are enough of them is GPU006's matter.
    """
    asked_for(pair.wanted, Run)
    peaks = gpu_peaks(pair.wanted)
    gpus = visible_gpus(pair.found) if peaks else ()
    if not peaks or not gpus:
        return  # GPU001 says that there is none
    ours = max(need(each.memory_mib, f"{each.path}.memory_mib") for each in gpus)
    if ours < max(peaks):
        peak, here = _sizes(max(peaks), ours)
        yield Said(
            "GPU memory", Outcome.DEGRADES, f"the run held {peak} on a GPU; here is {here}",
            remedy=f"a smaller batch, or a GPU with {peak}", wanted=peak, found=here,
        )  # fmt: skip


@fit("RUN002", scope=Scope.BOTH, worst=Outcome.DEGRADES, reads=(Memory, Run), source=ENVSNAP)
def memory(pair: Pair) -> Iterator[Said]:
    """The run that was recorded needed more; the system would end it, or swap.

    `envsnap run` sampled how much memory all processes of the command held together.
    """
    run = asked_for(pair.wanted, Run)
    peak = need(run.peak_memory_mib, pair.wanted.path("run.peak_memory_mib"))
    ours = need(pair.found.need(Memory).total_mib, pair.found.path("memory.total_mib"))
    if ours < peak:
        held, here = _sizes(peak, ours)
        yield Said(
            "memory", Outcome.DEGRADES, f"the run held {held}; here is {here}",
            remedy=f"a machine with {held}", wanted=held, found=here,
        )  # fmt: skip


@health("RUN003", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Run,), source=ENVSNAP)
def ended(side: Side) -> Iterator[Said]:
    """A run that did not end well may not have used all that it needs.

    The command that `envsnap run` recorded ended with another status than 0.
    """
    run = asked_for(side, Run)
    if run.exit_status != 0:
        yield Said(
            "recorded run", Outcome.NOTE, f"it ended with exit status {run.exit_status}",
            remedy="record it again, to its end",
        )  # fmt: skip


def _sizes(first: int, second: int) -> tuple[str, str]:
    """Two sizes in GiB; in MiB where they would read the same."""
    words = gib(first), gib(second)
    return words if words[0] != words[1] else (f"{first} MiB", f"{second} MiB")
