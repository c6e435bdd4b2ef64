"""nvidia-smi's long answers: `nvidia-smi -q`, and the same in XML (`-q -x`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.imports._cards import (
    LISTED,
    System,
    card,
    driver_of,
    gpu_of,
    is_native,
    mig_of,
    mig_slice,
)
from envsnap.imports._core import NOT_TOLD, Text, Told, blank, reader
from envsnap.probes._gpu._pci import address
from envsnap.sections import Device, Fact, MigSlice, Os

_HEADS = ("NVSMI LOG", "Attached GPUs", "Product Name")
_PAIR = re.compile(r"(?P<indent>\s*)(?P<name>\S.*?)\s*:(?:\s+(?P<value>\S.*?))?\s*\Z")
_GPU = re.compile(r"GPU (?P<bus>[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7])\Z")
_TAG = re.compile(
    r"<(?P<close>/)?(?P<tag>[a-z][\w]{0,60})(?P<more>\s[^<>]{0,200})?(?P<empty>/)?>"
    r"|(?P<text>[^<]+)"
)
_DEEPEST = 12
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[^;\s]{1,80};")
_NOT_LOOKED_UP = (
    "it declares entities of its own, which are not looked up: what they stand for is not read"
)
"""nvidia-smi writes none."""
_REFUSED = frozenset({"n/a", "[n/a]", "none", "not supported", "[not supported]", "unknown error"})
_SWITCH: Mapping[str, bool | None] = {"Enabled": True, "Disabled": False, "N/A": None}
_MODES = {
    "Default": "default",
    "Exclusive_Process": "exclusive-process",
    "Exclusive_Thread": "exclusive-process",
    "Prohibited": "prohibited",
}
_ARCHITECTURES = {"Ada Lovelace": "ada"}
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "name": ("product_name",),
    "bus": ("pci/pci_bus_id", "pci/bus_id"),
    "architecture": ("product_architecture",),
    "vbios": ("vbios_version",),
    "memory": ("fb_memory_usage/total", "memory_usage/total"),
    "compute_mode": ("compute_mode",),
    "sm_clock": ("max_clocks/sm_clock", "max_clocks/sm"),
    "memory_clock": ("max_clocks/mem_clock", "max_clocks/memory"),
    "power": (
        "gpu_power_readings/current_power_limit", "gpu_power_readings/enforced_power_limit",
        "power_readings/enforced_power_limit", "power_readings/power_limit",
    ),
    "default_power": (
        "gpu_power_readings/default_power_limit", "power_readings/default_power_limit",
    ),
    "generation": (
        "pci/pci_gpu_link_info/pcie_gen/max_link_gen", "pci/gpu_link_info/pcie_generation/max",
    ),
    "width": (
        "pci/pci_gpu_link_info/link_widths/max_link_width", "pci/gpu_link_info/link_width/max",
    ),
    "ecc": ("ecc_mode/current_ecc", "ecc_mode/current"),
    "mig": ("mig_mode/current_mig", "mig_mode/current"),
    "persistence": ("persistence_mode",),
    "model": ("driver_model/current_dm", "driver_model/current"),
}  # fmt: skip
"""Where the two say a fact: their names are the same words, but for a few."""


class Card(NamedTuple):
    """What one card's part says, by its place."""

    bus: str
    words: Mapping[str, str]
    slices: tuple[MigSlice, ...]

    def said(self, name: str) -> str | None:
        """The first of the places that says anything."""
        places = (self.words.get(place) for place in _FIELDS[name])
        return next((each for each in places if each and each.lower() not in _REFUSED), None)

    def raw(self, name: str) -> str | None:
        """The same, what says 'N/A' as well."""
        return next((self.words[each] for each in _FIELDS[name] if each in self.words), None)


@reader("nvidia-smi -q")
def read_log(text: Text) -> Told | None:
    """What `nvidia-smi -q` prints, as much of it as is there."""
    if sum(head in text.text for head in _HEADS) < 2 or "<" in text.text[:200]:  # noqa: PLR2004 - one is a word that others use
        return None
    top, cards = _log(text.text.split("\n"))
    return _told("nvidia-smi -q", top, cards)


@reader("nvidia-smi -q -x", "nvidia-smi*.xml")
def read_xml(text: Text) -> Told | None:
    """What `nvidia-smi -q -x` prints, as much of it as is there.

    It is read tag by tag: what was pasted is often cut, and no XML any more; and nothing that
    a document type could name is looked up.
    """
    if "<nvidia_smi_log" not in text.text and "<product_name>" not in text.text:
        return None
    top, cards = _xml(text.text)
    told = _told("nvidia-smi -q -x", top, cards)
    has_own = told is not None and "<!ENTITY" in text.text
    return told._replace(notes=(_NOT_LOOKED_UP,)) if told and has_own else told


def _told(form: str, top: Mapping[str, str], cards: Sequence[Card]) -> Told | None:
    version, cuda = top.get("driver_version"), top.get("cuda_version")
    if not cards and not version:
        return None
    devices = tuple(_device(each) for each in cards)
    system = _system(version or "", cards)
    place = NOT_TOLD if system is None or not cards else "pci"
    driver = driver_of(version, cuda, platform=place, system=system or "linux")
    gpu = gpu_of(devices or NOT_TOLD, driver, platform=place, visible=LISTED)
    sections: dict[str, object] = {"gpu": gpu}
    if system is not None:
        sections["os"] = blank(Os, system=system.capitalize())
    return Told(form, sections)


def _system(version: str, cards: Sequence[Card]) -> System | None:
    """Whose driver it is; None where it may be that of Windows, seen from WSL."""
    models = (each.said("model") for each in cards)
    if any(models):
        return "windows"
    return "linux" if is_native(version) else None


def _log(lines: Sequence[str]) -> tuple[dict[str, str], list[Card]]:
    """The lines before the first card, and the cards: names are nested by their indent."""
    top: dict[str, str] = {}
    words: dict[str, str] = top
    cards: list[Card] = []
    above: list[tuple[int, str]] = []
    for line in lines:
        stripped = line.strip()
        head = _GPU.match(stripped)
        if head:
            words, above = {}, []
            cards.append(Card(head["bus"], words, ()))
            continue
        indent = len(line) - len(line.lstrip())
        above = [each for each in above if each[0] < indent][-_DEEPEST:]
        pair = _PAIR.match(line)
        name = _word(pair["name"] if pair else stripped)
        if pair and pair["value"]:
            place = "/".join([*(each for _, each in above), name])
            words.setdefault(place, pair["value"])
        elif stripped:
            above.append((indent, name))
    return top, cards


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def _xml(text: str) -> tuple[dict[str, str], list[Card]]:
    """The same of the XML: a tag is a name, and what lies in it is below it."""
    top: dict[str, str] = {}
    words: dict[str, str] = top
    cards: list[Card] = []
    above: list[str] = []
    parts: list[dict[str, str]] = []
    for match in _TAG.finditer(text):
        tag, value = match["tag"], (match["text"] or "").strip()
        if tag == "gpu" and not match["close"]:
            words, above, parts = {}, [], []
            bus = re.search(r'id="([^"]{1,40})"', match["more"] or "")
            cards.append(Card(bus[1] if bus else "", words, ()))
        elif tag == "mig_device" and not match["close"]:
            parts.append({})
            above.append(tag)
        elif tag and not match["close"] and not match["empty"] and tag != "nvidia_smi_log":
            above = [*above, tag][-_DEEPEST:]
        elif tag and match["close"] and tag in above:
            del above[len(above) - 1 - above[::-1].index(tag) :]
        elif value and above:
            held = parts[-1] if "mig_device" in above and parts else words
            held.setdefault("/".join(above), value)
        if tag == "gpu" and match["close"] and cards:
            cards[-1] = cards[-1]._replace(slices=tuple(_slices(parts)))
            words, above = {}, []
    return top, cards


def _slices(parts: Sequence[Mapping[str, str]]) -> Iterator[MigSlice]:
    for each in parts:
        inside = {place.partition("mig_device/")[2]: value for place, value in each.items()}
        yield mig_slice(
            None,
            _number(inside.get("fb_memory_usage/total")),
            _number(inside.get("device_attributes/shared/multiprocessor_count")),
        )


def _device(each: Card) -> Device:
    told, raw = each.said("name") or "...", each.raw("mig")
    name = "..." if _ENTITY.search(told) else told
    mig = mig_of(name, is_off=False) if raw is None else _SWITCH.get(raw, NOT_TOLD)
    mode, architecture = each.said("compute_mode"), each.said("architecture")
    known: dict[str, object] = {}
    if architecture:
        known["architecture"] = _ARCHITECTURES.get(architecture, architecture.lower())[:40]
    return card(
        name,
        **known,
        pci_bus_id=address(each.said("bus") or each.bus) or NOT_TOLD,
        vbios=(each.said("vbios") or "")[:64] or NOT_TOLD,
        memory_mib=_fact(each, "memory"),
        compute_mode=_MODES.get(mode or "", NOT_TOLD),
        max_sm_clock_mhz=_fact(each, "sm_clock"),
        max_memory_clock_mhz=_fact(each, "memory_clock"),
        power_limit_w=_fact(each, "power"),
        default_power_limit_w=_fact(each, "default_power"),
        pcie_generation=_fact(each, "generation"),
        pcie_width=_fact(each, "width"),
        ecc=_SWITCH.get(each.raw("ecc") or "", NOT_TOLD),
        mig=mig,
        slices=each.slices if each.slices or not mig else NOT_TOLD,
        persistence=_SWITCH.get(each.raw("persistence") or "", NOT_TOLD),
    )


def _fact(each: Card, name: str) -> Fact[int]:
    return _number(each.said(name)) or NOT_TOLD


def _number(text: str | None) -> int | None:
    """The number before a unit, as in '700.00 W', '1980 MHz' and '16x'; None for other text."""
    match = re.match(r"(\d{1,8})(?:\.(\d{1,4}))?x?(?:\s|\Z)", text or "")
    return round(float(f"{match[1]}.{match[2] or 0}")) or None if match else None
