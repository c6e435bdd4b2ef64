"""What `nvidia-smi -q -x` says, by the names of a manifest's fields."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

from envsnap.probes._gpu._pci import address

_SWITCH = {"Enabled": True, "Disabled": False, "N/A": None}
_MODES = {
    "Default": "default",
    "Exclusive_Process": "exclusive-process",
    "Prohibited": "prohibited",
}
Node = ET.Element


def driver(log: str) -> dict[str, object]:
    """The driver's own facts."""
    root = _root(log)
    return {"version": _text(root, "driver_version"), "cuda": _text(root, "cuda_version")}


def devices(log: str) -> list[dict[str, object]]:
    """The facts of each card, in the order of their address; a field it does not say is left out.

    Raises:
        ValueError: A card has no address.
    """
    found = [_device(gpu) for gpu in _root(log).iter("gpu")]
    return sorted(found, key=lambda each: str(each["pci_bus_id"]))


def _root(log: str) -> Node:
    return ET.fromstring(log)  # noqa: S314 - the driver's own program wrote it


def _device(gpu: Node) -> dict[str, object]:
    bus_id = address(_text(gpu, "pci/pci_bus_id") or "")
    if bus_id is None:
        raise ValueError(_text(gpu, "pci/pci_bus_id"))
    fields: dict[str, tuple[tuple[str, ...], Callable[[str], object]]] = {
        "name": (("product_name",), str),
        "architecture": (("product_architecture",), _architecture),
        "vbios": (("vbios_version",), str),
        "memory_mib": (("fb_memory_usage/total",), _number),
        "compute_mode": (("compute_mode",), _MODES.get),
        "max_sm_clock_mhz": (("max_clocks/sm_clock",), _number),
        "max_memory_clock_mhz": (("max_clocks/mem_clock",), _number),
        "power_limit_w": (_powers("current_power_limit", "enforced_power_limit"), _number),
        "default_power_limit_w": (_powers("default_power_limit"), _number),
        "pcie_generation": (("pci/pci_gpu_link_info/pcie_gen/max_link_gen",), _number),
        "pcie_width": (("pci/pci_gpu_link_info/link_widths/max_link_width",), _number),
    }
    said: dict[str, object] = {"pci_bus_id": bus_id}
    for name, (places, read) in fields.items():
        texts = [text for place in places if (text := _text(gpu, place)) not in {None, "N/A"}]
        if texts:
            said[name] = read(str(texts[0]))
    for name, place in (
        ("ecc", "ecc_mode/current_ecc"), ("mig", "mig_mode/current_mig"),
        ("persistence", "persistence_mode"),
    ):  # fmt: skip
        text = _text(gpu, place)
        if text in _SWITCH:
            said[name] = _SWITCH[text]
    return said


def _powers(*names: str) -> tuple[str, ...]:
    """Where newer and older releases of nvidia-smi say a limit."""
    return tuple(
        f"{group}/{name}" for group in ("gpu_power_readings", "power_readings") for name in names
    )


def _architecture(text: str) -> str:
    return text.lower().replace("ada lovelace", "ada")


def _number(text: str) -> int:
    """The number before a unit, as in '700.00 W', '1980 MHz' and '16x'."""
    return round(float(text.split(maxsplit=1)[0].rstrip("x")))


def _text(node: Node, place: str) -> str | None:
    found = node.find(place)
    return None if found is None or found.text is None else found.text.strip()
