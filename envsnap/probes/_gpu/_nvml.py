"""NVML's raw answer turned into facts: every value is checked, nonsense is unknown.

A field that one card refuses is unknown for that card alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from envsnap._typing import Any, NamedTuple, TypeVar
from envsnap.host import NvmlAnswer
from envsnap.probes._gpu._pci import address
from envsnap.sections import Device, Fact, MigSlice, Reason, Unknown

T = TypeVar("T")

NO_SUPPORT = "NVML_ERROR_NOT_SUPPORTED"
DRIVER_VERSION = re.compile(r"\d{1,5}(\.\d{1,5}){1,3}\Z", re.ASCII)

_REASONS = {
    NO_SUPPORT: Reason.NOT_SUPPORTED,
    "NVML_ERROR_FUNCTION_NOT_FOUND": Reason.NOT_SUPPORTED,
    "NVML_ERROR_NO_PERMISSION": Reason.NO_PERMISSION,
    "NVML_ERROR_TIMEOUT": Reason.TIMED_OUT,
    "UNDECODABLE": Reason.UNPARSABLE,
    "not told by nvidia-smi": Reason.NOT_SUPPORTED,
}
_ARCHITECTURES = {  # nvml.h, NVML_DEVICE_ARCH_*
    2: "kepler", 3: "maxwell", 4: "pascal", 5: "volta", 6: "turing", 7: "ampere", 8: "ada",
    9: "hopper", 10: "blackwell", 13: "rubin",
}  # fmt: skip
_CORES_PER_MULTIPROCESSOR = {  # CUDA samples, helper_cuda.h
    "3.0": 192, "3.2": 192, "3.5": 192, "3.7": 192, "5.0": 128, "5.2": 128, "5.3": 128,
    "6.0": 64, "6.1": 128, "6.2": 128, "7.0": 64, "7.2": 64, "7.5": 64, "8.0": 64, "8.6": 128,
    "8.7": 128, "8.9": 128, "9.0": 128, "10.0": 128, "10.1": 128, "10.3": 128, "11.0": 128,
    "12.0": 128, "12.1": 128,
}  # fmt: skip
_NO_LINKS = {NO_SUPPORT, "NVML_ERROR_INVALID_ARGUMENT"}
_VIRTUAL = {0: "", 1: "passthrough", 2: "vgpu", 3: "host-vgpu", 4: "host-vgpu"}  # nvml.h
_COMPUTE_MODES = {0: "default", 1: "exclusive-process", 2: "prohibited", 3: "exclusive-process"}
_PROFILE = re.compile(r"MIG ((?:\d+c\.)?\d+g\.\d+gb(?:[+-][a-z.+-]+)?)\Z")
LATE = (
    "max_memory_clock_mhz", "application_sm_clock_mhz", "default_power_limit_mw", "persistence",
    "pcie_generation", "pcie_width", "virtualization", "gsp_firmware", "links",
)  # fmt: skip
"""What the child asks for once every card has said the rest."""
_LATER = Unknown(Reason.NOT_RECORDED, "the files say it, not NVML")
_MOST_DEVICES = 1024
_MOST_LINKS = 64
_MOST_MEMORY_MIB = 64 * 1024 * 1024


class Part(NamedTuple):
    """What names a MIG instance; none of it reaches a manifest."""

    uuid: Fact[str]
    place: Fact[tuple[int, int]]
    """The numbers of its GPU instance and its compute instance."""


class Shown(NamedTuple):
    """One card as NVML shows it, with the identities that never reach a manifest unasked."""

    number: int
    """NVML's own number of the card."""
    device: Device
    uuid: Fact[str]
    parts: tuple[Part, ...]
    """What names its MIG instances, in the order of `device.slices`."""
    links: tuple[Fact[str], ...]
    """The PCI addresses that its NVLinks lead to, those that are up."""
    gsp_firmware: Fact[str | None]


class Nvml(NamedTuple):
    """What NVML says of the machine."""

    driver_version: Fact[str]
    cuda: Fact[str]
    shown: tuple[Shown, ...]
    pairs: Mapping[tuple[int, int], tuple[object, object]]
    """For two cards by their index, raw: the common ancestor, and the state over NVLink."""
    witness: str
    """nvml, or nvidia-smi in its place."""
    missing: int
    """Cards that it counts and does not describe."""
    ended: Unknown | None
    """Why it does not describe them, if it does not."""


def read_answer(answer: NvmlAnswer, *, identify: bool) -> Nvml:
    """The facts in NVML's answer; never raises, whatever the answer is."""
    devices = answer.get("devices")
    told = devices if isinstance(devices, list) else []
    refused = [why for why in map(why_not, told) if why is not None]
    ended = _why(answer.get("ended"))
    shown = [
        _shown(index, raw, ended, identify=identify)
        for index, raw in enumerate(told)
        if isinstance(raw, dict) and "error" not in raw
    ]
    count = answer.get("count")
    counted = count if isinstance(count, int) and 0 <= count <= _MOST_DEVICES else len(told)
    return Nvml(
        driver_version=_checked(answer.get("driver_version"), driver_version),
        cuda=_checked(answer.get("cuda_driver_version"), cuda_version),
        shown=tuple(shown),
        pairs=_pairs(answer.get("topology")),
        witness="nvidia-smi" if answer.get("witness") == "nvidia-smi" else "nvml",
        missing=max(0, counted - len(shown)),
        ended=ended or _count_error(count) or next(iter(refused), None),
    )


def driver_version(value: object) -> str | None:
    """A driver's version, as '550.54.15'; None for what is none.

    >>> driver_version("550.54.15"), driver_version("N/A")
    ('550.54.15', None)
    """
    return value if isinstance(value, str) and DRIVER_VERSION.match(value) else None


def cuda_version(value: object) -> str | None:
    """The CUDA version in NVML's number; None for nonsense.

    >>> cuda_version(12040)
    '12.4'
    """
    number = _whole(value, least=5000, most=99_990)
    return None if number is None or number % 10 else f"{number // 1000}.{number % 1000 // 10}"


def unknown_device(vendor: str, bus_id: Fact[str], why: Unknown) -> Device:
    """A card that one witness shows and none describes."""
    return Device(
        vendor=vendor, name=why, pci_bus_id=bus_id, architecture=why, compute_capability=why,
        multiprocessors=why, memory_mib=why, vbios=why, ecc=why, mig=why, slices=why,
        compute_mode=why, power_limit_w=why, max_sm_clock_mhz=why, uuid=why,
        max_memory_clock_mhz=why, application_sm_clock_mhz=why, default_power_limit_w=why,
        persistence=why, pcie_generation=why, pcie_width=why, nvlinks=why, numa_node=why,
        virtualization=why, shown_by=why,
    )  # fmt: skip


def _shown(
    index: int, told: Mapping[str, object], ended: Unknown | None, *, identify: bool
) -> Shown:
    """One card; what it had not said when NVML ended is unknown for that reason."""
    late = {name: ended for name in LATE if name not in told} if ended else {}
    found: Mapping[str, object] = {**told, **late}
    uuid = _checked(found.get("uuid"), _text)
    slices = _slices(found.get("slices"))
    links = _links(found.get("links"))
    device = Device(
        vendor="nvidia",
        name=_checked(found.get("name"), _text),
        pci_bus_id=_checked(found.get("pci_bus_id"), _address),
        slices=slices if isinstance(slices, Unknown) else tuple(part for part, _ in slices),
        nvlinks=links if links is None or isinstance(links, Unknown) else len(links),
        uuid=uuid if identify else Unknown(Reason.NOT_ASKED, "--identify records it"),
        numa_node=_LATER,
        shown_by=_LATER,
        **_made(found),
        **_set(found),
    )
    return Shown(
        index,
        device,
        uuid,
        () if isinstance(slices, Unknown) else tuple(name for _, name in slices),
        links if isinstance(links, tuple) else (),
        _optional(found.get("gsp_firmware"), _text),
    )


def _made(found: Mapping[str, object]) -> dict[str, Any]:
    """The fields that say how the card was made."""
    capability = _checked(found.get("compute_capability"), _capability)
    return {
        "architecture": _checked(found.get("architecture"), _architecture),
        "compute_capability": capability,
        "multiprocessors": _multiprocessors(found.get("cores"), capability),
        "memory_mib": _checked(found.get("memory_bytes"), _mib),
        "vbios": _checked(found.get("vbios"), _text),
        "max_sm_clock_mhz": _checked(found.get("max_sm_clock_mhz"), _clock),
        "max_memory_clock_mhz": _checked(found.get("max_memory_clock_mhz"), _clock),
        "default_power_limit_w": _checked(found.get("default_power_limit_mw"), _watts),
        "pcie_generation": _checked(found.get("pcie_generation"), _small),
        "pcie_width": _checked(found.get("pcie_width"), _small),
    }


def _set(found: Mapping[str, object]) -> dict[str, Any]:
    """The fields that say how the card was set, or given."""
    virtual = _checked(found.get("virtualization"), _virtualization)
    return {
        "ecc": _switch(found.get("ecc")),
        "mig": _switch(found.get("mig")),
        "compute_mode": _checked(found.get("compute_mode"), _compute_mode),
        "power_limit_w": _checked(found.get("power_limit_mw"), _watts),
        "application_sm_clock_mhz": _optional(found.get("application_sm_clock_mhz"), _clock),
        "persistence": _optional(found.get("persistence"), _flag),
        "virtualization": virtual if isinstance(virtual, Unknown) else virtual or None,
    }


def _slices(raw: object) -> Fact[list[tuple[MigSlice, Part]]]:
    if not isinstance(raw, list):
        return why_not(raw) or _nonsense(raw)
    found: list[tuple[MigSlice, Part]] = []
    for part in raw:
        said = part if isinstance(part, dict) else {}
        why = why_not(part)
        if why is not None:
            unknown = MigSlice(profile=why, memory_mib=why, multiprocessors=why)
            found.append((unknown, Part(why, why)))
            continue
        shown = MigSlice(
            profile=_checked(said.get("name"), _profile),
            memory_mib=_checked(said.get("memory_mib"), _mib_count),
            multiprocessors=_checked(said.get("multiprocessors"), _small),
        )
        place = [said.get("gpu_instance"), said.get("compute_instance")]
        refused = [why for why in map(why_not, place) if why is not None]
        where: Fact[tuple[int, int]] = refused[0] if refused else _checked(place, _place)
        found.append((shown, Part(_checked(said.get("uuid"), _text), where)))
    return found


def _links(raw: object) -> Fact[tuple[Fact[str], ...] | None]:
    """Where the links that are up lead; None where the card has no NVLink."""
    if isinstance(raw, Mapping) and raw.get("error") in _NO_LINKS:
        return None
    if not isinstance(raw, list) or len(raw) > _MOST_LINKS:
        return why_not(raw) or _nonsense(raw)
    return tuple(_checked(each, _address) for each in raw)


def _pairs(raw: object) -> dict[tuple[int, int], tuple[object, object]]:
    rows = raw if isinstance(raw, list) else []
    return {
        (row[0], row[1]): (row[2], row[3])
        for row in rows
        if isinstance(row, list) and len(row) == 4  # noqa: PLR2004 - as the child writes them
        and isinstance(row[0], int) and isinstance(row[1], int)
    }  # fmt: skip


def _multiprocessors(cores: object, capability: Fact[str | None]) -> Fact[int]:
    """NVML counts cores; how many of them share a multiprocessor follows from the architecture."""
    counted = _checked(cores, _small)
    if isinstance(counted, Unknown):
        return counted
    if not isinstance(capability, str):
        return Unknown(Reason.NOT_SUPPORTED, "needs the compute capability")
    each = _CORES_PER_MULTIPROCESSOR.get(capability)
    if each is None:
        return Unknown(Reason.NOT_SUPPORTED, f"cores per multiprocessor of {capability}")
    return counted // each if counted % each == 0 else _nonsense(cores)


def _switch(raw: object) -> Fact[bool | None]:
    """The current state of [current, pending]; None where the card has no such switch."""
    return _optional(raw, _first_bool)


def _optional(raw: object, check: Callable[[object], T | None]) -> Fact[T | None]:
    """The value; None where the card says that it has no such thing."""
    if isinstance(raw, Mapping) and raw.get("error") == NO_SUPPORT:
        return None
    return _checked(raw, check)


def _checked(raw: object, check: Callable[[object], T | None]) -> Fact[T]:
    failed = why_not(raw)
    if failed is not None:
        return failed
    value = check(raw)
    return _nonsense(raw) if value is None else value


def why_not(raw: object) -> Unknown | None:
    """The reason in the place of a value; None for a value."""
    if raw is None:
        return Unknown(Reason.NOT_RECORDED, "NVML's answer lacks it")
    if isinstance(raw, Unknown):
        return raw
    if not isinstance(raw, Mapping) or "error" not in raw:
        return None
    name = str(raw["error"])[:60]
    return Unknown(_REASONS.get(name, Reason.CRASHED), name)


def _why(raw: object) -> Unknown | None:
    reason, _, detail = str(raw or "").partition(": ")
    try:
        return Unknown(Reason(reason), f"NVML: {detail}"[:80])
    except ValueError:
        return None


def _count_error(count: object) -> Unknown | None:
    return why_not(count) if isinstance(count, Mapping) else None


def _nonsense(raw: object) -> Unknown:
    return Unknown(Reason.UNPARSABLE, f"NVML said {raw!r}"[:60])


def _text(raw: object) -> str | None:
    if isinstance(raw, str) and raw.strip() and raw.isprintable() and len(raw) <= 128:  # noqa: PLR2004 - NVML's own buffers are 96
        return raw.strip()
    return None


def _address(raw: object) -> str | None:
    return address(raw) if isinstance(raw, str) else None


def _capability(raw: object) -> str | None:
    if not isinstance(raw, list) or len(raw) != 2:  # noqa: PLR2004 - major and minor
        return None
    major, minor = _whole(raw[0], least=1, most=99), _whole(raw[1], least=0, most=9)
    return None if major is None or minor is None else f"{major}.{minor}"


def _architecture(raw: object) -> str | None:
    return _ARCHITECTURES.get(raw) if isinstance(raw, int) else None


def _compute_mode(raw: object) -> str | None:
    return _COMPUTE_MODES.get(raw) if isinstance(raw, int) else None


def _profile(raw: object) -> str | None:
    match = _PROFILE.search(raw) if isinstance(raw, str) else None
    return match.group(1) if match else None


def _first_bool(raw: object) -> bool | None:
    first = raw[0] if isinstance(raw, list) and raw else None
    return {0: False, 1: True}.get(first) if isinstance(first, int) else None


def _flag(raw: object) -> bool | None:
    return {0: False, 1: True}.get(raw) if isinstance(raw, int) else None


def _virtualization(raw: object) -> str | None:
    return _VIRTUAL.get(raw) if isinstance(raw, int) else None


def _place(raw: object) -> tuple[int, int] | None:
    gpu, compute = raw if isinstance(raw, list) else (None, None)
    known = _whole(gpu, least=0, most=64), _whole(compute, least=0, most=64)
    return None if known[0] is None or known[1] is None else (known[0], known[1])


def _mib(raw: object) -> int | None:
    return _mib_count(raw // (1024 * 1024)) if isinstance(raw, int) else None


def _mib_count(raw: object) -> int | None:
    return _whole(raw, least=1, most=_MOST_MEMORY_MIB)


def _small(raw: object) -> int | None:
    return _whole(raw, least=1, most=1_000_000)


def _watts(raw: object) -> int | None:
    milliwatts = _whole(raw, least=1000, most=100_000_000)
    return None if milliwatts is None else round(milliwatts / 1000)


def _clock(raw: object) -> int | None:
    return _whole(raw, least=1, most=100_000)


def _whole(raw: object, *, least: int, most: int) -> int | None:
    is_number = isinstance(raw, int) and not isinstance(raw, bool)
    return raw if is_number and isinstance(raw, int) and least <= raw <= most else None
