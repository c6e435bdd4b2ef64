"""DRV003, DRV007, DRV011: which GPUs a driver, and its kernel module, drive."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Looked, NewerThanFacts, cuda_driver, gpu_arch, parse_driver
from envsnap.rules._code import numbers_of
from envsnap.rules._core import Pair, Said, fit, look_up, need
from envsnap.rules._driver import driver_of, judged_gpus, matters, version_of
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import DRIVER_MATRIX, KERNEL_MODULES
from envsnap.rules._views import sm
from envsnap.sections import Device, Gpu, Packages, Python, Reason, Unknown

_FLAVOURS = ("open", "proprietary")
_DRIVEN = frozenset({"nvml", "nvidia-smi", "proc"})
"""Witnesses that see a GPU through its driver alone."""


@fit(
    "DRV003", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python),
    source=DRIVER_MATRIX,
)  # fmt: skip
def dropped(pair: Pair) -> Iterator[Said]:
    """A driver branch that no longer knows the GPU does not drive it.

    R580 is the last branch for Maxwell, Pascal and Volta, R470 for Kepler. A GPU that the driver
    does show is driven, whatever the tables say.
    """
    version = version_of(pair.found) if matters(pair) else None
    if version is None:
        return
    for place, device, known in _undriven(pair):
        last = known.value.last_driver_branch
        if last is None:  # the newest branch of the tables still drives it; of the next who knows
            answer = cuda_driver.branch(version)
            if isinstance(answer, NewerThanFacts) and not _shows(place, device):
                look_up(answer, pair.found.path("gpu.driver.version"))
        elif _branch(version) > last and not _shows(place, device):
            yield Said(
                "driver", Outcome.BLOCKS,
                f"driver {version} drives no {known.value.architecture} GPU; the last branch that "
                f"does is R{last}",
                remedy=f"a driver of the branch R{last}", found=version, rests_on=known,
            )  # fmt: skip


@fit(
    "DRV011", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python),
    source=DRIVER_MATRIX,
)  # fmt: skip
def not_yet_known(pair: Pair) -> Iterator[Said]:
    """A driver branch from before the GPU does not drive it.

    R570 is the first branch for the RTX 50 series and B200, R520 for Ada and Hopper, R450 for
    Ampere: that of the first CUDA that makes code for it. cuda-compat is no help: it brings CUDA's
    library, and the kernel module that has to know the GPU stays what it was. A container uses
    the machine's driver. A GPU that the driver does show is driven, whatever the tables say.
    """
    version = version_of(pair.found) if matters(pair) else None
    if version is None:
        return
    for place, device, known in _undriven(pair):
        first = known.value.first_driver_branch
        if first is not None and _branch(version) < first and not _shows(place, device):
            capability = known.value.compute_capability
            yield Said(
                "driver", Outcome.BLOCKS,
                f"driver {version} does not drive {known.value.architecture} GPUs "
                f"({sm(capability)}) yet; the first branch that does is R{first}",
                remedy=f"a driver of the branch R{first} or newer",
                wanted=f"R{first} or newer", found=version, rests_on=known,
            )  # fmt: skip


def _undriven(pair: Pair) -> Iterator[tuple[str, Device, Looked[gpu_arch.Arch]]]:
    """The GPUs of the found side, each with its place and what the tables have on its kind.

    One that is newer than the tables ends the rule, unless the driver is seen to drive it.
    """
    for place, device in judged_gpus(pair.found):
        capability = need(device.compute_capability, f"{place}.compute_capability")
        answer = None if capability is None else gpu_arch.by_capability(capability)
        if answer is None or (not isinstance(answer, Looked) and _shows(place, device)):
            continue
        yield place, device, look_up(answer, f"{place}.compute_capability")


def _shows(place: str, device: Device) -> bool:
    """Whether the driver shows the GPU, and so drives it. Of a profile the tables alone tell."""
    shown_by = device.shown_by
    if isinstance(shown_by, Unknown) and shown_by.reason is Reason.NOT_RECORDED:
        return False
    return not _DRIVEN.isdisjoint(need(shown_by, f"{place}.shown_by"))


def _branch(version: str) -> int:
    return (parse_driver(version) or (0,))[0]


@fit(
    "DRV007", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Gpu, Packages, Python),
    source=KERNEL_MODULES,
)  # fmt: skip
def other_module(pair: Pair) -> Iterator[Said]:
    """This kernel module does not drive the GPU, and programs do not see it.

    NVIDIA's open kernel module drives Turing and later, the proprietary one nothing after
    Hopper. Judged are the GPUs that the driver does not show.
    """
    side = pair.found
    driver = driver_of(side) if matters(pair) else None
    if driver is None or need(side.need(Gpu).platform, side.path("gpu.platform")) != "pci":
        return
    for path, device in judged_gpus(side):
        capability = need(device.compute_capability, f"{path}.compute_capability")
        if capability is None or all(_drives(each, capability) for each in _FLAVOURS):
            continue
        flavour = need(driver.flavour, side.path("gpu.driver.flavour"))
        if flavour in _FLAVOURS and not _drives(flavour, capability):
            shown_by = need(device.shown_by, f"{path}.shown_by")
            if _DRIVEN.isdisjoint(shown_by):  # else it does drive it, whatever the tables say
                yield _not_driven(flavour, capability)


def _drives(flavour: str, capability: str) -> bool:
    """Whether that kernel module drives such a GPU."""
    known = look_up(cuda_driver.kernel_module(flavour), "gpu.driver.flavour").value
    first, last = known.first_compute_capability, known.last_compute_capability
    asked = numbers_of(capability)
    return numbers_of(first or "0") <= asked <= numbers_of(last or capability)


def _not_driven(flavour: str, capability: str) -> Said:
    other = "proprietary" if flavour == "open" else "open"
    return Said(
        "kernel module", Outcome.BLOCKS,
        f"the {flavour} kernel module does not drive {sm(capability)}",
        remedy=f"install the {other} kernel module of the same driver", found=flavour,
    )  # fmt: skip
