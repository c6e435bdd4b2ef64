"""The batch system of a cluster and the software modules that are loaded."""

from __future__ import annotations

import re

from envsnap.host import Host
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import is_there, said, unparsable
from envsnap.sections import Fact, Reason, Scheduler, Unknown

_BY_VARIABLE = (
    ("slurm", ("SLURM_JOB_ID", "SLURM_CLUSTER_NAME")),
    ("pbs", ("PBS_JOBID", "PBS_ENVIRONMENT")),
    ("lsf", ("LSB_JOBID", "LSF_ENVDIR")),
    ("flux", ("FLUX_URI", "FLUX_JOB_ID")),
    ("sge", ("SGE_ROOT",)),
)
_BY_PROGRAM = (("slurm", "sinfo"), ("pbs", "pbsnodes"), ("lsf", "bsub"))
"""Programs that only one batch system has; `qsub` and `flux` are names of others too."""

_SLURM_CONFIGURATION = (
    "/etc/slurm/slurm.conf",
    "/run/slurm/conf/slurm.conf",
    "/etc/slurm-llnl/slurm.conf",
)
_VERSION = r"(\d+(?:\.\d+)+(?:-?\w+)?)"


@probe(Scheduler)
def probe_scheduler(look: Look) -> Scheduler:
    """The batch system that this machine belongs to."""
    host = look.host
    kind = _kind(host)
    return Scheduler(kind=kind, version=_version(host, kind), modules=_modules(look))


def _kind(host: Host) -> Fact[str | None]:
    for kind, names in _BY_VARIABLE:
        for name in names:
            value = host.environ(name)
            if isinstance(value, Unknown):
                return value
            if value:
                return kind
    for kind, program in _BY_PROGRAM:
        place = host.which(program)
        if isinstance(place, Unknown):
            return place
        if place is not None:
            return kind
    return None


def _version(host: Host, kind: Fact[str | None]) -> Fact[str | None]:
    """The version, by a program that answers without asking the cluster."""
    if not isinstance(kind, str):
        return kind
    silent = Unknown(
        Reason.NOT_SUPPORTED, f"{kind} tells it to nobody who does not ask the cluster"
    )
    if kind == "slurm":
        return _slurm(host)
    argv = {"pbs": ["qstat", "--version"], "flux": ["flux", "--version"]}.get(kind)
    if argv is None:
        return silent
    answer = said(host, argv)
    return answer if isinstance(answer, Unknown) else parse_version(kind, answer)


def _slurm(host: Host) -> Fact[str | None]:
    """Ask sinfo where its configuration lies here: elsewhere it would ask the network for it."""
    named = host.environ("SLURM_CONF")
    places = (*_SLURM_CONFIGURATION, *((named,) if isinstance(named, str) and named else ()))
    if not any(is_there(host, place) for place in places):
        return Unknown(Reason.NOT_ASKED, "sinfo would ask the network for its configuration")
    answer = said(host, ["sinfo", "--version"])
    return answer if isinstance(answer, Unknown) else parse_version("slurm", answer)


def parse_version(kind: str, text: str) -> Fact[str]:
    """The version in a batch system's answer.

    >>> parse_version("slurm", "slurm 22.05.8")
    '22.05.8'
    """
    found = re.search(_VERSION, text)
    return found[1] if found else unparsable(f"{kind}'s version", text)


def _modules(look: Look) -> Fact[tuple[str, ...]]:
    loaded = look.host.environ("LOADEDMODULES")
    if isinstance(loaded, Unknown):
        return loaded
    names = parse_modules(loaded or "")
    if not any(name.startswith("/") for name in names):
        return names
    anchors = look.anchors
    return tuple(anchors.anchor(name) if name.startswith("/") else name for name in names)


def parse_modules(text: str) -> tuple[str, ...]:
    """The loaded modules, in the order they were loaded.

    >>> parse_modules("gcc/12.2.0:openmpi/4.1.4")
    ('gcc/12.2.0', 'openmpi/4.1.4')
    """
    return tuple(name for name in text.split(":") if name)
