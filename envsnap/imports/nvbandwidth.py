"""The head of NVIDIA's nvbandwidth: the driver, what it serves, and the cards."""

from __future__ import annotations

import re

from envsnap.imports._cards import driver_of, gpu_of, is_native, whole_card
from envsnap.imports._core import Text, Told, blank, reader
from envsnap.sections import Os

_HEAD = "nvbandwidth Version:"
_DRIVER = re.compile(r"^[ \t]*Driver Version: (\d[\d.]{2,20})[ \t]*$", re.MULTILINE)
_SERVES = re.compile(r"^[ \t]*CUDA Driver Version: (\d{4,5})[ \t]*$", re.MULTILINE)
_DEVICE = re.compile(
    r"^[ \t]*Device (\d{1,3}): (\S.{2,80}?)(?: \([0-9a-f:.]{4,20}\))?[ \t]*$", re.MULTILINE
)


@reader("nvbandwidth")
def read_report(text: Text) -> Told | None:
    """The cards and their driver. The CUDA it was built with is its own, and no environment's."""
    driver = _DRIVER.search(text.text)
    if _HEAD not in text.text or driver is None:
        return None
    serves = _SERVES.search(text.text)
    number = int(serves[1]) if serves else 0
    cuda = f"{number // 1000}.{number % 1000 // 10}" if number else None
    devices = tuple(whole_card(name) for _, name in _DEVICE.findall(text.text))
    if not is_native(driver[1]):
        return Told("nvbandwidth", {"gpu": gpu_of(devices, driver_of(driver[1], cuda))})
    gpu = gpu_of(devices, driver_of(driver[1], cuda, platform="pci"), platform="pci")
    return Told("nvbandwidth", {"gpu": gpu, "os": blank(Os, system="Linux")})
