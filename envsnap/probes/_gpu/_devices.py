"""The GPUs, joined from those who show them by their PCI address.

NVML describes NVIDIA's cards; one that only the bus or /proc shows keeps unknown fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._gpu import _amd, _nvidia
from envsnap.probes._gpu._nvml import Nvml, Shown, unknown_device
from envsnap.probes._gpu._pci import DEVICES, is_integrated_intel
from envsnap.probes._gpu._seen import Seen, Tegra, no_nvidia
from envsnap.probes._registry import Look
from envsnap.probes._texts import read_text, whole
from envsnap.sections import Device, Fact, PciDevice, Reason, Unknown, replace

_NO_NODE = Unknown(Reason.NOT_SUPPORTED, "the kernel's compute driver does not show this card")


class Joined(NamedTuple):
    """The GPUs, and which of them NVML described."""

    devices: Fact[tuple[Device, ...]]
    shown: Mapping[int, Shown]
    """What else NVML says of a card, by its position in `devices`."""
    unshown: tuple[_nvidia.Card, ...]
    """NVIDIA's cards that /proc shows and NVML does not."""


def join(look: Look, seen: Seen, nvml: Fact[Nvml]) -> Joined:
    """Every GPU that any witness shows, in the order of their address."""
    cards = _cards(look.host, seen)
    shown = nvml.shown if isinstance(nvml, Nvml) else ()
    found: list[tuple[Device, Shown | None]] = [(each.device, each) for each in shown]
    why = _why_not_shown(nvml)
    found += [(each, None) for each in _unshown_nvidia(seen, found, cards, why)]
    if isinstance(nvml, Nvml):
        missing = len(shown) + nvml.missing - len(found)
        found += [(unknown_device("nvidia", why, why), None) for _ in range(missing)]
    if not found and isinstance(seen.tegra, Tegra):
        found.append((_tegra_device(seen.tegra), None))
    found += [(each, None) for each in _amd_devices(look, seen)]
    if isinstance(seen.pci, tuple):
        found += [(each, None) for each in _intel_devices(seen.pci)]
    without = no_nvidia(seen)
    if not found and isinstance(without, Unknown):
        return Joined(without, {}, ())
    if not found and isinstance(seen.amd, Unknown):
        return Joined(seen.amd, {}, ())
    found.sort(key=lambda pair: _by_address(pair[0]))
    addresses = {each.device.pci_bus_id for each in shown}
    witness = nvml.witness if isinstance(nvml, Nvml) else None
    placed = [
        replace(
            device,
            shown_by=_shown_by(device, seen, cards, witness if each else None),
            numa_node=_numa_node(look.host, device.pci_bus_id),
        )
        for device, each in found
    ]
    return Joined(
        tuple(placed),
        {at: each for at, (_, each) in enumerate(found) if each is not None},
        tuple(card for bus_id, card in sorted(cards.items()) if bus_id not in addresses),
    )


def _shown_by(
    device: Device, seen: Seen, cards: Mapping[str, _nvidia.Card], driver: str | None
) -> tuple[str, ...]:
    """Who shows it; `driver` is the one of NVML and nvidia-smi that does, if one does."""
    bus_id = device.pci_bus_id
    on_bus = seen.pci if isinstance(seen.pci, tuple) else ()
    nodes = seen.amd if isinstance(seen.amd, tuple) else ()
    says = {
        "pci": any(each.bus_id == bus_id for each in on_bus),
        "proc": bus_id in cards,
        "kfd": any(node.bus_id == bus_id for node in nodes),
        "tegra": device.vendor == "nvidia" and isinstance(seen.tegra, Tegra),
    }
    names = {name for name, is_shown in says.items() if is_shown}
    return tuple(sorted(names | ({driver} if driver else set())))


def _numa_node(host: Host, bus_id: Fact[str]) -> Fact[int | None]:
    """The node that the kernel tells for the card's slot; it says -1 where it knows none."""
    if isinstance(bus_id, Unknown):
        return bus_id
    text = read_text(host, f"{DEVICES}/{bus_id}/numa_node", limit=64)
    if text is None or isinstance(text, Unknown):
        return text
    return None if text.strip() == "-1" else whole(text.strip(), "the NUMA node")


def _by_address(device: Device) -> tuple[bool, str]:
    is_known = isinstance(device.pci_bus_id, str)
    return (not is_known, str(device.pci_bus_id) if is_known else "")


def _why_not_shown(nvml: Fact[Nvml]) -> Unknown:
    if isinstance(nvml, Unknown):
        return nvml
    return nvml.ended or Unknown(Reason.NO_PERMISSION, "NVML does not show this card")


def _cards(host: Host, seen: Seen) -> dict[str, _nvidia.Card]:
    """NVIDIA's cards under /proc, by their address."""
    if seen.system != "Linux" or no_nvidia(seen) is True:
        return {}
    cards = _nvidia.cards(host)
    return {} if isinstance(cards, Unknown) else {card.bus_id: card for card in cards}


def _unshown_nvidia(
    seen: Seen,
    shown: Sequence[tuple[Device, Shown | None]],
    named: Mapping[str, _nvidia.Card],
    why: Unknown,
) -> list[Device]:
    """NVIDIA's cards on the bus, or under /proc, that NVML did not describe."""
    if no_nvidia(seen) is True:
        return []
    on_bus = seen.pci if isinstance(seen.pci, tuple) else ()
    addresses = {each.bus_id for each in on_bus if each.vendor == "nvidia"} | set(named)
    left = sorted(addresses - {str(each.pci_bus_id) for each, _ in shown})
    # A card that NVML shows without an address is one of these: it must not count twice.
    without_address = sum(isinstance(each.pci_bus_id, Unknown) for each, _ in shown)
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
        name=chip.name,
        architecture=chip.architecture,
        compute_capability=chip.compute_capability,
        ecc=None,
        mig=None,
        slices=(),
        nvlinks=None,
        virtualization=None,
    )


def _amd_devices(look: Look, seen: Seen) -> list[Device]:
    nodes = seen.amd if isinstance(seen.amd, tuple) else ()
    on_bus = seen.pci if isinstance(seen.pci, tuple) else ()
    described = {node.bus_id for node in nodes}
    why = seen.amd if isinstance(seen.amd, Unknown) else _NO_NODE
    parts = Counter(node.bus_id for node in nodes)
    found = [
        _amd.device(
            look.host,
            node,
            is_part=parts[node.bus_id] > 1,
            identify=look.options.identify,
        )
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
