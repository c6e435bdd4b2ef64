"""cuda-compat: a libcuda for a newer CUDA than the driver serves, and whether it is in use.

NVIDIA's rules (CUDA Compatibility, forward compatibility): its driver version is above that of the
kernel module, the module's branch is one of those in its ELF note, and the card is one for data
centres. Where the loader finds it first and one of these does not hold, CUDA does not start.
"""

from __future__ import annotations

from envsnap.host import Binary, Host
from envsnap.probes._gpu._nvidia import Library
from envsnap.probes._registry import Look
from envsnap.sections import Device, Fact, ForwardCompatibility, Reason, Unknown

_CONSUMERS = ("GeForce", "TITAN", "Quadro", "NVIDIA RTX ", "NVIDIA T400", "NVIDIA T600")
"""How the names of cards begin that cuda-compat refuses; some RTX servers are allowed it."""


def compat(
    look: Look,
    libraries: Fact[tuple[Library, ...]],
    driver: Fact[str],
    devices: Fact[tuple[Device, ...]],
) -> Fact[ForwardCompatibility | None]:
    """The cuda-compat that programs find first, else the first that lies where it is installed."""
    if isinstance(libraries, Unknown):
        return libraries
    places = [at for at, each in enumerate(libraries) if each.is_compat]
    if not places:
        return None
    at = places[0]
    library = libraries[at]
    note = _note(look.host, library.path)
    version = library.version or Unknown(Reason.NOT_SUPPORTED, "the file name says no version")
    drivers = note if isinstance(note, Unknown) else note[1]
    is_first = library.is_found and at == 0
    return ForwardCompatibility(
        version=version,
        cuda=note if isinstance(note, Unknown) else note[0],
        drivers=drivers,
        used=_works(version, drivers, driver, devices) if is_first else False,
        location=look.anchors.anchor(library.path),
    )


def in_effect(
    found: Fact[ForwardCompatibility | None], own: Fact[str], libraries: Fact[tuple[Library, ...]]
) -> Fact[str]:
    """The newest CUDA that programs get."""
    if found is None:
        return own
    if isinstance(found, Unknown):
        return found
    if isinstance(found.used, Unknown):
        return found.used
    if found.used:
        return found.cuda
    if isinstance(libraries, tuple) and libraries[0].is_compat and libraries[0].is_found:
        said = f"cuda-compat {found.version} is found first and does not work on this machine"
        return Unknown(Reason.NOT_SUPPORTED, said)
    return own


_NO_NOTE = Unknown(Reason.NOT_SUPPORTED, "its ELF file has no note of cuda-compat")


def _note(host: Host, path: str) -> Fact[tuple[str, tuple[int, ...]]]:
    (binary,) = host.binaries([path])
    if isinstance(binary, Binary) and binary.compat is not None:
        return binary.compat
    return binary if isinstance(binary, Unknown) else _NO_NOTE


def _works(
    version: Fact[str],
    drivers: Fact[tuple[int, ...]],
    driver: Fact[str],
    devices: Fact[tuple[Device, ...]],
) -> Fact[bool]:
    """Whether it works on this driver and on these cards."""
    if isinstance(driver, Unknown):
        return driver
    if isinstance(version, Unknown):
        return version
    if _numbers(version) <= _numbers(driver):
        return False
    if isinstance(drivers, Unknown):
        return drivers
    return _is_for_cards(devices) if _numbers(driver)[0] in drivers else False


def _is_for_cards(devices: Fact[tuple[Device, ...]]) -> Fact[bool]:
    if isinstance(devices, Unknown):
        return devices
    names = [device.name for device in devices if device.vendor == "nvidia"]
    if any(isinstance(name, str) and _is_consumer(name) for name in names):
        return False
    unnamed = [name for name in names if isinstance(name, Unknown)]
    return unnamed[0] if unnamed else True


def _is_consumer(name: str) -> bool:
    return any(mark in name for mark in _CONSUMERS)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
