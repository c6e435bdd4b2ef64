"""How many sockets, cores and threads a Linux machine has online."""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._texts import parse_cpu_list, read_text
from envsnap.sections import Fact, Reason, Unknown

_SYSTEM = "/sys/devices/system/cpu"
_CPU = re.compile(r"^cpu\d+$")
_PROCESSOR = re.compile(r"^processor\s*:\s*\d+\s*$", re.MULTILINE)
_PLACE = re.compile(r"^physical id\s*:\s*(\d+)$(?:\n.+)*?\ncore id\s*:\s*(\d+)$", re.MULTILINE)
_SILENT = Unknown(Reason.NOT_SUPPORTED, "the kernel does not tell where its processors are")


class Topology(NamedTuple):
    """Counts of what is online."""

    sockets: Fact[int]
    cores: Fact[int]
    threads: Fact[int]


def topology(host: Host, cpuinfo: str) -> Topology:
    """The counts by /proc/cpuinfo; by /sys on machines whose cpuinfo does not tell them."""
    listed = len(_PROCESSOR.findall(cpuinfo))
    online = read_text(host, f"{_SYSTEM}/online")
    counted = parse_cpu_list(online) if isinstance(online, str) else None
    silent = online if isinstance(online, Unknown) else _SILENT
    threads: Fact[int] = counted or listed or silent
    places = parse_places(cpuinfo)
    if places and len(places) == listed:
        return Topology(len({socket for socket, _ in places}), len(set(places)), threads)
    return _by_sys(host, threads)


def parse_places(cpuinfo: str) -> list[tuple[str, str]]:
    """The (physical id, core id) of each processor that /proc/cpuinfo tells them of."""
    found: list[tuple[str, str]] = _PLACE.findall(cpuinfo)
    return found


def _by_sys(host: Host, threads: Fact[int]) -> Topology:
    names = host.list(_SYSTEM)
    if isinstance(names, Unknown):
        return Topology(names, names, threads)
    sockets: set[str] = set()
    cores: set[str] = set()
    complete = True
    for name in names or ():
        if _CPU.match(name):
            folder = f"{_SYSTEM}/{name}/topology"
            siblings = read_text(host, f"{folder}/thread_siblings_list")
            if siblings is None:
                continue  # an offline processor has no topology
            package = read_text(host, f"{folder}/physical_package_id")
            complete = complete and isinstance(siblings, str) and isinstance(package, str)
            cores.add(str(siblings).strip())
            sockets.add(str(package).strip())
    if not complete or not cores:
        return Topology(_SILENT, _SILENT, threads)
    known = all(socket.isdecimal() for socket in sockets)  # -1 where the firmware does not say
    return Topology(len(sockets) if known else _SILENT, len(cores), threads)
