"""REQ: what the author requires, and what an image does."""

from __future__ import annotations

from envsnap.manifest import Manifest
from envsnap.sections import Environ, Fact, replace
from tests import made
from tests.rules.book.case import Case
from tests.rules.machines import UNSEEN, device, driver, gpu, machine, packages

ASKED = "cuda>=12.4 brand=tesla,driver>=535,driver<536"
IMAGE = Environ(variables={"NVIDIA_REQUIRE_CUDA": ASKED})


def requiring(*must: object, **sections: object) -> Manifest:
    return replace(machine(**sections), requires={"must": list(must)})


def image_on(version: str, cuda: Fact[str]) -> Manifest:
    """An image, on a machine with that driver."""
    card = gpu(device("Tesla T4"), driver=driver(version, cuda=cuda))
    return machine(gpu=card, environ=IMAGE)


CASES = (
    Case(
        "REQ001", "blocks", "requires gpu.memory >= 48 GiB; here is 40960 MiB",
        (requiring("gpu.memory >= 48 GiB"), machine()),
        "of a GPU with 48 GiB to the MiB",
        (requiring("gpu.memory >= 48 GiB"), machine(gpu=gpu(device(memory_mib=49152)))),
        (requiring("gpu.memory >= 48 GiB"), machine(gpu=gpu(device(memory_mib=UNSEEN)))),
        "found gpu.devices[0].memory_mib",
    ),
    Case(
        "REQ002", "note", "requires driver in 535.*, 560.*; captured with 550.54.14",
        (requiring("driver in 535.*, 560.*"), machine()),
        "of a driver that is among them",
        (requiring("driver in 535.*, 550.*"), machine()),
        (requiring("driver in 535.*", gpu=gpu(device(), driver=driver(UNSEEN))), machine()),
        "wanted gpu.driver.version",
    ),
    Case(
        "REQ003", "blocks", "requires package numpy >= 1.26, < 2; here is 1.25.9",
        (
            requiring("package numpy >= 1.26, < 2"),
            machine(packages=packages(made.package("numpy", "1.25.9"))),
        ),
        "of the first version that will do, 1.26.0",
        (
            requiring("package numpy >= 1.26, < 2"),
            machine(packages=packages(made.package("numpy", "1.26.0"))),
        ),
        (requiring("package numpy >= 1.26, < 2"), machine(packages=UNSEEN)),
        "found packages.installed",
    ),
    Case(
        "REQ004", "blocks", "the image asks for cuda>=12.4; here is driver 525.147.05, CUDA 12.0",
        (machine(), image_on("525.147.05", "12.0")),
        "of driver 535, which the image's second alternative takes on a Tesla",
        (machine(), image_on("535.183.01", "12.2")),
        (machine(), image_on("525.147.05", UNSEEN)),
        "found gpu.driver.cuda",
    ),
)  # fmt: skip
