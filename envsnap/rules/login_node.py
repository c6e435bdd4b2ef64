"""SYS012: a node of a cluster that has no GPU and is in no job."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import NeedError, Pair, Said, Side, fit, need
from envsnap.rules._cuda import computes_on_gpu
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import SLURM_GPUS
from envsnap.sections import Gpu, Moment, Packages, Python, Scheduler

_JOB = {
    "slurm": "srun --gres=gpu:1", "pbs": "qsub -I -l select=1:ngpus=1", "lsf": "bsub -I -gpu num=1",
    "flux": "flux run -g 1",
}  # fmt: skip


@fit(
    "SYS012", scope=Scope.BOTH, worst=Outcome.NOTE,
    reads=(Gpu, Moment, Packages, Python, Scheduler), source=SLURM_GPUS,
)  # fmt: skip
def login_node(pair: Pair) -> Iterator[Said | Condition]:
    """The GPU that the results come from was not there to be seen.

    A node of a cluster without a GPU, outside of a job, under an environment that computes on
    one: mostly the node where people log in. Its processor, memory and system are not those of
    the nodes that compute.
    """
    kind = _batch_system(pair.found)
    if kind is not None and computes_on_gpu(pair.wanted) and _is_outside(pair.found):
        yield Said(
            "login node", Outcome.NOTE, f"a node of {kind} without a GPU, outside of a job",
            remedy=_remedy(kind, "capture" if pair.is_one else "check"),
        )  # fmt: skip
    theirs = None if pair.is_one else _batch_system(pair.wanted)
    if theirs is not None and computes_on_gpu(pair.wanted) and _is_outside(pair.wanted):
        yield Condition(
            code="SYS012",
            text="captured on a node without a GPU, outside of a job: which GPU the results come "
            "from is not known",
            remedy=_remedy(theirs, "capture"),
        )


def job_with_gpu(pair: Pair) -> str | None:
    """The line that asks again in a job with a GPU; None but on a node outside of a job."""
    try:
        kind = _batch_system(pair.found)
        if kind is None or not _is_outside(pair.found):
            return None
    except NeedError:
        return None
    return _remedy(kind, "check")


def _batch_system(side: Side) -> str | None:
    return need(side.need(Scheduler).kind, side.path("scheduler.kind"))


def _is_outside(side: Side) -> bool:
    if need(side.need(Gpu).devices, side.path("gpu.devices")):
        return False
    return not need(side.need(Moment).job, side.path("moment.job"))


def _remedy(kind: str, command: str) -> str:
    start = _JOB.get(kind.lower())
    return f"{start} envsnap {command}" if start else f"envsnap {command} within a job with a GPU"
