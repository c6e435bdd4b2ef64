"""From the known facts of a profile's file to a manifest in which the rest is unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap import __version__
from envsnap.errors import UsageError
from envsnap.facts import Looked, cuda_driver
from envsnap.manifest import Manifest, decode
from envsnap.profiles._unknown import NO_ENVIRONMENT, VARIES
from envsnap.sections import (
    SECTIONS,
    Device,
    Driver,
    Engine,
    Fact,
    Gpu,
    MigSlice,
    PciDevice,
    Reason,
    Rocm,
    Unknown,
    fields,
    replace,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap._typing import Any

MACHINE = frozenset({
    "os", "cpu", "memory", "gpu", "fabric", "tools", "engines", "container", "scheduler", "moment",
})  # fmt: skip
"""The sections that are about a machine; the others are about an environment on it."""

_PARTS: Mapping[str, type] = {
    "devices": Device, "slices": MigSlice, "pci": PciDevice, "driver": Driver, "rocm": Rocm,
    "found": Engine,
}  # fmt: skip
"""The fields whose values have facts of their own."""
_DRIVER = re.compile(r"\d{3}(?:\.\d{1,3}){1,2}", re.ASCII)
_BRANCH = re.compile(r"\d{3}", re.ASCII)


def whole(document: Mapping[str, Any]) -> Manifest:
    """The manifest of a profile's file."""
    known = document["machine"]
    machine = decode({
        "schema": "1.0",
        "captured": {"time": f"{document['date']}T00:00:00Z", "version": __version__},
        "sections": {name: _section(name, known) for name in SECTIONS},
    })  # fmt: skip
    gpu = machine.section(Gpu)
    if not isinstance(gpu, Unknown) and isinstance(gpu.driver, Driver):
        machine = _driven_by(machine, gpu, str(gpu.driver.version))
    return replace(machine, edited=False)


def driver_version(asked: str) -> str:
    """The version that is asked for: of a branch, as '535', the oldest that CUDA came with."""
    found = cuda_driver.oldest_of_branch(int(asked)) if _BRANCH.fullmatch(asked) else None
    return found.value if isinstance(found, Looked) else asked


def with_driver(machine: Manifest, name: str, version: str) -> Manifest:
    """The same machine with another NVIDIA driver.

    Raises:
        UsageError: It has no NVIDIA GPU, or that is no version of a driver.
    """
    gpu = machine.section(Gpu)
    if isinstance(gpu, Unknown) or gpu.kind != "nvidia":
        raise UsageError(
            f"The profile {name!r} has no NVIDIA driver", hint=f"Give it alone: --against {name}"
        )
    version = driver_version(version)
    if not _DRIVER.fullmatch(version):
        raise UsageError(
            f"No driver version {version!r} in {f'{name}@{version}'!r}",
            hint=f"Write it as nvidia-smi does: --against {name}@550.54.15",
        )
    return _driven_by(machine, gpu, version)


def _driven_by(machine: Manifest, gpu: Gpu, version: str) -> Manifest:
    """The machine with that driver, and the CUDA that the tables say it serves."""
    served = cuda_driver.highest_cuda(version)
    cuda: Fact[str] = (
        served.value if isinstance(served, Looked) else Unknown(Reason.NOT_SUPPORTED, str(served))
    )
    flavour = gpu.driver.flavour if isinstance(gpu.driver, Driver) else VARIES
    driver = Driver(
        version=version, kernel_module=version, library=version, flavour=flavour, cuda=cuda,
        gsp_firmware=VARIES, compat=None, cuda_in_effect=cuda,
    )  # fmt: skip
    return replace(machine, sections={**machine.sections, "gpu": replace(gpu, driver=driver)})


def _section(name: str, known: Mapping[str, Any]) -> object:
    if name not in MACHINE:
        return _unknown(NO_ENVIRONMENT)
    return _filled(SECTIONS[name], known[name]) if name in known else _unknown(VARIES)


def _filled(of: type, known: Mapping[str, Any]) -> dict[str, object]:
    """A shape's facts, those that are not known as unknown, at any depth."""
    tree: dict[str, object] = {
        each.name: _unknown(VARIES) for each in fields(of) if each.is_required
    }
    for name, value in known.items():
        part = _PARTS.get(name)
        if part is not None and isinstance(value, list):
            tree[name] = [_filled(part, each) for each in value]
        elif part is not None and isinstance(value, dict):
            tree[name] = _filled(part, value)
        else:
            tree[name] = value
    return tree


def _unknown(why: Unknown) -> dict[str, object]:
    return {"unknown": str(why.reason), "detail": why.detail}
