"""What speaks of a GPU before any driver is asked: the bus, device files, /proc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from envsnap.host import Host
from envsnap.probes import _amd, _nvidia
from envsnap.probes._pci import pci_devices
from envsnap.sections import Fact, PciDevice, Reason, Unknown


class Seen(NamedTuple):
    """The witnesses, each with what it says or why it says nothing."""

    system: Fact[str]
    pci: Fact[tuple[PciDevice, ...]]
    markers: Fact[tuple[str, ...]]
    """Files that only a machine with a GPU has."""
    tegra: Fact[_nvidia.Tegra | None]
    amd: Fact[tuple[_amd.Node, ...]]


def look_around(host: Host) -> Seen:
    """Every witness asked once."""
    uname = host.uname()
    system = uname if isinstance(uname, Unknown) else uname.system
    if isinstance(system, str) and system != "Linux":
        name = "macOS" if system == "Darwin" else system
        why = Unknown(Reason.NOT_SUPPORTED, f"{name} is not asked for its GPUs")
        return Seen(system, why, why, why, why)
    return Seen(system, pci_devices(host), _markers(host), _nvidia.tegra(host), _amd.nodes(host))


def _markers(host: Host) -> Fact[tuple[str, ...]]:
    """The device files and /proc entries that say that a GPU is, or was, there."""
    found = []
    for path in ("/dev/dxg", "/dev/kfd", _nvidia.PROC):
        answer = host.stat(path)
        if isinstance(answer, Unknown):
            return answer
        if answer is not None:
            found.append(path)
    names = host.list("/dev")
    if isinstance(names, Unknown):
        return names
    files = [name for name in names or () if name == "nvidiactl" or _is_card_file(name)]
    return (*found, *(f"/dev/{name}" for name in files))


def _is_card_file(name: str) -> bool:
    return name.startswith("nvidia") and name[6:].isascii() and name[6:].isdecimal()


def no_nvidia(seen: Seen) -> Fact[bool]:
    """True: there is no NVIDIA GPU, known. False: a witness shows one. Unknown: why neither."""
    if isinstance(seen.pci, tuple) and any(each.vendor == "nvidia" for each in seen.pci):
        return False
    if isinstance(seen.tegra, _nvidia.Tegra):
        return False
    for answer in (seen.pci, seen.tegra):
        if isinstance(answer, Unknown):
            return answer
    return seen.markers if isinstance(seen.markers, Unknown) else _unmarked(seen.markers)


def _unmarked(markers: Sequence[str]) -> Fact[bool]:
    """True where no file speaks of an NVIDIA GPU that the PCI bus does not show."""
    marks = [mark for mark in markers if mark != "/dev/kfd"]
    if "/dev/dxg" in marks:
        return Unknown(Reason.NOT_SUPPORTED, "/dev/dxg does not say whose the GPU of Windows is")
    if marks:
        said = f"{marks[0]} is there, no NVIDIA GPU is on the PCI bus"
        return Unknown(Reason.WITNESSES_DISAGREE, said)
    return True
