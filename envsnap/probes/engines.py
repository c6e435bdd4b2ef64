"""The container engines on this machine, and what the kernel lets this user do with them."""

from __future__ import annotations

import re
import threading

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._docker import docker
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import is_there, read_text, unparsable
from envsnap.probes._userns import Rights, rights
from envsnap.sections import Engine, Engines, Fact, Reason, Unknown


class _Program(NamedTuple):
    """How an engine without a daemon is asked for its version."""

    name: str
    ask: tuple[str, ...] = ("--version",)
    setuid: tuple[str, ...] = ()
    """Helpers, below the prefix, that do without user namespaces where they are installed."""
    needs_ids: bool = False
    """Whether images with several owners need subordinate ids."""


_STARTERS = ("libexec/apptainer/bin/starter-suid", "libexec/singularity/bin/starter-suid")
_PROGRAMS = (
    _Program("apptainer", setuid=_STARTERS),
    _Program("buildah", needs_ids=True),
    _Program("ch-run"),
    _Program("enroot", ask=("version",)),
    _Program("podman", needs_ids=True),
    _Program("singularity", setuid=_STARTERS),
)
_WITH_DAEMON = ("docker", "nerdctl")
_NOT_STARTED = {"udocker": "udocker may install itself when it is started"}

_VERSION = r"(?<![\w.])v?(\d+(?:\.\d+)+(?:[-+~.][0-9A-Za-z]+)*)"
_TOOLKIT = (("nvidia-ctk", "--version"), ("nvidia-container-cli", "--version"))
_LIMIT = r"(?m)^(Max [a-z ]+?) {2,}(\d+|unlimited) +(?:\d+|unlimited)"


@probe(Engines, waits=True)
def probe_engines(look: Look) -> Engines:
    """The engines, and what containers need of the kernel."""
    host = look.host
    may = rights(host)
    limits = read_text(host, "/proc/self/limits")
    return Engines(
        found=_found(host, may),
        user_namespaces=may.user_namespaces,
        subordinate_ids=may.subordinate_ids,
        container_toolkit=_toolkit(host),
        shm_mib=host.capacity_mib("/dev/shm"),  # noqa: S108 - asked for its size, not written to
        open_files=_limit(limits, "Max open files", 1),
        locked_memory_kib=_limit(limits, "Max locked memory", 1024),
    )


def _found(host: Host, may: Rights) -> Fact[tuple[Engine, ...]]:
    """Ask each engine on PATH, all at the same time."""
    path = host.environ("PATH")
    if isinstance(path, Unknown):
        return path
    found: dict[str, Engine] = {}

    def ask(name: str) -> None:
        engine = _engine(host, name, may)
        if engine is not None:
            found[name] = engine

    names = (*_WITH_DAEMON, *_NOT_STARTED, *(program.name for program in _PROGRAMS))
    threads = [
        threading.Thread(target=ask, args=(name,)) for name in names if host.which(name) is not None
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(found[name] for name in sorted(found))


def _engine(host: Host, name: str, may: Rights) -> Engine | None:
    place = host.which(name)
    if place is None:
        return None
    if isinstance(place, Unknown):
        return Engine(name=name, version=place, usable=place)
    if name == "docker":
        return docker(host)
    if name in _NOT_STARTED:
        why = Unknown(Reason.NOT_ASKED, _NOT_STARTED[name])
        return Engine(name=name, version=why, usable=why)
    if name == "nerdctl":
        daemon = Unknown(Reason.NOT_ASKED, "containerd was not asked")
        return Engine(name=name, version=_version(host, _Program(name)), usable=daemon)
    program = next(program for program in _PROGRAMS if program.name == name)
    version = _version(host, program)
    return Engine(name=name, version=version, usable=_usable(host, program, version, may))


def _version(host: Host, program: _Program) -> Fact[str]:
    ran = host.run([program.name, *program.ask])
    if isinstance(ran, Unknown):
        return ran
    if ran.status:
        return Unknown(Reason.CRASHED, f"{program.name} ended with status {ran.status}")
    return parse_version(program.name, ran.stdout or ran.stderr)  # ch-run answers on stderr


def parse_version(name: str, output: str) -> Fact[str]:
    """The version in an engine's answer.

    >>> parse_version("apptainer", "apptainer version 1.4.5-1.el9")
    '1.4.5-1.el9'
    """
    found = re.search(_VERSION, output)
    return found[1] if found else unparsable(f"{name}'s version", output)


def _usable(host: Host, program: _Program, version: Fact[str], may: Rights) -> Fact[bool]:
    """Whether this user can start it: it answers, and the kernel grants what it needs."""
    if isinstance(version, Unknown):
        return version
    if may.is_root is True:
        return True
    prefix = _prefix(host, program.name)
    if any(is_there(host, f"{prefix}/{helper}") for helper in program.setuid):
        return True
    allowed = may.allowed_to(host, program.name)
    if allowed is True and program.needs_ids:
        return may.subordinate_ids
    return allowed


def _prefix(host: Host, name: str) -> str:
    place = host.which(name)
    real = host.real(place) if isinstance(place, str) else place
    return real.rpartition("/")[0].rpartition("/")[0] if isinstance(real, str) else ""


def _toolkit(host: Host) -> Fact[str | None]:
    for name, option in _TOOLKIT:
        place = host.which(name)
        if isinstance(place, Unknown):
            return place
        if place is not None:
            ran = host.run([name, option])
            return ran if isinstance(ran, Unknown) else parse_version(name, ran.stdout)
    return None


def parse_limits(text: str) -> dict[str, int | None]:
    """The soft limits of /proc/self/limits; None is unlimited."""
    return {
        name: None if soft == "unlimited" else int(soft) for name, soft in re.findall(_LIMIT, text)
    }


def _limit(text: Fact[str | None], name: str, unit: int) -> Fact[int | None]:
    if isinstance(text, Unknown):
        return text
    limits = parse_limits(text or "")
    if name not in limits:
        return Unknown(Reason.NOT_SUPPORTED, "/proc/self/limits does not tell it")
    soft = limits[name]
    return None if soft is None else soft // unit
