"""GPU vendors' devices on the PCI bus: the witness that proves that there is no GPU."""

from __future__ import annotations

import re

from envsnap.host import Host
from envsnap.sections import Fact, PciDevice, Reason, Unknown

DEVICES = "/sys/bus/pci/devices"
VENDORS = {"10de": "nvidia", "1002": "amd", "8086": "intel"}

_ADDRESS = r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z"
_DISPLAY = "03"  # VGA 0300, 3D 0302, other display 0380
_ACCELERATOR = "12"  # AMD's Instinct cards since MI200 call themselves processing accelerators
_INTEL_INTEGRATED = "0000:00:02.0"


def address(text: str) -> str | None:
    """One spelling of a PCI address, as '0000:41:00.0'; None for other text.

    NVML pads the domain to eight digits, /proc to four, and both have used capitals.

    >>> address("00000000:C1:00.0")
    '0000:c1:00.0'
    """
    match = re.match(_ADDRESS, text.strip().lower())
    if match is None:
        return None
    domain, bus, device, function = match.groups()
    return f"{int(domain, 16):04x}:{bus}:{device}.{function}"


def parse_hex(text: str) -> str | None:
    """The digits of sysfs's '0x10de'; None for other text."""
    digits = text.strip().lower().removeprefix("0x")
    is_hex = 4 <= len(digits) <= 6 and not digits.strip("0123456789abcdef")  # noqa: PLR2004 - ids and classes
    return digits if is_hex else None


def pci_devices(host: Host) -> Fact[tuple[PciDevice, ...]]:
    """GPU vendors' display devices and accelerators on the bus, in the order of their address."""
    names = host.list(DEVICES)
    if isinstance(names, Unknown):
        return names
    if names is None:
        return _no_bus(host)
    found = []
    for name in names:
        device = _device(host, name)
        if isinstance(device, Unknown):
            return device  # a bus that cannot be read whole proves no absence
        if device is not None:
            found.append(device)
    return tuple(sorted(found, key=lambda each: each.bus_id))


def is_integrated_intel(device: PciDevice) -> bool:
    """Whether it is the graphics part of an Intel processor, which always has this address."""
    return device.vendor == "intel" and device.bus_id == _INTEL_INTEGRATED


def _no_bus(host: Host) -> Fact[tuple[PciDevice, ...]]:
    """Known empty where /sys shows its buses, and PCI is not among them."""
    buses = host.list("/sys/bus")
    if isinstance(buses, Unknown):
        return buses
    if not buses or "pci" in buses:
        return Unknown(Reason.NOT_SUPPORTED, "/sys shows no PCI bus here")
    return ()


def _device(host: Host, name: str) -> Fact[PciDevice | None]:
    """The device, if it is one of a GPU vendor's that draws or computes."""
    kind, vendor = (_hex(host, f"{DEVICES}/{name}/{part}") for part in ("class", "vendor"))
    for answer in (kind, vendor):
        if answer is None:
            return None  # it was unplugged between the listing and the reading
        if isinstance(answer, Unknown):
            return answer
    shown = VENDORS.get(str(vendor))
    is_gpu = str(kind)[:2] == _DISPLAY or (str(kind)[:2] == _ACCELERATOR and shown != "intel")
    if shown is None or not is_gpu:
        return None
    device = _hex(host, f"{DEVICES}/{name}/device")
    return PciDevice(
        bus_id=address(name) or name,
        vendor=shown,
        device=device if isinstance(device, str) else "0000",
        driver=_driver(host, name),
    )


def _hex(host: Host, path: str) -> Fact[str | None]:
    raw = host.read(path, limit=64)
    if raw is None or isinstance(raw, Unknown):
        return raw
    text = raw.decode("ascii", "replace")
    return parse_hex(text) or Unknown(Reason.UNPARSABLE, f"{path}: {text.strip()[:20]}")


def _driver(host: Host, name: str) -> Fact[str | None]:
    link = host.link(f"{DEVICES}/{name}/driver")
    return link.rpartition("/")[2] if isinstance(link, str) else link
