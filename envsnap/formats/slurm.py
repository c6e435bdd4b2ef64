"""A batch script for Slurm: checks the node, then runs a program in the Apptainer image."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap.errors import PlanError
from envsnap.formats._files import proof
from envsnap.formats._registry import Place, container_format
from envsnap.formats._templates import Quoted, render, sbatch
from envsnap.plan import BatchJob, BuildPlan

MAIN = "job.sbatch"
_IMAGE = "envsnap.sif"
_TIME = re.compile(
    r"\A[0-9]{1,6}(?::[0-9]{1,2}){0,2}\Z|\A[0-9]{1,4}-[0-9]{1,2}(?::[0-9]{1,2}){0,2}\Z"
    r"|\A(?:UNLIMITED|INFINITE)\Z", re.ASCII,
)  # fmt: skip
_PASSED = (
    "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "OMP_NUM_THREADS", "SLURM_JOB_ID",
    "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NNODES",
    "SLURM_CPUS_PER_TASK", "SLURM_ARRAY_TASK_ID",
)  # fmt: skip
"""What a job's program wants to know of its place; --cleanenv drops the rest."""


def _by_hand(place: Place) -> list[str]:
    """The line that runs a program in the image."""
    return [f"sbatch {place.folder}/{MAIN} python PROGRAM"]


@container_format(
    "slurm", title="Slurm batch script", main=MAIN, by_hand=_by_hand, fetched=_by_hand,
    heeds={"partition", "account", "gres", "time"}, runs="apptainer",
)  # fmt: skip
def slurm(plan: BuildPlan) -> Mapping[str, str]:
    """The script, the manifest that it checks the node against, and the verifier."""
    text = render(
        MAIN + ".j2",
        {
            "plan": plan, "name": f"envsnap-{plan.environment}", "options": options(plan.job),
            "image": plan.job.image or _IMAGE, "passed": _PASSED,
        },
    )  # fmt: skip
    return {MAIN: text, **proof(plan)}


def options(job: BatchJob) -> list[Quoted]:
    """What a job asks of its site, without the dashes.

    >>> options(BatchJob(partition="gpu", gres="gpu:1"))
    ['partition=gpu', 'gres=gpu:1']
    """
    asked = {
        "partition": job.partition, "account": job.account, "gres": job.gres, "time": job.time
    }  # fmt: skip
    found = []
    for name, value in asked.items():
        if value is None:
            continue
        if name == "time" and not _TIME.match(value):
            raise PlanError(
                f"--time takes a time as sbatch does, not {value[:60]!a}",
                hint="Write minutes, hours or days: 90, 04:00:00 or 1-12:00:00",
            )
        try:
            found.append(sbatch(f"{name}={value}"))
        except PlanError:
            raise PlanError(
                f"--{name} takes one plain word, not {value[:60]!a}",
                hint=f"Write it as sbatch --{name} takes it",
            ) from None
    return found
