"""cuda-compat: a libcuda for a newer CUDA than the driver serves, and whether it is in use.

NVIDIA's rules (CUDA Compatibility, forward compatibility): its driver version is above that of the
kernel module, the module's branch is one of those in its ELF note, and the card is one for data
centres. Where the loader finds it first and one of these does not hold, CUDA does not start.
"""

from __future__ import annotations

from envsnap.probes._gpu._nvidia import Library
from envsnap.probes._registry import Look
from envsnap.sections import Device, Fact, ForwardCompatibility, Reason, Unknown

_REFUSED = ("GeForce", "TITAN")
"""How the cards are called that cuda-compat refuses."""
_SOME_MAY = ("Quadro", "NVIDIA RTX ", "NVIDIA T400", "NVIDIA T600", "NVIDIA T1000")
"""And those of workstations, of which NVIDIA allows it to some."""
_NO_NOTE = Unknown(Reason.NOT_SUPPORTED, "its ELF file has no note of cuda-compat")


def compat(
    look: Look,
    libraries: Fact[tuple[Library, ...]],
    driver: Fact[str],
    devices: Fact[tuple[Device, ...]],
) -> Fact[ForwardCompatibility | None]:
    """The cuda-compat that programs find first, else the first that lies where it is installed."""
    if isinstance(libraries, Unknown):
        return libraries
    library = next((each for each in libraries if each.is_compat), None)
    if library is None:
        return None
    is_first = library.is_found and library is libraries[0]
    note = library.note or _NO_NOTE
    version = library.version or Unknown(Reason.NOT_SUPPORTED, "the file name says no version")
    drivers = note if isinstance(note, Unknown) else note[1]
    return ForwardCompatibility(
        version=version,
        cuda=note if isinstance(note, Unknown) else note[0],
        drivers=drivers,
        found_first=is_first,
        used=_works(version, drivers, driver, devices) if is_first else False,
        location=look.anchors.anchor(library.path),
    )


def in_effect(found: Fact[ForwardCompatibility | None], own: Fact[str]) -> Fact[str]:
    """The newest CUDA that programs get."""
    if found is None:
        return own
    if isinstance(found, Unknown):
        return found
    if isinstance(found.used, Unknown):
        return found.used
    if found.used:
        return found.cuda
    if found.found_first is True:
        said = f"cuda-compat {found.version} is found first and does not work on this machine"
        return Unknown(Reason.NOT_SUPPORTED, said)
    return own


def _works(
    version: Fact[str],
    drivers: Fact[tuple[int, ...]],
    driver: Fact[str],
    devices: Fact[tuple[Device, ...]],
) -> Fact[bool]:
    """Whether it works on this driver and on these cards: one reason against it is enough."""
    answers = (_is_newer(version, driver), _is_for(drivers, driver), _is_for_cards(devices))
    if False in answers:
        return False
    return next((each for each in answers if isinstance(each, Unknown)), True)


def _is_newer(version: Fact[str], driver: Fact[str]) -> Fact[bool]:
    if isinstance(driver, Unknown):
        return driver
    if isinstance(version, Unknown):
        return version
    if version == driver:
        return Unknown(Reason.NOT_SUPPORTED, "it is of the same version as the driver")
    return _numbers(version) > _numbers(driver)


def _is_for(drivers: Fact[tuple[int, ...]], driver: Fact[str]) -> Fact[bool]:
    if isinstance(driver, Unknown):
        return driver
    return drivers if isinstance(drivers, Unknown) else _numbers(driver)[0] in drivers


def _is_for_cards(devices: Fact[tuple[Device, ...]]) -> Fact[bool]:
    if isinstance(devices, Unknown):
        return devices
    names = [device.name for device in devices if device.vendor == "nvidia"]
    refused = [isinstance(name, str) and any(map(name.count, _REFUSED)) for name in names]
    if any(refused):
        said = "it refuses some of the GPUs and not the others"
        return False if all(refused) else Unknown(Reason.NOT_SUPPORTED, said)
    if any(isinstance(name, str) and any(map(name.count, _SOME_MAY)) for name in names):
        return Unknown(Reason.NOT_SUPPORTED, "NVIDIA allows it on some cards of workstations")
    return next((name for name in names if isinstance(name, Unknown)), True)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
