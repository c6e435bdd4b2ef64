"""What speaks of a GPU before any driver is asked: the bus, device files, /proc."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._gpu import _amd
from envsnap.probes._gpu._pci import pci_devices
from envsnap.sections import Fact, PciDevice, Reason, Unknown

PROC = "/proc/driver/nvidia"
_TEGRA_CHIPS = {  # chip to architecture and compute capability, from NVIDIA's Jetson data sheets
    "tegra210": ("maxwell", "5.3"),
    "tegra186": ("pascal", "6.2"),
    "tegra194": ("volta", "7.2"),
    "tegra234": ("ampere", "8.7"),
    "tegra264": ("blackwell", "11.0"),
}

_RELEASE = rb"# R(\d{1,3}) \(release\), REVISION: (\d{1,3}(?:\.\d{1,3}){0,2})\b"


class Tegra(NamedTuple):
    """The GPU of an NVIDIA system on a chip."""

    name: Fact[str]
    """The board's, as the device tree tells it."""
    architecture: Fact[str]
    compute_capability: Fact[str | None]
    release: str | None
    """Of Jetson Linux (L4T), as '36.4.3'; None where no file says it."""


class Seen(NamedTuple):
    """The witnesses, each with what it says or why it says nothing."""

    system: Fact[str]
    pci: Fact[tuple[PciDevice, ...]]
    markers: Fact[tuple[str, ...]]
    """Files that only a machine with a GPU has."""
    tegra: Fact[Tegra | None]
    amd: Fact[tuple[_amd.Node, ...]]


def look_around(host: Host) -> Seen:
    """Every witness asked once."""
    uname = host.uname()
    system = uname if isinstance(uname, Unknown) else uname.system
    if isinstance(system, str) and system != "Linux":
        name = "macOS" if system == "Darwin" else system
        why = Unknown(Reason.NOT_SUPPORTED, f"{name} does not show it")
        return Seen(system, why, why, why, why)
    return Seen(system, pci_devices(host), _markers(host), tegra(host), _amd.nodes(host))


def _markers(host: Host) -> Fact[tuple[str, ...]]:
    """The device files and /proc entries that say that a GPU is, or was, there."""
    found = []
    for path in ("/dev/dxg", "/dev/kfd", PROC):
        answer = host.stat(path)
        if isinstance(answer, Unknown):
            return answer
        if answer is not None:
            found.append(path)
    names = host.list("/dev")
    if isinstance(names, Unknown):
        return names
    files = [f"/dev/{name}" for name in names or () if _is_card_file(name)]
    if not files and "nvidiactl" in (names or ()) and not _is_left_over(host):
        files = ["/dev/nvidiactl"]
    return (*found, *files)


def _is_left_over(host: Host) -> bool:
    """Whether /dev/nvidiactl has no driver behind it.

    NVML, started by root on a machine without the driver, makes that file and fails (seen with
    libnvidia-ml 535): from then until the next boot it is there, and speaks of no card.
    """
    modules = host.list("/sys/module")
    return isinstance(modules, tuple) and bool(modules) and "nvidia" not in modules


def _is_card_file(name: str) -> bool:
    return name.startswith("nvidia") and name[6:].isascii() and name[6:].isdecimal()


def no_nvidia(seen: Seen) -> Fact[bool]:
    """True: there is no NVIDIA GPU, known. False: a witness shows one. Unknown: why neither."""
    if isinstance(seen.pci, tuple) and any(each.vendor == "nvidia" for each in seen.pci):
        return False
    if isinstance(seen.tegra, Tegra):
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


def tegra(host: Host) -> Fact[Tegra | None]:
    """The GPU in an NVIDIA system on a chip; None where nothing speaks of Tegra."""
    family = host.read("/sys/devices/soc0/family", limit=64)
    marker = host.stat("/etc/nv_tegra_release")
    for answer in (family, marker):
        if isinstance(answer, Unknown):
            return answer
    if not _bytes(family).lower().startswith(b"tegra") and marker is None:
        return None
    chips = _bytes(host.read("/proc/device-tree/compatible", limit=4096)).decode("ascii", "replace")
    board = _bytes(host.read("/proc/device-tree/model", limit=256)).decode("utf-8", "replace")
    board = board.rstrip("\0").strip()
    untold = Unknown(Reason.NOT_SUPPORTED, "the device tree names no board")
    name = board if board and board.isprintable() else untold
    release = parse_release(_bytes(host.read("/etc/nv_tegra_release", limit=4096)))
    for chip, (architecture, capability) in _TEGRA_CHIPS.items():
        if f"nvidia,{chip}" in chips:
            return Tegra(name, architecture, capability, release)
    why = Unknown(Reason.NOT_SUPPORTED, "the device tree names no chip that is known")
    return Tegra(name, why, why, release)


def parse_release(raw: bytes) -> str | None:
    """The release of Jetson Linux in /etc/nv_tegra_release; None for other text.

    >>> parse_release(b"# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic")
    '36.4.3'
    """
    match = re.match(_RELEASE, raw)
    return match and b".".join(match.groups()).decode("ascii")


def _bytes(answer: object) -> bytes:
    return answer if isinstance(answer, bytes) else b""
