"""What programs would see of the GPUs: the third view, beside the machine's and NVML's."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._gpu import _visible
from envsnap.probes._gpu._devices import Joined
from envsnap.probes._gpu._driver import MISMATCH
from envsnap.probes._gpu._hip import hip_choice
from envsnap.probes._gpu._nvml import Nvml
from envsnap.probes._gpu._seen import Seen, Tegra
from envsnap.probes._gpu._unshown import reasons
from envsnap.probes._gpu._visible import Choice
from envsnap.sections import Device, Driver, Fact, Reason, Unknown

_NONE_VISIBLE = {
    MISMATCH: "the loaded kernel module and the libraries are of different versions",
    "NVML_ERROR_DRIVER_NOT_LOADED": "the NVIDIA driver is not loaded",
}
_NOTHING_GIVEN = "neither the driver's library nor a device file of a GPU is here"


class Told(NamedTuple):
    """What the witnesses said before the variables are asked."""

    seen: Seen
    nvml: Fact[Nvml]
    joined: Joined
    driver: Fact[Driver | None]


def choose(host: Host, told: Told) -> Choice:
    """What CUDA programs, and on AMD's cards HIP programs, would see."""
    devices = told.joined.devices
    if isinstance(devices, Unknown):
        return Choice(devices, devices)
    parts = []
    if any(device.vendor == "nvidia" for device in devices):
        parts.append(_cuda_choice(host, told, devices))
    if any(device.vendor == "amd" for device in devices):
        parts.append(hip_choice(host, told.seen, devices))
    if any(device.vendor == "intel" for device in devices):
        parts.append(Choice((), "Intel's GPUs run no CUDA"))
    return _visible.merge(parts)


def _cuda_choice(host: Host, told: Told, devices: tuple[Device, ...]) -> Choice:
    nvml, shown = told.nvml, told.joined.shown
    named, order = host.environ("CUDA_VISIBLE_DEVICES"), host.environ("CUDA_DEVICE_ORDER")
    for answer in (named, order):
        if isinstance(answer, Unknown):
            return Choice(answer, answer)
    named = named if isinstance(named, str) else None
    nvidia = [at for at, device in enumerate(devices) if device.vendor == "nvidia"]
    if isinstance(nvml, Unknown):
        if named is None and isinstance(told.seen.tegra, Tegra):
            return Choice(tuple(nvidia), None)
        why = _NONE_VISIBLE.get(nvml.detail or "") or _nothing_given(host, told, nvml)
        return _visible.unseen(named, len(nvidia), why, nvml)
    cards = [
        _visible.Candidate(
            at, each.device.name, each.uuid, each.device.mig, each.parts, each.device.slices
        )
        for at, each in sorted(shown.items())
    ]
    more = len(nvidia) - len(cards)
    if more and nvml.ended is not None:  # those that it had not come to may be seen all the same
        return _visible.unseen(named, len(nvidia), None, nvml.ended)
    choice = _visible.choose(cards, named, order if isinstance(order, str) else None)
    why_not = reasons(host, told.joined.unshown) if more else ()
    return _visible.with_unshown(choice, more, why_not)


def _nothing_given(host: Host, told: Told, nvml: Unknown) -> str | None:
    """The reason of a container that was started without its GPUs; None where it is no such one."""
    seen, driver = told.seen, told.driver
    markers = seen.markers if isinstance(seen.markers, tuple) else ("not known",)
    has_files = any(mark == "not known" or mark.startswith("/dev/") for mark in markers)
    has_library = not isinstance(driver, Driver) or driver.library is not None
    if nvml.reason is not Reason.TOOL_MISSING or has_files or has_library:
        return None
    named = [said for said in reasons(host, told.joined.unshown) if not said.startswith("/dev/")]
    return _NOTHING_GIVEN + (f" ({'; '.join(named)})" if named else "")
