"""Why NVML does not show a card that the machine has: who took it away from this process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envsnap.host import Host
from envsnap.probes._gpu._nvidia import Card

_MOST_NAMED = 3
_NONE_ASKED = {"void", "none", ""}
_LIST = re.compile(r"\d{1,4}(?:[,-]\d{1,4}){0,256}\Z", re.ASCII)
_SLURM = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


def reasons(host: Host, unshown: Sequence[Card]) -> tuple[str, ...]:
    """What the variables and the device files say of it, the one who decided first."""
    return (*_container(host), *_slurm(host), *_device_files(host, unshown))


def _container(host: Host) -> Iterator[str]:
    """What NVIDIA's container toolkit was asked for; a list may be of UUIDs, and is counted."""
    asked = host.environ("NVIDIA_VISIBLE_DEVICES")
    if not isinstance(asked, str) or asked.strip() == "all":
        return
    named = [part for part in asked.split(",") if part.strip()]
    if asked.strip() in _NONE_ASKED:
        yield f"NVIDIA_VISIBLE_DEVICES={asked.strip()}"
    else:
        yield f"NVIDIA_VISIBLE_DEVICES names {len(named)}"


def _slurm(host: Host) -> Iterator[str]:
    if not isinstance(host.environ("SLURM_JOB_ID"), str):
        return
    for name in _SLURM:
        given = host.environ(name)
        if isinstance(given, str) and _LIST.match(given):
            yield f"{name} gives GPU {given}"
            return
    yield "Slurm gave this job no GPU by its number"


def _device_files(host: Host, unshown: Sequence[Card]) -> Iterator[str]:
    files = [f"/dev/nvidia{card.minor}" for card in unshown if card.minor is not None]
    known = {path: host.stat(path) for path in sorted(files)}
    gone = [path for path, found in known.items() if found is None]
    kept = [path for path, found in known.items() if found is not None]
    if gone:
        yield f"{_listed(gone)} not there"
    if kept:
        yield f"{_listed(kept)} there and closed: permissions, or a cgroup's device rules"


def _listed(paths: Sequence[str]) -> str:
    if len(paths) > _MOST_NAMED:
        return f"{paths[0]} and {len(paths) - 1} more are"
    return f"{', '.join(paths)} {'is' if len(paths) == 1 else 'are'}"
