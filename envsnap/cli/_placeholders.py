"""The output's name: what its {placeholders} stand for."""

from __future__ import annotations

import os

from envsnap.errors import UsageError
from envsnap.manifest import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
_RANKS = ("SLURM_PROCID", "PMI_RANK", "OMPI_COMM_WORLD_RANK")
_LATER = "\0"
"""Stands for what only the capture knows; no name has it."""


def filled(template: str, manifest: Manifest) -> str:
    """The output's name with its {placeholders} filled in."""
    if "{" not in template:
        return template
    from envsnap.manifest import environment_id

    told = {"date": manifest.captured.time[:10], "environment": str(environment_id(manifest))}
    return _filled(template, told)


def known_before(template: str) -> tuple[str, str | None]:
    """The output's folder and its whole name, as far as they are known without a capture.

    The name is None where {environment} stands in it; the folder is the one above that.
    """
    import time

    today = time.strftime("%Y-%m-%d", time.gmtime())
    name = (
        _filled(template, {"date": today, "environment": _LATER}) if "{" in template else template
    )
    known, is_cut, _ = name.partition(_LATER)
    return os.path.abspath(os.path.dirname(known)), None if is_cut else known


def _filled(template: str, told: Mapping[str, str]) -> str:
    import platform

    values = {
        **told,
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
