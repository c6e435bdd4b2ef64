"""The output's name: what its {placeholders} stand for."""

from __future__ import annotations

import os

from envsnap.errors import UsageError
from envsnap.manifest import Manifest

_JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
_RANKS = ("SLURM_PROCID", "PMI_RANK", "OMPI_COMM_WORLD_RANK")


def filled(template: str, manifest: Manifest) -> str:
    """The output's name with its {placeholders} filled in."""
    if "{" not in template:
        return template
    import platform

    from envsnap.manifest import environment_id

    values = {
        "date": manifest.captured.time[:10],
        "environment": str(environment_id(manifest)),
        "node": platform.node().partition(".")[0] or "nonode",
        "job": _first_set(_JOBS) or "nojob",
        "rank": _first_set(_RANKS) or "0",
    }
    try:
        return template.format_map({key: value.replace("/", "_") for key, value in values.items()})
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(
            f"Unknown placeholder {error} in -o {template!r}",
            hint="There are {date}, {environment}, {node}, {job} and {rank}",
        ) from None


def _first_set(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)
