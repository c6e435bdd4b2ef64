"""DRV008: a cuda-compat before the driver's own library."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import cuda_driver, parse_driver
from envsnap.rules._core import NotAskedError, Said, Side, health, look_up, need
from envsnap.rules._driver import compat_of, driver_of, version_of
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import FORWARD
from envsnap.sections import ForwardCompatibility, Gpu, Reason, Unknown


@health("DRV008", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Gpu,), source=FORWARD)
def forward_compatibility(side: Side) -> Iterator[Said]:
    """cuda-compat serves the driver branches and GPUs that it is made for alone.

    A libcuda of a cuda-compat package is on the search path. Where programs find it before the
    driver's own, and it is not for this driver or this GPU (GeForce: error 804), CUDA does not
    start.
    """
    driver = driver_of(side)
    if driver is not None and _is_not_recorded(driver.compat):
        raise NotAskedError  # an older capture, or a profile: it did not look for one
    compat = compat_of(side)
    if compat is None:
        return
    if _is_not_recorded(compat.found_first):
        raise NotAskedError
    path = side.path("gpu.driver.compat")
    is_first = need(compat.found_first, f"{path}.found_first")
    if not is_first:
        yield from _other_branches(side, compat)
    elif not need(compat.used, f"{path}.used"):
        version = compat.version if isinstance(compat.version, str) else None
        named = f"cuda-compat {version}" if version else "cuda-compat"
        yield Said(
            "cuda-compat", Outcome.BLOCKS,
            f"{named} comes before the driver's own library and does not work: "
            f"{_why_refused(side, compat)}",
            remedy="take cuda-compat off LD_LIBRARY_PATH and the linker's cache",
            found=version, rests_on=look_up(cuda_driver.forward_compatibility(), path),
        )  # fmt: skip


def _why_refused(side: Side, compat: ForwardCompatibility) -> str:
    """Which of NVIDIA's rules is broken, as far as it can be told."""
    driver, devices = driver_of(side), side.need(Gpu).devices
    version = driver.version if driver and isinstance(driver.version, str) else ""
    ours = parse_driver(version)
    theirs = parse_driver(compat.version) if isinstance(compat.version, str) else None
    branches = compat.drivers if isinstance(compat.drivers, tuple) else ()
    if ours and theirs and theirs < ours:
        return f"the driver, {version}, is newer"
    if ours and branches and ours[0] not in branches:
        return f"it is for drivers of {_branches(branches)}; here is {version}"
    cards = devices if isinstance(devices, tuple) else ()
    names = [each.name for each in cards if each.vendor == "nvidia" and isinstance(each.name, str)]
    return (
        f"it is not for {names[0].removeprefix('NVIDIA ')}" if names else "it is not for this GPU"
    )


def _other_branches(side: Side, compat: ForwardCompatibility) -> Iterator[Said]:
    """A cuda-compat that nobody would find, of no use with this driver if somebody did."""
    path = side.path("gpu.driver.compat")
    drivers = need(compat.drivers, f"{path}.drivers")
    ours = version_of(side)
    branch = (parse_driver(ours or "") or (0,))[0]
    if drivers and branch not in drivers:
        version = need(compat.version, f"{path}.version")
        yield Said(
            "cuda-compat", Outcome.NOTE,
            f"cuda-compat {version} is for drivers of {_branches(drivers)}; here is {ours}",
            remedy="a driver of one of these branches, or remove cuda-compat", found=ours,
        )  # fmt: skip


def _branches(drivers: tuple[int, ...]) -> str:
    return ", ".join(f"R{each}" for each in drivers)


def _is_not_recorded(fact: object) -> bool:
    return isinstance(fact, Unknown) and fact.reason is Reason.NOT_RECORDED
