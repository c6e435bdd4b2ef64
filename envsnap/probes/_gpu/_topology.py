"""How the GPUs of a machine reach each other: NVLink, XGMI, a PCIe switch, or the processors."""

from __future__ import annotations

from collections.abc import Mapping

from envsnap.host import Host
from envsnap.probes._gpu._amd import NODES, Node, parse_properties
from envsnap.probes._gpu._devices import Joined
from envsnap.probes._gpu._hip import nodes_by_place
from envsnap.probes._gpu._nvml import Nvml, Shown, why_not
from envsnap.probes._gpu._seen import Seen
from envsnap.sections import Fact, GpuLink, Reason, Unknown

_ANCESTORS = {0: "internal", 10: "pix", 20: "pxb", 30: "phb", 40: "node", 50: "sys"}
"""nvmlGpuTopologyLevel_t, in the words of `nvidia-smi topo -m`."""
_OVER_NVLINK = 0  # NVML_P2P_STATUS_OK
_XGMI = 11  # CRAT_IOLINK_TYPE_XGMI in the kernel's amdkfd
_MOST_LINKS = 128
_UNTOLD = Unknown(Reason.NOT_SUPPORTED, "no driver tells which way joins them")


def topology(host: Host, seen: Seen, joined: Joined, nvml: Fact[Nvml]) -> Fact[tuple[GpuLink, ...]]:
    """One row for each pair of GPUs."""
    devices = joined.devices
    if isinstance(devices, Unknown):
        return devices
    vendors = [device.vendor for device in devices]
    pairs = [(first, second) for first in range(len(devices)) for second in range(first)]
    if len(devices) > 1 and set(vendors) == {"nvidia"} and isinstance(nvml, Unknown):
        return nvml
    nodes = nodes_by_place(seen, devices)
    links = _amd_links(host, nodes) if len(nodes) > 1 else {}
    found = []
    for second, first in pairs:
        both = {vendors[first], vendors[second]}
        if both == {"nvidia"}:
            way = _way(joined.shown.get(first), joined.shown.get(second), nvml)
        elif both == {"amd"}:
            way = _amd_way(links, nodes.get(first), nodes.get(second))
        else:
            way = _UNTOLD
        found.append(GpuLink(first=first, second=second, way=way))
    return tuple(sorted(found, key=lambda link: (link.first, link.second)))


def _amd_links(host: Host, nodes: Mapping[int, Node]) -> Mapping[tuple[int, int], int]:
    """The kind of link from node to node, as the kernel's compute driver numbers them."""
    found = {}
    for node in nodes.values():
        folder = f"{NODES}/{node.number}/io_links"
        names = host.list(folder)
        for name in names[:_MOST_LINKS] if isinstance(names, tuple) else ():
            raw = host.read(f"{folder}/{name}/properties", limit=4096)
            said = (
                parse_properties(raw.decode("ascii", "replace")) if isinstance(raw, bytes) else {}
            )
            if "type" in said and "node_to" in said:
                found[node.number, said["node_to"]] = said["type"]
    return found


def _amd_way(
    links: Mapping[tuple[int, int], int], first: Node | None, second: Node | None
) -> Fact[str]:
    if first is None or second is None:
        return Unknown(Reason.NOT_SUPPORTED, "the compute driver does not show both cards")
    if first.bus_id == second.bus_id:
        return "internal"
    kind = links.get((first.number, second.number), links.get((second.number, first.number)))
    return "xgmi" if kind == _XGMI else _UNTOLD


def _way(first: Shown | None, second: Shown | None, nvml: Fact[Nvml]) -> Fact[str]:
    if first is None or second is None or isinstance(nvml, Unknown):
        return Unknown(Reason.NOT_SUPPORTED, "NVML does not show both cards")
    numbers = (min(first.number, second.number), max(first.number, second.number))
    ancestor, peers = nvml.pairs.get(numbers, (None, None))
    links = _links(first, second) or (_switched(first, second) if peers == _OVER_NVLINK else 0)
    if links:
        return f"nvlink:{links}"
    way = _ANCESTORS.get(ancestor) if isinstance(ancestor, int) else None
    if way is not None:
        return way
    late = nvml.ended if ancestor is None else None
    return late or why_not(ancestor) or Unknown(Reason.UNPARSABLE, f"NVML said {ancestor!r}"[:60])


def _links(first: Shown, second: Shown) -> int:
    """Links from card to card, as either end tells them."""
    return max(
        first.links.count(second.device.pci_bus_id), second.links.count(first.device.pci_bus_id)
    )


def _switched(first: Shown, second: Shown) -> int:
    """Links of each to the switches between them: the end with fewer decides."""
    return min(len(first.links), len(second.links))
