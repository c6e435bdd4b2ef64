"""Facts of the moment of capture: the job and its share of the machine. Never compared."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsnap.host import Host
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import not_on, parse_cpu_list, read_text, system
from envsnap.probes.container import Mount, parse_mountinfo
from envsnap.probes.memory import of_meminfo
from envsnap.sections import Fact, Moment, Reason, Unknown

_JOB = (
    "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_NUM_NODES",
    "SLURM_NTASKS", "SLURM_PROCID", "SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE",
    "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_GPUS_ON_NODE", "SLURM_JOB_PARTITION",
    "PBS_JOBID", "PBS_QUEUE", "PBS_NUM_NODES", "NCPUS", "LSB_JOBID", "LSB_QUEUE",
    "LSB_DJOB_NUMPROC", "FLUX_JOB_ID", "FLUX_JOB_NNODES", "OMPI_COMM_WORLD_SIZE",
)  # fmt: skip
_JOB_IDENTIFY = (
    "SLURM_JOB_ACCOUNT", "SLURM_JOB_NAME", "SLURM_JOB_NODELIST", "SLURM_JOB_USER",
    "PBS_JOBNAME", "LSB_JOBNAME", "LSB_HOSTS",
)  # fmt: skip
"""What names a person, a project or a machine."""

_WITH_HOST = frozenset({"PBS_JOBID"})
"""'1234.server.site.example': the number alone names no machine."""

_NO_LIMIT = 1 << 60
"""What the kernel writes for none in cgroup v1 is below 2**63 by a page."""

_ALLOWED = re.compile(r"^Cpus_allowed_list:\s*(\S+)$", re.MULTILINE)


@probe(Moment)
def probe_moment(look: Look) -> Moment:
    """The job and its share, at this moment."""
    host = look.host
    name = system(host)
    if name != "Linux":
        why = name if isinstance(name, Unknown) else not_on(name)
        return Moment(
            job=_job(look), memory_limit_mib=why, cpus_allowed=why, available_memory_mib=why
        )
    return Moment(
        job=_job(look),
        memory_limit_mib=_memory_limit(host),
        cpus_allowed=_cpus_allowed(host),
        available_memory_mib=of_meminfo(read_text(host, "/proc/meminfo"), "MemAvailable"),
    )


def _job(look: Look) -> Fact[dict[str, str]]:
    found = {}
    for name in (*_JOB, *(_JOB_IDENTIFY if look.options.identify else ())):
        value = look.host.environ(name)
        if isinstance(value, Unknown):
            return value
        if value:
            named = name in _WITH_HOST and not look.options.identify
            found[name] = value.partition(".")[0] if named else value[:200]
    return dict(sorted(found.items()))


def _cpus_allowed(host: Host) -> Fact[int]:
    status = read_text(host, "/proc/self/status")
    if isinstance(status, Unknown):
        return status
    found = _ALLOWED.search(status or "")
    count = parse_cpu_list(found[1]) if found else None
    return count or Unknown(Reason.NOT_SUPPORTED, "/proc/self/status does not tell it")


def _memory_limit(host: Host) -> Fact[int | None]:
    """The narrowest limit of this process's cgroup and those it lies in."""
    groups, shown = read_text(host, "/proc/self/cgroup"), read_text(host, "/proc/self/mountinfo")
    if isinstance(groups, Unknown):
        return groups
    if isinstance(shown, Unknown):
        return shown
    limits = []
    files = tuple(limit_files(groups or "", parse_mountinfo(shown or "")))
    if not files:
        return Unknown(Reason.NOT_SUPPORTED, "no cgroup file system is shown here")
    for path in files:
        text = read_text(host, path)
        if isinstance(text, Unknown):
            return text
        limit = parse_limit(text or "")
        if limit is not None:
            limits.append(limit)
    return min(limits) // (1 << 20) if limits else None


def parse_limit(text: str) -> int | None:
    """A cgroup's memory limit, bytes; None if it has none.

    >>> parse_limit("max"), parse_limit("9223372036854771712"), parse_limit("2147483648")
    (None, None, 2147483648)
    """
    spoken = text.strip()
    if not (spoken.isascii() and spoken.isdecimal() and len(spoken) <= 20):  # noqa: PLR2004 - 64 bits
        return None
    return int(spoken) if int(spoken) < _NO_LIMIT else None


def limit_files(groups: str, mounts: tuple[Mount, ...]) -> Iterator[str]:
    """The files that may limit this process's memory, innermost first."""
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield from _files_of(path, "memory.max", [m for m in mounts if m.kind == "cgroup2"])
        elif "memory" in controllers.split(","):
            own = [m for m in mounts if m.kind == "cgroup" and "memory" in m.options.split(",")]
            yield from _files_of(path, "memory.limit_in_bytes", own)


def _files_of(path: str, name: str, mounts: list[Mount]) -> Iterator[str]:
    """That file in the group and in those it lies in, as far as one mount shows them."""
    for mount in mounts[:1]:
        top = mount.root.rstrip("/")
        inside = path[len(top) :] if path == top or path.startswith(top + "/") else ""
        inside = "" if ".." in inside.split("/") else inside.rstrip("/")
        while True:
            yield f"{mount.point}{inside}/{name}"
            if not inside:
                return
            inside = inside.rpartition("/")[0]
