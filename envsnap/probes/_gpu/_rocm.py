"""AMD's compute stack: its kernel driver, ROCm's release, and the libraries of /opt/rocm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from envsnap.host import Host
from envsnap.probes._gpu._seen import Seen
from envsnap.probes._registry import Look
from envsnap.probes._texts import is_there, read_text
from envsnap.sections import CudaLibrary, Device, Fact, Reason, Rocm, Unknown

_MODULE = "/sys/module/amdgpu"
_ROOTS = "/opt"
_RELEASE = re.compile(r"(\d{1,3}(?:\.\d{1,3}){1,2})(?:-\d+)?\s*\Z", re.ASCII)
_FOLDER = re.compile(r"rocm(?:-\d{1,3}(?:\.\d{1,3}){1,2})?\Z", re.ASCII)
_VERSION = re.compile(r"\d{1,5}(?:\.\d{1,9}){0,4}\Z", re.ASCII)
_FILE = re.compile(
    r"lib(amdhip64|amd_comgr|hsa-runtime64|rocblas|hipblas|hipblaslt|MIOpen|rccl|rocfft|hipfft"
    r"|rocrand|hiprand|rocsolver|hipsolver|rocsparse|hipsparse|hiprtc|migraphx)"
    r"\.so\.(\d{1,9}(?:\.\d{1,9}){0,4})\Z",
    re.ASCII,
)
_FAMILIES = {"amdhip64": "hip", "hsa-runtime64": "hsa", "amd_comgr": "comgr", "MIOpen": "miopen"}


def rocm(look: Look, seen: Seen, devices: Fact[tuple[Device, ...]]) -> Fact[Rocm | None]:
    """The stack; None where there is no AMD GPU."""
    if isinstance(devices, Unknown):
        return devices
    if not any(device.vendor == "amd" for device in devices):
        return None
    if seen.system != "Linux":
        return seen.pci if isinstance(seen.pci, Unknown) else None
    roots = _installed(look.host)
    if isinstance(roots, Unknown):
        return Rocm(driver=_driver(look.host), release=roots, libraries=roots)
    return Rocm(
        driver=_driver(look.host),
        release=_release(look.host, roots),
        libraries=_libraries(look.host, roots, look.anchors.anchor),
    )


def parse_release(text: str) -> str | None:
    """The release in .info/version; None for other text.

    >>> parse_release("6.2.4-139"), parse_release("6.1.0")
    ('6.2.4', '6.1.0')
    """
    match = _RELEASE.match(text.strip())
    return match and match.group(1)


def parse_names(names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Family, version and file name of each library, of several names of one the longest.

    >>> list(parse_names(["librccl.so.1", "librccl.so.1.0.60204", "libm.so.6"]))
    [('rccl', '1.0.60204', 'librccl.so.1.0.60204')]
    """
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        match = _FILE.match(name)
        if match is not None and len(match.group(2)) > len(found.get(match.group(1), ("",))[0]):
            found[match.group(1)] = (match.group(2), name)
    for stem, (version, name) in sorted(found.items()):
        yield _FAMILIES.get(stem, stem), version, name


def _driver(host: Host) -> Fact[str | None]:
    """The version that a driver from AMD's packages has; None for the kernel's own."""
    text = read_text(host, f"{_MODULE}/version", limit=64)
    if isinstance(text, str):
        version = text.strip()
        nonsense = Unknown(Reason.UNPARSABLE, f"{_MODULE}/version: {version}"[:60])
        return version if _VERSION.match(version) else nonsense
    if isinstance(text, Unknown) or is_there(host, _MODULE):
        return text
    return Unknown(Reason.NOT_SUPPORTED, "amdgpu is not loaded")


def _installed(host: Host) -> Fact[tuple[str, ...]]:
    """The folders of ROCm, links resolved; /opt/rocm, which programs find, first."""
    names = host.list(_ROOTS)
    if names is None or isinstance(names, Unknown):
        return names or ()
    reals = [host.real(f"{_ROOTS}/{name}") for name in sorted(names) if _FOLDER.match(name)]
    return tuple(dict.fromkeys(each for each in reals if isinstance(each, str)))


def _release(host: Host, roots: Sequence[str]) -> Fact[str | None]:
    if not roots:
        return None
    text = read_text(host, f"{roots[0]}/.info/version", limit=256)
    if isinstance(text, Unknown):
        return text
    why = Unknown(Reason.NOT_SUPPORTED, "/opt/rocm has no file that tells it")
    return why if text is None else parse_release(text) or Unknown(Reason.UNPARSABLE, text[:40])


def _libraries(
    host: Host, roots: Sequence[str], anchor: Callable[[str], str]
) -> Fact[tuple[CudaLibrary, ...]]:
    found = []
    for root in roots:
        names = host.list(f"{root}/lib")
        if isinstance(names, Unknown):
            return names
        for family, version, name in parse_names(names or ()):
            place = anchor(f"{root}/lib/{name}")
            found.append(
                CudaLibrary(
                    family=family, version=version, source="system", owner=None, location=place
                )
            )
    return tuple(sorted(found, key=lambda each: (each.family, str(each.version), each.location)))
