"""What files say of NVIDIA's driver: its kernel module, its libcuda, its cards."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Binary, Host
from envsnap.loader import cached_files, user_folders
from envsnap.probes._gpu._nvml import DRIVER_VERSION
from envsnap.probes._gpu._pci import address
from envsnap.probes._gpu._seen import PROC
from envsnap.sections import Fact, Reason, Unknown

_SYSFS_VERSION = "/sys/module/nvidia/version"
_VERSION = re.compile(r"(?:\A|\s)(\d{1,5}(?:\.\d{1,5}){1,3})(?=\s|\Z)", re.ASCII)
_LIBCUDA = re.compile(r"libcuda\.so\.(\d{1,5}(?:\.\d{1,5}){1,3})\Z", re.ASCII)
_LIBNVML = re.compile(r"libnvidia-ml\.so\.(\d{2,5}(?:\.\d{1,5}){1,3})\Z", re.ASCII)
_COMPAT = re.compile(r"/cuda(?:-[\w.]+)?(?:/\d[\d.]*)?/compat/|/cuda-compat[-\w.]*/", re.ASCII)
"""Where NVIDIA's and conda's packages put a cuda-compat."""
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
    minor: int | None
    """The number of its device file; None where it is not told."""


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
        module = parse_proc_version(text)
        return _as_sysfs_says(host, module) if module else _nonsense(f"{PROC}/version", text)
    raw = host.read(_SYSFS_VERSION, limit=64)  # where a container hides /proc's
    if isinstance(raw, bytes):
        text = raw.decode("utf-8", "replace").strip()
        flavour = Unknown(Reason.NOT_SUPPORTED, f"{PROC}/version is not shown here")
        is_version = DRIVER_VERSION.match(text)
        return Module(text, flavour) if is_version else _nonsense("/sys/module/nvidia", text)
    return raw if isinstance(raw, Unknown) else _not_loaded(host)


def _as_sysfs_says(host: Host, module: Module) -> Fact[Module | None]:
    """The module of /proc, if /sys names no other version of it."""
    raw = host.read(_SYSFS_VERSION, limit=64)
    other = raw.decode("utf-8", "replace").strip() if isinstance(raw, bytes) else module.version
    if other == module.version:
        return module
    said = f"/proc {module.version}, /sys {other}"
    return Unknown(Reason.WITNESSES_DISAGREE, said[:80])


def _not_loaded(host: Host) -> Unknown | None:
    """None only where /sys lists the loaded modules, and nvidia is not among them."""
    modules = host.list("/sys/module")
    if isinstance(modules, Unknown):
        return modules
    if not modules or "nvidia" in modules:
        return Unknown(Reason.NOT_SUPPORTED, "/sys shows no version of the module")
    return None


Note = tuple[str, tuple[int, ...]]
"""What a cuda-compat states: the CUDA that it serves, and the driver branches it works on."""


class Library(NamedTuple):
    """One libcuda.so.1 that a program can find."""

    path: str
    """With all links resolved."""
    version: Fact[str | None]
    is_compat: bool
    """Whether it came with cuda-compat, not with a driver."""
    is_found: bool
    """Whether the loader looks where it lies."""
    is_users: bool
    """Whether LD_LIBRARY_PATH leads to it."""
    note: Fact[Note | None]
    """None where the file has none."""


def libraries(host: Host) -> Fact[tuple[Library, ...]]:
    """Each libcuda once, in the order in which the loader would take them.

    Unknown only where none is found and a place could not be looked at.
    """
    users = user_folders(host)
    if isinstance(users, Unknown):
        return users
    cached = cached_files(host, "libcuda.so.1")
    unread = cached if isinstance(cached, Unknown) else None
    paths = [f"{folder}/libcuda.so.1" for folder in users]
    paths += () if isinstance(cached, Unknown) else cached
    paths += [f"{folder}/libcuda.so.1" for folder in _FOLDERS]
    searched = len(paths)
    found: dict[str, tuple[int, str]] = {}
    for at, path in enumerate([*paths, *_compat_paths(host)]):
        real = host.real(path)
        if isinstance(real, Unknown):
            unread = real
        elif real is not None:
            found.setdefault(real, (at, path))
    if unread and not found:
        return unread
    notes = zip(found.items(), _notes(host, list(found)), strict=True)
    return tuple(
        Library(real, _version_of(real), _is_compat(note, path, real), at < searched,
                at < len(users), note)
        for (real, (at, path)), note in notes
    )  # fmt: skip


def _notes(host: Host, paths: Sequence[str]) -> list[Fact[Note | None]]:
    """What each file states in its note of cuda-compat."""
    said = host.binaries(paths) if paths else ()
    return [each.compat if isinstance(each, Binary) else each for each in said]


def _is_compat(note: Fact[Note | None], path: str, real: str) -> bool:
    """Whether the note says so. The first ones had none, and may not be readable: by their place.

    A cuda-compat lies wherever it was copied to, and a driver's own library never has the note.
    """
    return isinstance(note, tuple) or bool(_COMPAT.search(path) or _COMPAT.search(real))


def library_version(found: Fact[tuple[Library, ...]]) -> Fact[str | None]:
    """The version in the file name of the driver's own libcuda; None if there is none."""
    if isinstance(found, Unknown):
        return found
    own = [each for each in found if each.is_found and not each.is_compat]
    for each in own:
        if each.is_users:  # LD_LIBRARY_PATH wins over the loader's own folders
            return each.version
    versions = {str(each.version): each.version for each in own}
    if len(versions) > 1:
        return Unknown(Reason.WITNESSES_DISAGREE, "libcuda " + ", ".join(sorted(versions)))
    return next(iter(versions.values()), None)


def management_version(host: Host, folder: str) -> str | None:
    """The version in the file name of the libnvidia-ml in that folder; None if it tells none."""
    real = host.real(f"{folder}/libnvidia-ml.so.1")
    match = _LIBNVML.search(real) if isinstance(real, str) else None
    return match and match.group(1)


def _compat_paths(host: Host) -> list[str]:
    """Where cuda-compat puts its libcuda: the loader looks there only where it is told to."""
    names = host.list("/usr/local")
    roots = [name for name in names if name.startswith("cuda")] if isinstance(names, tuple) else []
    return [f"/usr/local/{name}/compat/libcuda.so.1" for name in roots]


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


def _version_of(path: str) -> Fact[str | None]:
    version = parse_library_name(path)
    return version or Unknown(Reason.NOT_SUPPORTED, "the file name of libcuda holds no version")


def _card(bus_id: str, raw: Fact[bytes | None]) -> Card:
    if not isinstance(raw, bytes):
        why = raw or Unknown(Reason.NOT_SUPPORTED, f"{PROC} says nothing of this card")
        return Card(bus_id, why, why, why, None)
    said = parse_information(raw.decode("utf-8", "replace"))
    lacks = Unknown(Reason.NOT_SUPPORTED, f"{PROC} does not say it")
    name, minor = said.get("Model", ""), said.get("Device Minor", "")
    return Card(
        bus_id,
        name=lacks if not name or name == "Unknown" else name[:128],
        vbios=said.get("Video BIOS", lacks),
        uuid=said.get("GPU UUID", lacks),
        minor=int(minor) if minor.isascii() and minor.isdecimal() and len(minor) <= 4 else None,  # noqa: PLR2004 - no machine has 10^4 cards
    )


def _nonsense(path: str, text: str) -> Unknown:
    return Unknown(Reason.UNPARSABLE, f"{path}: {text.strip()}"[:60])
