"""Which rules compare which fact: what an author allows to differ covers their findings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from envsnap.constraints._names import SHORT

_KIND = ("GPU003", "GPU004", "GPU007", "GPU013", "GPU018")

TOPICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("CPU",),
        "cpu.architecture": ("SYS002", "SYS003"),
        "cpu.features": ("CPU001", "CPU002", "CPU006"),
        "cpu.level": ("CPU001", "CPU002", "CPU006"),
        "cpu.microarchitecture": ("CPU001", "CPU006"),
        "cpu.model": ("CPU001", "CPU006"),
        "cpu.threads": ("CPU003",),
        "cuda": ("CUD",),
        "driver": ("DRV",),
        "environ": ("ENV",),
        "fabric": ("FAB",),
        "glibc": ("SYS005",),
        "gpu": ("GPU",),
        "gpu.architecture": _KIND,
        "gpu.compute_capability": _KIND,
        "gpu.count": ("GPU006", "GPU015"),
        "gpu.memory": ("GPU005",),
        "gpu.memory_mib": ("GPU005",),
        "gpu.multiprocessors": ("GPU004",),
        "gpu.name": _KIND,
        "kernel": ("SYS007",),
        "libraries": ("LIB",),
        "math": ("CPU005", "CPU006", "CPU007"),
        "memory": ("CPU004",),
        "python": ("PYT",),
        "system": ("SYS",),
        "system.distribution": ("SYS006",),
    }
)
"""The rules of each fact, as codes or families of codes."""

_PATHS = {
    **{path: name for name, path in SHORT.items() if name in TOPICS},
    "os.distribution": "system.distribution",
    "os.distribution_version": "system.distribution",
}
_VARIABLE = "environ.variables."


def codes(name: str) -> tuple[str, ...]:
    """The codes or families of the rules that compare a fact; none where no rule does."""
    if name in TOPICS:
        return TOPICS[name]
    if name.startswith(_VARIABLE):
        return TOPICS["environ"]
    return TOPICS.get(_PATHS.get(name, ""), ())


def variable(name: str) -> str | None:
    """The variable that a fact is; None where it is none."""
    return name.removeprefix(_VARIABLE) if name.startswith(_VARIABLE) else None
