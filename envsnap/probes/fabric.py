"""What joins machines: InfiniBand and RoCE adapters, and the libraries that speak over them.

No GUID, no address: they name one adapter in the world. Programs are started only where they are
on PATH; on most machines there is none, and no adapter.
"""

from __future__ import annotations

import re

from envsnap.host import Host
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import is_there, read_text, said, unparsable
from envsnap.probes.tools import parse_version
from envsnap.sections import Adapter, Fabric, Fact, Reason, Unknown

_CLASS = "/sys/class/infiniband"
_MODULES = "/sys/module"
_PEER_MODULES = ("nvidia_peermem", "nv_peer_mem")
SLURM_CONFIGURATION = (
    "/etc/slurm/slurm.conf",
    "/run/slurm/conf/slurm.conf",
    "/etc/slurm-llnl/slurm.conf",
)
_MOST_ADAPTERS = 256
_LONGEST = 80
# Patterns are compiled where they are used: most machines use none.
_OFED = r"((?:MLNX_OFED_LINUX|OFED|DOCA)[\w.-]*-\d[\w.-]*?):?\s*\Z"
_OFED_MODULE = r"\d{1,2}\.\d{1,2}-\d+\.\d+\.\d+(?:\.\d+)?\Z"
_UCX = r"(?:# Version |Library version: |UCT version=)(\d+(?:\.\d+)+)"
_LIBFABRIC = r"^libfabric: (\d+(?:\.\d+)+)"
_NAME = r"[A-Za-z0-9][\w.-]{0,63}\Z"
_PLUGIN = r"[a-z][a-z0-9_/]{1,31}\Z"
_VERSIONS = "specific pmix plugin versions available:"


@probe(Fabric, waits=True)
def probe_fabric(look: Look) -> Fabric:
    """The adapters and the libraries; nothing of it where there is nothing."""
    host = look.host
    return Fabric(
        adapters=_adapters(host),
        ofed=_ofed(host),
        gpudirect=_gpudirect(host),
        ucx=_version(host, ["ucx_info", "-v"], _UCX),
        libfabric=_version(host, ["fi_info", "--version"], _LIBFABRIC),
        mpi=_mpi(host),
        pmi=_pmi(host),
    )


def parse_ofed(text: str) -> str | None:
    """What `ofed_info -s` says; None for other text.

    >>> parse_ofed("MLNX_OFED_LINUX-24.04-0.6.6.0:")
    'MLNX_OFED_LINUX-24.04-0.6.6.0'
    """
    match = re.match(_OFED, text.strip(), re.ASCII)
    return match.group(1) if match and len(match.group(1)) <= _LONGEST else None


def parse_plugins(text: str) -> tuple[str, ...]:
    r"""The plug-ins in what `srun --mpi=list` says, in the words of Slurm 20 and of those since.

    >>> parse_plugins("MPI plugin types are...\n\tpmi2\n\tpmix\n")
    ('pmi2', 'pmix')
    """
    found: set[str] = set()
    for line in text.splitlines():
        words = line.strip().removeprefix("srun: ").strip()
        listed = (
            words.removeprefix(_VERSIONS).split(",") if words.startswith(_VERSIONS) else [words]
        )
        found.update(each.strip() for each in listed if re.match(_PLUGIN, each.strip(), re.ASCII))
    return tuple(sorted(found))


def _adapters(host: Host) -> Fact[tuple[Adapter, ...]]:
    names = host.list(_CLASS)
    if names is None or isinstance(names, Unknown):
        return names or ()
    known = [name for name in names if re.match(_NAME, name, re.ASCII)]
    return tuple(_adapter(host, name) for name in known[:_MOST_ADAPTERS])


def _adapter(host: Host, name: str) -> Adapter:
    folder = f"{_CLASS}/{name}"
    ports = host.list(f"{folder}/ports")
    places = [f"{folder}/ports/{port}" for port in ports] if isinstance(ports, tuple) else []
    states = [_state(host, place) for place in places]
    up = [place for place, state in zip(places, states, strict=True) if state == "ACTIVE"]
    port = (up or places or [f"{folder}/ports/1"])[0]
    board = _line(host, f"{folder}/board_id")
    return Adapter(
        name=name,
        model=_line(host, f"{folder}/hca_type") if isinstance(board, Unknown) else board,
        firmware=_line(host, f"{folder}/fw_ver"),
        link=_line(host, f"{port}/link_layer"),
        rate=_line(host, f"{port}/rate"),
        state=_state(host, port),
    )


def _state(host: Host, port: str) -> Fact[str]:
    """As ACTIVE: the kernel writes its number before it."""
    line = _line(host, f"{port}/state")
    return line if isinstance(line, Unknown) else line.rpartition(": ")[2]


def _line(host: Host, path: str) -> Fact[str]:
    text = read_text(host, path, limit=256)
    if isinstance(text, Unknown):
        return text
    line = (text or "").strip()
    if not line:
        return Unknown(Reason.NOT_SUPPORTED, "the adapter's driver does not tell it")
    return line if line.isprintable() and len(line) <= _LONGEST else unparsable(path, line)


def _ofed(host: Host) -> Fact[str | None]:
    """By its own program; where a container hides that, by the version of its module."""
    place = host.which("ofed_info")
    if isinstance(place, Unknown):
        return place
    if place is not None:
        text = said(host, [place, "-s"])
        return text if isinstance(text, Unknown) else parse_ofed(text) or unparsable(place, text)
    version = read_text(host, f"{_MODULES}/mlx5_core/version", limit=64)
    if version is None or isinstance(version, Unknown):
        return version
    return version.strip() if re.match(_OFED_MODULE, version.strip(), re.ASCII) else None


def _gpudirect(host: Host) -> Fact[bool]:
    for name in _PEER_MODULES:
        found = host.stat(f"{_MODULES}/{name}")
        if isinstance(found, Unknown):
            return found
        if found is not None:
            return True
    listed = host.stat(_MODULES)
    if listed is None:
        return Unknown(Reason.NOT_SUPPORTED, f"{_MODULES} is not shown here")
    return listed if isinstance(listed, Unknown) else False


def _version(host: Host, argv: list[str], pattern: str) -> Fact[str | None]:
    """The version that a program tells; None where it is not on PATH."""
    place = host.which(argv[0])
    if place is None or isinstance(place, Unknown):
        return place
    text = said(host, [place, *argv[1:]])
    if isinstance(text, Unknown):
        return text
    match = re.search(pattern, text[:4000], re.ASCII | re.MULTILINE)
    return match.group(1) if match else unparsable(argv[0], text)


def _mpi(host: Host) -> Fact[str | None]:
    """By mpirun's own words, as the section `tools` reads them."""
    place = host.which("mpirun")
    if place is None or isinstance(place, Unknown):
        return place
    text = said(host, [place, "--version"])
    return text if isinstance(text, Unknown) else parse_version("mpirun", text)


def _pmi(host: Host) -> Fact[tuple[str, ...]]:
    """What srun offers; old ones say it where errors go.

    Without a configuration on this machine srun looks one up in the network: it is not started.
    """
    place = host.which("srun")
    if place is None or isinstance(place, Unknown):
        return place or ()
    own = host.environ("SLURM_CONF")
    if not any(
        is_there(host, path) for path in (*SLURM_CONFIGURATION, own) if isinstance(path, str)
    ):
        return Unknown(Reason.NOT_ASKED, "srun would look for its configuration in the network")
    ran = host.run([place, "--mpi=list"])
    if isinstance(ran, Unknown):
        return ran
    if ran.status:
        return Unknown(Reason.CRASHED, f"srun ended with status {ran.status}")
    return parse_plugins(ran.stdout or ran.stderr) or unparsable("srun --mpi=list", ran.stdout)
