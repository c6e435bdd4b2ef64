"""What files say of NVIDIA's driver: its kernel module, its libcuda, its cards."""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._gpu_seen import PROC
from envsnap.probes._nvml import DRIVER_VERSION
from envsnap.probes._pci import address
from envsnap.sections import Fact, Reason, Unknown

_VERSION = re.compile(r"(?:\A|\s)(\d{1,5}(?:\.\d{1,5}){1,3})(?=\s|\Z)", re.ASCII)
_LIBCUDA = re.compile(r"libcuda\.so\.(\d{1,5}(?:\.\d{1,5}){1,3})\Z", re.ASCII)
_CACHED = re.compile(rb"\0(/[^\0]{1,4096}/libcuda\.so\.1)(?=\0)")
_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64", "/run/opengl-driver/lib", "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib/aarch64-linux-gnu/tegra", "/.singularity.d/libs",
)  # fmt: skip


class Module(NamedTuple):
    """The loaded kernel module."""

    version: str
    flavour: Fact[str | None]
    """open or proprietary."""


class Card(NamedTuple):
    """One card as /proc/driver/nvidia/gpus shows it."""

    bus_id: str
    name: Fact[str]
    vbios: Fact[str]
    uuid: Fact[str]


def parse_proc_version(text: str) -> Module | None:
    """The module's version and flavour from /proc/driver/nvidia/version; None for other text.

    >>> parse_proc_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19")
    Module(version='535.104.05', flavour='proprietary')
    """
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        _, module, after = rest.partition("Kernel Module")
        version = _VERSION.search(after)
        if name.strip() == "NVRM version" and module and version:
            return Module(version.group(1), "open" if " Open " in rest else "proprietary")
    return None


def parse_information(text: str) -> dict[str, str]:
    """The fields of one card's `information` file, blanks and unset ones left out."""
    found = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and value.strip() and "?" not in value:
            found[name.strip()] = value.strip()
    return found


def parse_library_name(path: str) -> str | None:
    """The driver's version in libcuda's file name; None if the name holds none.

    >>> parse_library_name("/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15")
    '550.54.15'
    """
    match = _LIBCUDA.search(path)
    version = match.group(1) if match else None
    # Jetson's file is libcuda.so.1.1, which says nothing of the driver.
    return None if version is None or version.startswith("1.") else version


def kernel_module(host: Host) -> Fact[Module | None]:
    """The loaded kernel module; None where /proc and /sys show that there is none."""
    raw = host.read(f"{PROC}/version", limit=4096)
    if isinstance(raw, bytes):
        text = raw.decode("utf-8", "replace")
        return parse_proc_version(text) or _nonsense(f"{PROC}/version", text)
    raw = host.read("/sys/module/nvidia/version", limit=64)  # where a container hides /proc's
    if isinstance(raw, bytes):
        text = raw.decode("utf-8", "replace").strip()
        flavour = Unknown(Reason.NOT_SUPPORTED, f"{PROC}/version is not shown here")
        is_version = DRIVER_VERSION.match(text)
        return Module(text, flavour) if is_version else _nonsense("/sys/module/nvidia", text)
    return raw if isinstance(raw, Unknown) else _not_loaded(host)


def _not_loaded(host: Host) -> Unknown | None:
    """None only where /sys lists the loaded modules, and nvidia is not among them."""
    modules = host.list("/sys/module")
    if isinstance(modules, Unknown):
        return modules
    if not modules or "nvidia" in modules:
        return Unknown(Reason.NOT_SUPPORTED, "/sys shows no version of the module")
    return None


def library_version(host: Host) -> Fact[str | None]:
    """The version in the file name of the libcuda that programs load; None if there is none."""
    first = _folders_of_user(host)
    if isinstance(first, Unknown):
        return first
    for folder in first:  # LD_LIBRARY_PATH wins over the loader's own folders
        real = host.real(f"{folder}/libcuda.so.1")
        if isinstance(real, str):
            return _version_of(real)
    cached = host.read("/etc/ld.so.cache")
    unread = cached if isinstance(cached, Unknown) else None
    known = _CACHED.findall(cached) if isinstance(cached, bytes) else []
    paths = {raw.decode("utf-8", "surrogateescape") for raw in known}
    paths |= {f"{folder}/libcuda.so.1" for folder in _FOLDERS}
    versions: dict[str, Fact[str | None]] = {}
    for path in sorted(paths):
        real = host.real(path)
        if isinstance(real, Unknown):
            unread = real
        elif real is not None:
            version = _version_of(real)
            versions[str(version)] = version
    if len(versions) == 1:
        return next(iter(versions.values()))
    if versions:
        return Unknown(Reason.WITNESSES_DISAGREE, "libcuda " + ", ".join(sorted(versions)))
    return unread


def cards(host: Host) -> Fact[tuple[Card, ...]]:
    """The cards that the driver lists under /proc, in the order of their address."""
    names = host.list(f"{PROC}/gpus")
    if names is None or isinstance(names, Unknown):
        return names or ()
    found = []
    for name in names:
        raw = host.read(f"{PROC}/gpus/{name}/information", limit=65536)
        bus_id = address(name)
        if bus_id is not None:
            found.append(_card(bus_id, raw))
    return tuple(sorted(found, key=lambda each: each.bus_id))


def _folders_of_user(host: Host) -> Fact[list[str]]:
    path = host.environ("LD_LIBRARY_PATH")
    if isinstance(path, Unknown):
        return path
    return [folder.rstrip("/") for folder in (path or "").split(":") if folder.startswith("/")]


def _version_of(path: str) -> Fact[str | None]:
    version = parse_library_name(path)
    return version or Unknown(Reason.NOT_SUPPORTED, "the file name of libcuda holds no version")


def _card(bus_id: str, raw: Fact[bytes | None]) -> Card:
    if not isinstance(raw, bytes):
        why = raw or Unknown(Reason.NOT_SUPPORTED, f"{PROC} says nothing of this card")
        return Card(bus_id, why, why, why)
    said = parse_information(raw.decode("utf-8", "replace"))
    lacks = Unknown(Reason.NOT_SUPPORTED, f"{PROC} does not say it")
    name = said.get("Model", "")
    return Card(
        bus_id,
        name=lacks if not name or name == "Unknown" else name[:128],
        vbios=said.get("Video BIOS", lacks),
        uuid=said.get("GPU UUID", lacks),
    )


def _nonsense(path: str, text: str) -> Unknown:
    return Unknown(Reason.UNPARSABLE, f"{path}: {text.strip()}"[:60])
