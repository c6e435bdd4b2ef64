"""The shapes of the facts: plain frozen values, imported by probes, rules and plan alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from envsnap.sections._shape import (
    Fact,
    Field,
    Reason,
    Unknown,
    fact,
    fields,
    is_shape,
    replace,
    shape,
)
from envsnap.sections.gpu import Cuda, CudaLibrary, Device, Driver, Gpu, MigSlice, PciDevice
from envsnap.sections.lock import MADE_HERE, Artifact, CondaArtifact, Lock, Unlocked
from envsnap.sections.machine import Cpu, Memory, Os
from envsnap.sections.packages import (
    NOT_VERIFIED,
    Broken,
    Changes,
    CondaRecord,
    Origin,
    Package,
    Packages,
    exists_only_here,
    is_local,
)
from envsnap.sections.python import OtherEnvironment, PathEntry, Python
from envsnap.sections.surroundings import (
    Container,
    Engine,
    Engines,
    Environ,
    Git,
    Moment,
    Project,
    Scheduler,
    Tool,
    Tools,
)

SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "python": Python,
        "packages": Packages,
        "os": Os,
        "cpu": Cpu,
        "memory": Memory,
        "gpu": Gpu,
        "cuda": Cuda,
        "tools": Tools,
        "engines": Engines,
        "container": Container,
        "environ": Environ,
        "project": Project,
        "scheduler": Scheduler,
        "moment": Moment,
    }
)
"""Every section by its name in the manifest, in the order of the summary."""

__all__ = [
    "MADE_HERE",
    "NOT_VERIFIED",
    "SECTIONS",
    "Artifact",
    "Broken",
    "Changes",
    "CondaArtifact",
    "CondaRecord",
    "Container",
    "Cpu",
    "Cuda",
    "CudaLibrary",
    "Device",
    "Driver",
    "Engine",
    "Engines",
    "Environ",
    "Fact",
    "Field",
    "Git",
    "Gpu",
    "Lock",
    "Memory",
    "MigSlice",
    "Moment",
    "Origin",
    "Os",
    "OtherEnvironment",
    "Package",
    "Packages",
    "PathEntry",
    "PciDevice",
    "Project",
    "Python",
    "Reason",
    "Scheduler",
    "Tool",
    "Tools",
    "Unknown",
    "Unlocked",
    "exists_only_here",
    "fact",
    "fields",
    "is_local",
    "is_shape",
    "replace",
    "shape",
]
