"""NVIDIA's driver as its witnesses tell it: NVML, the kernel's files, the libraries' names."""

from __future__ import annotations

from envsnap.host import Host
from envsnap.probes._gpu import _nvidia
from envsnap.probes._gpu._compat import compat, in_effect
from envsnap.probes._gpu._nvml import Nvml
from envsnap.probes._gpu._seen import Seen, Tegra, no_nvidia
from envsnap.probes._registry import Look
from envsnap.sections import Device, Driver, Fact, Reason, Unknown

MISMATCH = "NVML_ERROR_LIB_RM_VERSION_MISMATCH"
_LEAST_BRANCH = 100
"""Jetson Linux before 36 gives its module its own release's number, as 35.4.1."""


def driver_of(
    look: Look, seen: Seen, nvml: Fact[Nvml], devices: Fact[tuple[Device, ...]]
) -> Fact[Driver | None]:
    """The driver; None where there is no NVIDIA GPU."""
    host, without = look.host, no_nvidia(seen)
    if without is True:
        return None
    module = _module(host, seen)
    has_card = isinstance(devices, tuple) and any(each.vendor == "nvidia" for each in devices)
    is_module = isinstance(module, _nvidia.Module)
    if isinstance(without, Unknown) and not has_card and not is_module:
        return without
    libraries = _nvidia.libraries(host)
    library = _library(host, libraries)
    loaded = module.version if isinstance(module, _nvidia.Module) else _rest(module)
    version = _version(nvml, loaded, library)
    found = compat(look, libraries, version, devices)
    cuda = nvml if isinstance(nvml, Unknown) else nvml.cuda
    return Driver(
        version=version,
        kernel_module=loaded,
        flavour=module.flavour if isinstance(module, _nvidia.Module) else _rest(module),
        library=library,
        cuda=cuda,
        gsp_firmware=_gsp_firmware(nvml),
        compat=found,
        cuda_in_effect=in_effect(found, cuda),
    )


def _module(host: Host, seen: Seen) -> Fact[_nvidia.Module | None]:
    """The loaded module; of a system on a chip only where its number is a driver's."""
    if seen.system != "Linux":
        return seen.pci if isinstance(seen.pci, Unknown) else None
    module = _nvidia.kernel_module(host)
    if not isinstance(seen.tegra, Tegra):
        return module
    if module is None or (
        isinstance(module, _nvidia.Module) and int(module.version.partition(".")[0]) < _LEAST_BRANCH
    ):
        said = f"Jetson Linux {seen.tegra.release or 'of an unknown release'}: the driver is in it"
        return Unknown(Reason.NOT_SUPPORTED, said)
    return module


def _library(host: Host, libraries: Fact[tuple[_nvidia.Library, ...]]) -> Fact[str | None]:
    """The version of libcuda; unknown where libnvidia-ml beside it is of another driver."""
    version = _nvidia.library_version(libraries)
    if not isinstance(version, str) or isinstance(libraries, Unknown):
        return version
    own = next(each for each in libraries if each.version == version and not each.is_compat)
    other = _nvidia.management_version(host, own.path.rpartition("/")[0])
    if isinstance(other, str) and other != version:
        return Unknown(Reason.WITNESSES_DISAGREE, f"libcuda {version}, libnvidia-ml {other}")
    return version


def _rest(module: Fact[_nvidia.Module | None]) -> Unknown | None:
    return module if isinstance(module, Unknown) else None


def _version(nvml: Fact[Nvml], loaded: Fact[str | None], library: Fact[str | None]) -> Fact[str]:
    """NVML's version, else the loaded module's; none is in effect where the two do not fit."""
    module = loaded if isinstance(loaded, str) else None
    if isinstance(nvml, Unknown):
        if nvml.detail == MISMATCH:
            of_library = library if isinstance(library, str) else "unknown"
            said = f"kernel module {module or 'unknown'}, library {of_library}"
            return Unknown(Reason.WITNESSES_DISAGREE, said)
        return module or (loaded if isinstance(loaded, Unknown) and loaded.detail else nvml)
    if isinstance(nvml.driver_version, Unknown):
        return module or nvml.driver_version
    if module and module != nvml.driver_version:
        said = f"NVML {nvml.driver_version}, kernel module {module}"
        return Unknown(Reason.WITNESSES_DISAGREE, said)
    return nvml.driver_version


def _gsp_firmware(nvml: Fact[Nvml]) -> Fact[str | None]:
    """Its version; unlike cards may run it and not, and then the version of those that do."""
    if isinstance(nvml, Unknown):
        return nvml
    told = [each.gsp_firmware for each in nvml.shown]
    named = [each for each in told if isinstance(each, str)]
    why = [each for each in told if isinstance(each, Unknown)]
    if named or (told and not why):
        return named[0] if named else None
    return why[0] if why else Unknown(Reason.NOT_SUPPORTED, "NVML shows no card")
