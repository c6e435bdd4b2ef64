"""What reports say of GPUs and their driver, in the words of a manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envsnap._typing import Literal
from envsnap.facts import Looked, cuda_driver, gpu_arch, parse_driver
from envsnap.imports._core import NOT_TOLD, blank
from envsnap.sections import (
    Device,
    Driver,
    Fact,
    ForwardCompatibility,
    Gpu,
    MigSlice,
    Reason,
    Rocm,
    Unknown,
    replace,
)

DRIVER_VERSION = re.compile(r"\d{2,4}(?:\.\d{1,4}){1,2}\Z", re.ASCII)
_CUDA = re.compile(r"\d{1,2}\.\d\Z", re.ASCII)
_CUT = re.compile(r"\s*(?:\.{2,}|\u2026)\Z")
_SERIES = re.compile(r"\d\d")
"""What the beginning of a name must hold to tell its series, as 'Tesla V100-S' or 'GTX 10'."""
_AMD = re.compile(r"(.{1,100}?) ?\((gfx[0-9a-f]{3,5})[:\w+-]*\)\Z")
_WITH_MIG = frozenset({"8.0", "9.0", "10.0", "10.3"})
"""The compute capabilities of the cards that can be divided (A100, A30, H100, B200, B300)."""
_WITHOUT_MIG = re.compile(
    r"(?:NVIDIA )?(?:GeForce|GTX|RTX A\d|TITAN|Quadro|Tesla [KMPTV]|T\d|L\d|A(?:2|10|10G|16|40)\b)"
)
_FIRST_FOR_WSL = (455, 41)
_TOOL_DIFFERS = (515,)
_LINUX_PARTS = 3
_MOST_CARDS = 64
_LONGEST = 128

System = Literal["linux", "windows"]

LISTED = Unknown(Reason.NOT_RECORDED, "nvidia-smi lists the cards that no program sees, too")
"""Which of the cards programs see, where a tool lists them that asks no program."""


def card(name: str, **known: object) -> Device:
    """One NVIDIA card by the name that its driver prints; what else is told goes by its field.

    The compute capability is looked up by the name. Of a name that the tool has cut off there
    is one where all cards whose names begin so have the same.

    >>> card("Tesla T4").compute_capability, card("Tesla V100-SXM2...").compute_capability
    ('7.5', '7.0')
    """
    name = " ".join(name.split())[:_LONGEST]
    if _CUT.search(name):
        what = f"{name} (cut off by the table)" if _CUT.sub("", name) else "a GPU without a name"
        cut = Unknown(Reason.NOT_RECORDED, what)
        made = _as(_shared(_CUT.sub("", name)))
        return blank(Device, **{"vendor": "nvidia", "name": cut, **made, **known})
    looked = gpu_arch.by_name(name)
    if isinstance(looked, Looked):
        made = _as(looked.value.compute_capability)
    else:
        made = {"compute_capability": Unknown(Reason.NOT_RECORDED, str(looked))}
    return blank(Device, **{"vendor": "nvidia", "name": name, **made, **known})


def _as(capability: str | None) -> dict[str, object]:
    """The facts of a card that its compute capability tells; none where it is not known."""
    arch = gpu_arch.by_capability(capability) if capability else None
    made: dict[str, object] = {"compute_capability": capability} if capability else {}
    return made | ({"architecture": arch.value.architecture} if isinstance(arch, Looked) else {})


def _shared(beginning: str) -> str | None:
    """The compute capability of every card whose name begins so; None where they differ."""
    if not _SERIES.search(beginning):
        return None
    found = gpu_arch.capabilities_of(beginning)
    return found[0] if len(found) == 1 else None


def amd_card(text: str) -> Device | None:
    """One AMD card as PyTorch tells it, 'AMD Instinct MI250X (gfx90a:sramecc+)'; None for others.

    >>> amd_card("AMD Radeon RX 7900 XTX (gfx1100)").architecture
    'gfx1100'
    """
    match = _AMD.match(" ".join(text.split()))
    if match is None:
        return None
    return blank(
        Device, vendor="amd", name=match[1], architecture=match[2], compute_capability=None,
        mig=None, slices=(),
    )  # fmt: skip


def mig_of(name: str, *, is_off: bool) -> Fact[bool | None]:
    """Whether a card that shows no MIG instance is in MIG mode; None for one that has no such mode.

    `is_off` where programs are known to see it whole.
    """
    looked = gpu_arch.by_name(name)
    capability = looked.value.compute_capability if isinstance(looked, Looked) else None
    is_known = capability is not None and capability not in _WITH_MIG and "PRO" not in name
    if is_known or _WITHOUT_MIG.match(name):
        return None
    return False if is_off else NOT_TOLD


def is_native(version: str, tool: str | None = None) -> bool:
    """Whether the driver of that version is surely Linux's own, and not Windows's seen from WSL.

    Only Linux's versions have three parts, and the first driver for WSL was 455.41. There
    nvidia-smi itself is of another version, since 515.
    """
    numbers = parse_driver(version) or ()
    if tool not in {None, version}:
        return False
    is_other = bool(numbers) and (
        numbers < _FIRST_FOR_WSL or (tool is not None and numbers >= _TOOL_DIFFERS)
    )
    return len(numbers) == _LINUX_PARTS or is_other


def whole_card(name: str, **known: object) -> Device:
    """One card as a CUDA program sees it: one in MIG mode would have its slice in its name."""
    if " MIG " in name:
        return card(name, **known)
    return card(name, mig=mig_of(name, is_off=True), slices=(), **known)


def mig_slice(profile: str | None = None, memory_mib: int | None = None,
              multiprocessors: int | None = None) -> MigSlice:  # fmt: skip
    """One MIG instance, of which a text tells some of its three facts."""
    return MigSlice(
        profile=profile or NOT_TOLD,
        memory_mib=memory_mib or NOT_TOLD,
        multiprocessors=multiprocessors or NOT_TOLD,
    )


def driver_of(
    version: str | None,
    cuda: str | None = None,
    *,
    platform: Fact[str] = NOT_TOLD,
    system: System = "linux",
) -> Driver | Unknown:
    """The driver, by its version and the CUDA version beside it in nvidia-smi.

    That one is what the driver serves, and no toolkit. Where it is more than this driver serves,
    programs find a cuda-compat before the driver's own library. Where it is not told, what
    Linux's driver itself serves follows from its version.
    """
    if version is None or not DRIVER_VERSION.match(version):
        # A report that has no driver may have PyTorch's complaint about what it serves.
        is_told = cuda is not None and _CUDA.match(cuda)
        return blank(Driver, cuda_in_effect=cuda) if is_told else NOT_TOLD
    known: dict[str, object] = {"version": version}
    if platform == "pci" and system == "linux":
        # NVML answers nobody whose library is of another version than the loaded module.
        known["kernel_module"] = version
    if cuda is not None and _CUDA.match(cuda):
        known |= _serves(version, cuda, "windows" if platform == "wsl2" else system)
    elif cuda is None and system == "linux" and platform == "pci":
        own = cuda_driver.highest_cuda(version)
        if isinstance(own, Looked) and not own.weak:
            known["cuda"] = own.value
    return blank(Driver, **known)


def _serves(version: str, cuda: str, system: System) -> dict[str, object]:
    if system == "windows":  # where there is no cuda-compat
        return {"cuda": cuda, "cuda_in_effect": cuda, "compat": None}
    own = cuda_driver.highest_cuda(version, system)
    if not isinstance(own, Looked) or own.weak:
        return {"cuda": cuda, "cuda_in_effect": cuda}
    if own.value == cuda:
        return {"cuda": cuda, "cuda_in_effect": cuda, "compat": None}
    if (parse_driver(own.value) or ()) > (parse_driver(cuda) or ()):
        return {"cuda": cuda, "cuda_in_effect": cuda}
    return {
        "cuda": own.value,
        "cuda_in_effect": cuda,
        "compat": blank(ForwardCompatibility, cuda=cuda, found_first=True, used=True),
    }


def gpu_of(
    devices: Fact[tuple[Device, ...]], driver: Driver | Unknown = NOT_TOLD, *,
    platform: Fact[str] = NOT_TOLD, visible: Fact[tuple[int, ...]] | None = None,
    rocm: Rocm | Unknown = NOT_TOLD,
) -> Gpu:  # fmt: skip
    """The section of what a text tells.

    The cards that a program lists are those that it sees, unless it says otherwise; of those
    that a tool lists whatever programs see, `visible` is `LISTED`.
    """
    if isinstance(devices, Unknown) or not devices:
        return blank(Gpu, driver=driver, platform=platform, rocm=rocm)
    devices = devices[:_MOST_CARDS]
    seen = tuple(range(len(devices))) if visible is None else visible
    has_driver = not isinstance(driver, Unknown)
    is_amd = devices[0].vendor == "amd"
    return blank(
        Gpu,
        kind=NOT_TOLD if is_amd and has_driver else devices[0].vendor,
        platform=platform,
        driver=None if is_amd and not has_driver else driver,
        devices=devices,
        visible=seen,
        hidden=_why_hidden(devices, seen),
        rocm=rocm,
    )


def _why_hidden(devices: Sequence[Device], seen: Fact[tuple[int, ...]]) -> Fact[str | None]:
    if isinstance(seen, Unknown):
        return seen
    if len(seen) == len(devices):
        return None
    return "CUDA_VISIBLE_DEVICES shows some of them"


def as_listed(gpu: Gpu) -> Gpu:
    """The same, its cards taken for visible where nothing that was read says which are.

    What could hide one (a variable, a batch system) is no part of the machine that somebody
    describes. That it was taken so stays to be seen: what hides cards is not known.
    """
    is_open = gpu.visible in (LISTED, NOT_TOLD) and isinstance(gpu.devices, tuple)
    if not is_open or isinstance(gpu.devices, Unknown) or not gpu.devices:
        return gpu
    return replace(gpu, visible=tuple(range(len(gpu.devices))), hidden=LISTED)


def chosen(variable: str, count: int) -> Fact[tuple[int, ...]]:
    """The positions that CUDA_VISIBLE_DEVICES names, up to the first that is not there.

    >>> chosen("1,0,7", 2)
    (1, 0)
    """
    found: list[int] = []
    for part in variable.split(","):
        number = part.strip()
        if re.match(r"(?:GPU|MIG)-", number):
            return Unknown(Reason.NOT_RECORDED, "CUDA_VISIBLE_DEVICES names cards by their serial")
        is_there = number.isascii() and number.isdecimal() and len(number) < 4  # noqa: PLR2004 - no machine has 10^3 cards
        if not is_there or int(number) >= count or int(number) in found:
            break
        found.append(int(number))
    return tuple(found)
