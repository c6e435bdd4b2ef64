"""NVML's raw answer turned into facts: every value is checked, nonsense is unknown.

A field that one card refuses is unknown for that card alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from envsnap._typing import NamedTuple, TypeVar
from envsnap.host import NvmlAnswer
from envsnap.probes._pci import address
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
_COMPUTE_MODES = {0: "default", 1: "exclusive-process", 2: "prohibited", 3: "exclusive-process"}
_PROFILE = re.compile(r"MIG ((?:\d+c\.)?\d+g\.\d+gb(?:[+-][a-z.+-]+)?)\Z")
_MOST_DEVICES = 1024
_MOST_MEMORY_MIB = 64 * 1024 * 1024


class Shown(NamedTuple):
    """One card as NVML shows it, with the identities that never reach a manifest unasked."""

    device: Device
    uuid: Fact[str]
    slice_uuids: tuple[Fact[str], ...]


class Nvml(NamedTuple):
    """What NVML says of the machine."""

    driver_version: Fact[str]
    cuda: Fact[str]
    shown: tuple[Shown, ...]
    missing: int
    """Cards that it counts and does not describe."""
    ended: Unknown | None
    """Why it does not describe them, if it does not."""


def read_answer(answer: NvmlAnswer, *, identify: bool) -> Nvml:
    """The facts in NVML's answer; never raises, whatever the answer is."""
    devices = answer.get("devices")
    told = devices if isinstance(devices, list) else []
    refused = [why for why in map(_why_not, told) if why is not None]
    shown = [
        _shown(raw, identify=identify)
        for raw in told
        if isinstance(raw, dict) and "error" not in raw
    ]
    count = answer.get("count")
    counted = count if isinstance(count, int) and 0 <= count <= _MOST_DEVICES else len(told)
    return Nvml(
        driver_version=_checked(answer.get("driver_version"), driver_version),
        cuda=_checked(answer.get("cuda_driver_version"), cuda_version),
        shown=tuple(shown),
        missing=max(0, counted - len(shown)),
        ended=_why(answer.get("ended")) or _count_error(count) or next(iter(refused), None),
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
    )  # fmt: skip


def _shown(found: Mapping[str, object], *, identify: bool) -> Shown:
    capability = _checked(found.get("compute_capability"), _capability)
    uuid = _checked(found.get("uuid"), _text)
    slices = _slices(found.get("slices"))
    return Shown(
        Device(
            vendor="nvidia",
            name=_checked(found.get("name"), _text),
            pci_bus_id=_checked(found.get("pci_bus_id"), _address),
            architecture=_checked(found.get("architecture"), _architecture),
            compute_capability=capability,
            multiprocessors=_multiprocessors(found.get("cores"), capability),
            memory_mib=_checked(found.get("memory_bytes"), _mib),
            vbios=_checked(found.get("vbios"), _text),
            ecc=_switch(found.get("ecc")),
            mig=_switch(found.get("mig")),
            slices=slices if isinstance(slices, Unknown) else tuple(part for part, _ in slices),
            compute_mode=_checked(found.get("compute_mode"), _compute_mode),
            power_limit_w=_checked(found.get("power_limit_mw"), _watts),
            max_sm_clock_mhz=_checked(found.get("max_sm_clock_mhz"), _clock),
            uuid=uuid if identify else Unknown(Reason.NOT_ASKED, "--identify records it"),
        ),
        uuid,
        () if isinstance(slices, Unknown) else tuple(name for _, name in slices),
    )


def _slices(raw: object) -> Fact[list[tuple[MigSlice, Fact[str]]]]:
    if not isinstance(raw, list):
        return _why_not(raw) or _nonsense(raw)
    found: list[tuple[MigSlice, Fact[str]]] = []
    for part in raw:
        said = part if isinstance(part, dict) else {}
        why = _why_not(part)
        if why is not None:
            found.append((MigSlice(profile=why, memory_mib=why, multiprocessors=why), why))
            continue
        shown = MigSlice(
            profile=_checked(said.get("name"), _profile),
            memory_mib=_checked(said.get("memory_mib"), _mib_count),
            multiprocessors=_checked(said.get("multiprocessors"), _small),
        )
        found.append((shown, _checked(said.get("uuid"), _text)))
    return found


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
    if isinstance(raw, Mapping) and raw.get("error") == NO_SUPPORT:
        return None
    return _checked(raw, _first_bool)


def _checked(raw: object, check: Callable[[object], T | None]) -> Fact[T]:
    failed = _why_not(raw)
    if failed is not None:
        return failed
    value = check(raw)
    return _nonsense(raw) if value is None else value


def _why_not(raw: object) -> Unknown | None:
    if raw is None:
        return Unknown(Reason.NOT_RECORDED, "NVML's answer lacks it")
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
    return _why_not(count) if isinstance(count, Mapping) else None


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
