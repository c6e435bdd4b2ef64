"""The GPUs, joined from those who show them by their PCI address.

NVML describes NVIDIA's cards; one that only the bus or /proc shows keeps unknown fields.
"""

from __future__ import annotations

from collections.abc import Sequence

from envsnap.host import Host
from envsnap.probes import _amd, _nvidia
from envsnap.probes._gpu_seen import Seen, Tegra, no_nvidia
from envsnap.probes._nvml import Nvml, unknown_device
from envsnap.probes._pci import is_integrated_intel
from envsnap.probes._registry import Look
from envsnap.sections import Device, Fact, PciDevice, Reason, Unknown, replace

_NO_NODE = Unknown(Reason.NOT_SUPPORTED, "the kernel's compute driver does not show this card")


def join(look: Look, seen: Seen, nvml: Fact[Nvml]) -> Fact[tuple[Device, ...]]:
    """Every GPU that any witness shows, in the order of their address."""
    shown = nvml.shown if isinstance(nvml, Nvml) else ()
    found = [each.device for each in shown]
    why = _why_not_shown(nvml)
    found += _unshown_nvidia(look.host, seen, found, why)
    if isinstance(nvml, Nvml):
        missing = len(shown) + nvml.missing - len(found)
        found += [unknown_device("nvidia", why, why) for _ in range(missing)]
    if not found and isinstance(seen.tegra, Tegra):
        found.append(_tegra_device(seen.tegra))
    found += _amd_devices(look, seen)
    if isinstance(seen.pci, tuple):
        found += _intel_devices(seen.pci)
    without = no_nvidia(seen)
    if not found and isinstance(without, Unknown):
        return without
    if not found and isinstance(seen.amd, Unknown):
        return seen.amd
    return tuple(sorted(found, key=_by_address))


def _by_address(device: Device) -> tuple[bool, str]:
    is_known = isinstance(device.pci_bus_id, str)
    return (not is_known, str(device.pci_bus_id) if is_known else "")


def _why_not_shown(nvml: Fact[Nvml]) -> Unknown:
    if isinstance(nvml, Unknown):
        return nvml
    return nvml.ended or Unknown(Reason.NO_PERMISSION, "NVML does not show this card")


def _unshown_nvidia(host: Host, seen: Seen, shown: Sequence[Device], why: Unknown) -> list[Device]:
    """NVIDIA's cards on the bus, or under /proc, that NVML did not describe."""
    if no_nvidia(seen) is True:
        return []
    cards = _nvidia.cards(host)
    named = {card.bus_id: card for card in (() if isinstance(cards, Unknown) else cards)}
    on_bus = seen.pci if isinstance(seen.pci, tuple) else ()
    addresses = {each.bus_id for each in on_bus if each.vendor == "nvidia"} | set(named)
    left = sorted(addresses - {str(each.pci_bus_id) for each in shown})
    # A card that NVML shows without an address is one of these: it must not count twice.
    without_address = sum(isinstance(each.pci_bus_id, Unknown) for each in shown)
    return [_from_proc(named.get(bus_id), bus_id, why) for bus_id in left[without_address:]]


def _from_proc(card: _nvidia.Card | None, bus_id: str, why: Unknown) -> Device:
    device = unknown_device("nvidia", bus_id, why)
    if card is None:
        return device
    return replace(
        device,
        name=why if isinstance(card.name, Unknown) else card.name,
        vbios=why if isinstance(card.vbios, Unknown) else card.vbios,
    )


def _tegra_device(chip: Tegra) -> Device:
    why = Unknown(Reason.NOT_SUPPORTED, "not told by a system on a chip")
    return replace(
        unknown_device("nvidia", why, why),
        architecture=chip.architecture,
        compute_capability=chip.compute_capability,
        ecc=None,
        mig=None,
        slices=(),
    )


def _amd_devices(look: Look, seen: Seen) -> list[Device]:
    nodes = seen.amd if isinstance(seen.amd, tuple) else ()
    on_bus = seen.pci if isinstance(seen.pci, tuple) else ()
    described = {node.bus_id for node in nodes}
    why = seen.amd if isinstance(seen.amd, Unknown) else _NO_NODE
    found = [
        _amd.device(look.host, node, identify=look.options.identify)
        for node in nodes
        if not node.integrated
    ]
    return found + [
        unknown_device("amd", each.bus_id, why)
        for each in on_bus
        if each.vendor == "amd" and each.bus_id not in described
    ]


def _intel_devices(pci: Sequence[PciDevice]) -> list[Device]:
    why = Unknown(Reason.NOT_SUPPORTED, "Intel's GPUs are not asked")
    return [
        unknown_device("intel", each.bus_id, why)
        for each in pci
        if each.vendor == "intel" and not is_integrated_intel(each)
    ]
