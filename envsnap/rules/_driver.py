"""What the rules on the driver read in the same way."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Side, need
from envsnap.rules._cuda import computes_on_gpu
from envsnap.sections import Device, Driver, ForwardCompatibility, Gpu


def driver_of(side: Side) -> Driver | None:
    """NVIDIA's driver; None where there is no such GPU."""
    return need(side.need(Gpu).driver, side.path("gpu.driver"))


def version_of(side: Side) -> str | None:
    """The version in effect; None where there is no driver."""
    driver = driver_of(side)
    return None if driver is None else need(driver.version, side.path("gpu.driver.version"))


def compat_of(side: Side) -> ForwardCompatibility | None:
    """The cuda-compat that programs would find; None where there is none."""
    driver = driver_of(side)
    return None if driver is None else need(driver.compat, side.path("gpu.driver.compat"))


def matters(pair: Pair) -> bool:
    """Whether anything asks for the driver. A machine's own health is judged in any case."""
    return pair.is_one or computes_on_gpu(pair.wanted)


def judged_gpus(side: Side) -> Iterator[tuple[str, Device]]:
    """NVIDIA's GPUs that programs see, each with its place; all of them, where they see none.

    Of a card that was given to somebody else there is little to know, and nothing to mend.
    """
    devices = need(side.need(Gpu).devices, side.path("gpu.devices"))
    cards = [index for index, each in enumerate(devices) if each.vendor == "nvidia"]
    visible = need(side.need(Gpu).visible, side.path("gpu.visible")) if cards else ()
    for index in [each for each in cards if each in visible] or cards:
        yield side.path(f"gpu.devices[{index}]"), devices[index]
