"""The section of a machine that has, or may have, a GPU: every witness in its place."""

from __future__ import annotations

from envsnap.host import Host
from envsnap.probes import _nvidia, _smi, _visible
from envsnap.probes._gpu_devices import join
from envsnap.probes._gpu_seen import Seen, Tegra, no_nvidia
from envsnap.probes._nvml import Nvml, read_answer
from envsnap.probes._registry import Look
from envsnap.sections import Device, Driver, Fact, Gpu, Reason, Unknown, replace

_MISMATCH = "NVML_ERROR_LIB_RM_VERSION_MISMATCH"
_NONE_VISIBLE = {
    _MISMATCH: "the loaded kernel module and the libraries are of different versions",
    "NVML_ERROR_DRIVER_NOT_LOADED": "the NVIDIA driver is not loaded",
}
_SMI_MAY_KNOW = {Reason.TOOL_MISSING, Reason.CRASHED, Reason.UNPARSABLE}
_NO_NVIDIA = Unknown(Reason.NOT_ASKED, "there is no NVIDIA GPU")


def told_by_all(look: Look, seen: Seen) -> Gpu:
    """The section, from what was seen and from the drivers, which are asked now."""
    nvml = _nvml(look, seen)
    devices = join(look, seen, nvml)
    kind = _kind(seen, devices)
    choice = _visible_of(look.host, seen, nvml, devices)
    return Gpu(
        kind=kind,
        platform=_platform(seen, kind),
        pci=seen.pci,
        driver=_driver(look.host, seen, nvml, devices),
        devices=_usable_slices(devices, nvml, choice),
        visible=choice.visible,
        hidden=choice.hidden,
    )


def _nvml(look: Look, seen: Seen) -> Fact[Nvml]:
    if no_nvidia(seen) is True:
        return _NO_NVIDIA  # and no child process
    if seen.system == "Darwin" and isinstance(seen.pci, Unknown):
        return seen.pci
    answer = look.host.nvml()
    if isinstance(answer, Unknown) and answer.reason in _SMI_MAY_KNOW:
        is_wsl = isinstance(seen.markers, tuple) and "/dev/dxg" in seen.markers
        command = "/usr/lib/wsl/lib/nvidia-smi" if is_wsl else "nvidia-smi"
        second = _smi.ask(look.host, command)
        answer = answer if isinstance(second, Unknown) else second
    if isinstance(answer, Unknown):
        return answer
    return read_answer(answer, identify=look.options.identify)


def _kind(seen: Seen, devices: Fact[tuple[Device, ...]]) -> Fact[str]:
    if isinstance(devices, Unknown):
        return devices
    vendors = sorted({device.vendor for device in devices})
    if vendors:
        return vendors[0] if len(vendors) == 1 else "several"
    if isinstance(seen.markers, tuple) and "/dev/kfd" in seen.markers and not seen.amd:
        return Unknown(Reason.WITNESSES_DISAGREE, "/dev/kfd is there, no AMD GPU is")
    return "none"


def _platform(seen: Seen, kind: Fact[str]) -> Fact[str]:
    if seen.system == "Darwin":
        return "mac"
    if isinstance(seen.markers, tuple) and "/dev/dxg" in seen.markers:
        return "wsl2"
    if isinstance(seen.tegra, Tegra):
        return "tegra"
    return kind if isinstance(kind, Unknown) or kind == "none" else "pci"


def _driver(
    host: Host, seen: Seen, nvml: Fact[Nvml], devices: Fact[tuple[Device, ...]]
) -> Fact[Driver | None]:
    without = no_nvidia(seen)
    if without is True:
        return None
    module = _nvidia.kernel_module(host) if seen.system == "Linux" else seen.pci
    has_card = isinstance(devices, tuple) and any(each.vendor == "nvidia" for each in devices)
    is_module = isinstance(module, _nvidia.Module)
    if isinstance(without, Unknown) and not has_card and not is_module:
        return without
    library = _nvidia.library_version(host)
    return Driver(
        version=_version(nvml, module, library),
        kernel_module=module.version if isinstance(module, _nvidia.Module) else _rest(module),
        flavour=module.flavour if isinstance(module, _nvidia.Module) else _rest(module),
        library=library,
        cuda=nvml if isinstance(nvml, Unknown) else nvml.cuda,
    )


def _rest(module: object) -> Unknown | None:
    return module if isinstance(module, Unknown) else None


def _version(nvml: Fact[Nvml], module: object, library: Fact[str | None]) -> Fact[str]:
    """NVML's version, else the loaded module's; none is in effect where the two do not fit."""
    loaded = module.version if isinstance(module, _nvidia.Module) else None
    if isinstance(nvml, Unknown):
        if nvml.detail == _MISMATCH:
            said = f"kernel module {loaded or 'unknown'}, library {library or 'unknown'}"
            return Unknown(Reason.WITNESSES_DISAGREE, said)
        return loaded or nvml
    if isinstance(nvml.driver_version, Unknown):
        return loaded or nvml.driver_version
    return nvml.driver_version


def _visible_of(
    host: Host, seen: Seen, nvml: Fact[Nvml], devices: Fact[tuple[Device, ...]]
) -> _visible.Choice:
    """What CUDA programs, and on AMD's cards HIP programs, would see."""
    if isinstance(devices, Unknown):
        return _visible.Choice(devices, devices, None)
    parts = []
    if any(device.vendor == "nvidia" for device in devices):
        parts.append(_cuda_choice(host, seen, nvml, devices))
    if any(device.vendor == "amd" for device in devices):
        parts.append(_hip_choice(host, devices))
    if any(device.vendor == "intel" for device in devices):
        parts.append(_visible.Choice((), "Intel's GPUs run no CUDA", None))
    return _visible.merge(parts)


def _cuda_choice(
    host: Host, seen: Seen, nvml: Fact[Nvml], devices: tuple[Device, ...]
) -> _visible.Choice:
    named, order = host.environ("CUDA_VISIBLE_DEVICES"), host.environ("CUDA_DEVICE_ORDER")
    for answer in (named, order):
        if isinstance(answer, Unknown):
            return _visible.Choice(answer, answer, None)
    named = named if isinstance(named, str) else None
    nvidia = [at for at, device in enumerate(devices) if device.vendor == "nvidia"]
    if isinstance(nvml, Unknown):
        if named is None and isinstance(seen.tegra, Tegra):
            return _visible.Choice(tuple(nvidia), None, None)
        return _visible.unseen(named, len(nvidia), _NONE_VISIBLE.get(nvml.detail or ""), nvml)
    shown = {id(each.device): each for each in nvml.shown}
    cards = [
        _visible.Candidate(at, device.name, shown[id(device)].uuid, device.mig,
                           shown[id(device)].slice_uuids)
        for at, device in enumerate(devices) if id(device) in shown
    ]  # fmt: skip
    choice = _visible.choose(cards, named, order if isinstance(order, str) else None)
    more = len(nvidia) - len(cards)
    return _visible.with_unshown(choice, more, host.environ("NVIDIA_VISIBLE_DEVICES"))


def _hip_choice(host: Host, devices: tuple[Device, ...]) -> _visible.Choice:
    for name in ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        named = host.environ(name)
        if isinstance(named, Unknown):
            return _visible.Choice(named, named, None)
        if named is not None:
            why = Unknown(Reason.NOT_SUPPORTED, f"{name} is set; its numbers are not resolved")
            return _visible.Choice(why, f"{name} is set", None)
    cards = tuple(at for at, device in enumerate(devices) if device.vendor == "amd")
    return _visible.Choice(cards, None, None)


def _usable_slices(
    devices: Fact[tuple[Device, ...]], nvml: Fact[Nvml], choice: _visible.Choice
) -> Fact[tuple[Device, ...]]:
    """The devices with only the MIG instances that CUDA_VISIBLE_DEVICES names, if it names any."""
    if choice.slices is None or isinstance(devices, Unknown) or isinstance(nvml, Unknown):
        return devices
    uuids = {id(each.device): each.slice_uuids for each in nvml.shown}
    found = []
    for device in devices:
        if isinstance(device.slices, tuple):
            pairs = zip(device.slices, uuids.get(id(device), ()), strict=True)
            kept = tuple(part for part, uuid in pairs if _visible.is_named(uuid, choice.slices))
            found.append(replace(device, slices=kept))
        else:
            found.append(device)
    return tuple(found)
