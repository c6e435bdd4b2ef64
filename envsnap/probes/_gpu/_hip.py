"""Which of AMD's GPUs a HIP program would see: ROCR_VISIBLE_DEVICES, then HIP_VISIBLE_DEVICES.

AMD's documentation (GPU isolation): ROCR_VISIBLE_DEVICES takes numbers and `GPU-` and the unique
id in hexadecimal, in the order of the compute driver's nodes; HIP_VISIBLE_DEVICES, or where it is
not set CUDA_VISIBLE_DEVICES, numbers what is left. Each ends at the first that fits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envsnap.host import Host
from envsnap.probes._gpu._amd import Node
from envsnap.probes._gpu._seen import Seen
from envsnap.probes._gpu._visible import Choice
from envsnap.sections import Device, Fact, Reason, Unknown

_UNIQUE_ID = re.compile(r"GPU-[0-9a-f]{1,16}\Z", re.ASCII | re.IGNORECASE)
_UNRESOLVED = Unknown(Reason.NOT_SUPPORTED, "a GPU named by its unique id cannot be told")


def hip_choice(host: Host, seen: Seen, devices: Sequence[Device]) -> Choice:
    """The positions of AMD's GPUs that HIP programs see."""
    cards = [at for at, device in enumerate(devices) if device.vendor == "amd"]
    by_place = nodes_by_place(seen, devices)
    variables = {}
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        value = host.environ(name)
        if isinstance(value, Unknown):
            return Choice(value, value)
        if value is not None:
            variables[name] = value
    if "HIP_VISIBLE_DEVICES" in variables:
        variables.pop("CUDA_VISIBLE_DEVICES", None)
    left = tuple(by_place)
    for name, value in variables.items():
        picked = _picked(value, left, by_place if name.startswith("ROCR") else {})
        if isinstance(picked, Unknown):
            return Choice(picked, picked)
        left = picked
    hidden = len(by_place) - len(left)
    verb = "hide" if len(variables) > 1 else "hides"
    notes = [f"{' and '.join(variables)} {verb} {hidden}"] if hidden else []
    if len(cards) > len(by_place):
        notes.append(f"{len(cards) - len(by_place)} not shown by the kernel's compute driver")
    return Choice(tuple(sorted(left)), "; ".join(notes) or None)


def nodes_by_place(seen: Seen, devices: Sequence[Device]) -> dict[int, Node]:
    """The compute driver's node of each of AMD's devices by its position, in the driver's order."""
    places: dict[str, list[int]] = {}
    for at, device in enumerate(devices):
        if device.vendor == "amd" and isinstance(device.pci_bus_id, str):
            places.setdefault(device.pci_bus_id, []).append(at)
    nodes = seen.amd if isinstance(seen.amd, tuple) else ()
    cards = sorted((node.number, node) for node in nodes if not node.integrated)
    return {places[node.bus_id].pop(0): node for _, node in cards}


def _picked(text: str, left: tuple[int, ...], nodes: Mapping[int, Node]) -> Fact[tuple[int, ...]]:
    """Those that the list leaves; a unique id counts only where the nodes are given."""
    found: list[int] = []
    for part in (each.strip() for each in text.split(",")):
        if nodes and part.upper().startswith("GPU-"):
            if any(not nodes[at].unique_id for at in left) or not _UNIQUE_ID.match(part):
                return _UNRESOLVED
            fitting = [at for at in left if nodes[at].unique_id == int(part[4:], 16)]
        else:
            fitting = [left[int(part)]] if _is_number(part) and int(part) < len(left) else []
        if not fitting:
            break
        if fitting[0] not in found:
            found.append(fitting[0])
    return tuple(found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4  # noqa: PLR2004 - no machine has 10^4 cards
