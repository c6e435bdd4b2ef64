"""The section of a machine that has, or may have, a GPU: every witness in its place."""

from __future__ import annotations

from envsnap.probes._gpu import _smi
from envsnap.probes._gpu._devices import join
from envsnap.probes._gpu._driver import driver_of
from envsnap.probes._gpu._nvml import Nvml, read_answer
from envsnap.probes._gpu._rocm import rocm
from envsnap.probes._gpu._seen import Seen, Tegra, no_nvidia
from envsnap.probes._gpu._topology import topology
from envsnap.probes._gpu._views import Told, choose
from envsnap.probes._gpu._visible import Choice
from envsnap.probes._registry import Look
from envsnap.sections import Device, Fact, Gpu, Reason, Unknown, replace

_SMI_MAY_KNOW = {Reason.TOOL_MISSING, Reason.CRASHED, Reason.UNPARSABLE}
_NO_NVIDIA = Unknown(Reason.NOT_ASKED, "there is no NVIDIA GPU")


def told_by_all(look: Look, seen: Seen) -> Gpu:
    """The section, from what was seen and from the drivers, which are asked now."""
    nvml = _nvml(look, seen)
    joined = join(look, seen, nvml)
    kind = _kind(seen, joined.devices)
    driver = driver_of(look, seen, nvml, joined.devices)
    choice = choose(look.host, Told(seen, nvml, joined, driver))
    return Gpu(
        kind=kind,
        platform=_platform(seen, kind),
        pci=seen.pci,
        driver=driver,
        devices=_usable_slices(joined.devices, choice),
        visible=choice.visible,
        hidden=choice.hidden,
        topology=topology(look.host, seen, joined, nvml),
        rocm=rocm(look, seen, joined.devices),
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


def _usable_slices(devices: Fact[tuple[Device, ...]], choice: Choice) -> Fact[tuple[Device, ...]]:
    """The devices with only the MIG instance that CUDA uses, where that is known."""
    if choice.parts is None or isinstance(devices, Unknown):
        return devices
    found = []
    for at, device in enumerate(devices):
        if isinstance(device.slices, tuple):
            numbered = enumerate(device.slices)
            kept = tuple(part for number, part in numbered if (at, number) in choice.parts)
            found.append(replace(device, slices=kept))
        else:
            found.append(device)
    return tuple(found)
