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
from envsnap.sections.captured import Captured
from envsnap.sections.deep import (
    Adapter,
    CodeFile,
    Consumer,
    Exempt,
    Fabric,
    GpuCode,
    GpuPeak,
    Libraries,
    LibraryCopy,
    Load,
    Math,
    MathLibrary,
    Run,
    SystemLibraries,
    SystemLibrary,
)
from envsnap.sections.gpu import (
    Cuda,
    CudaLibrary,
    Device,
    Driver,
    ForwardCompatibility,
    Gpu,
    GpuLink,
    MigSlice,
    PciDevice,
    Rocm,
)
from envsnap.sections.lock import MADE_HERE, Artifact, CondaArtifact, Lock, Unlocked
from envsnap.sections.machine import Cpu, Memory, Os
from envsnap.sections.packages import (
    NO_OUTSIDE,
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
        "libraries": Libraries,
        "gpu_code": GpuCode,
        "system_libraries": SystemLibraries,
        "math": Math,
        "fabric": Fabric,
        "tools": Tools,
        "engines": Engines,
        "container": Container,
        "environ": Environ,
        "project": Project,
        "scheduler": Scheduler,
        "run": Run,
        "moment": Moment,
    }
)
"""Every section by its name in the manifest, in the order of the summary."""

DEEP = frozenset({"libraries", "gpu_code", "system_libraries", "math"})
"""The sections that `capture --deep` alone fills; without it they are `needs-deep`."""

OF_A_RUN = "run"
"""The section that no probe fills, only `envsnap run`."""

__all__ = [
    "DEEP",
    "MADE_HERE",
    "NOT_VERIFIED",
    "NO_OUTSIDE",
    "OF_A_RUN",
    "SECTIONS",
    "Adapter",
    "Artifact",
    "Broken",
    "Captured",
    "Changes",
    "CodeFile",
    "CondaArtifact",
    "CondaRecord",
    "Consumer",
    "Container",
    "Cpu",
    "Cuda",
    "CudaLibrary",
    "Device",
    "Driver",
    "Engine",
    "Engines",
    "Environ",
    "Exempt",
    "Fabric",
    "Fact",
    "Field",
    "ForwardCompatibility",
    "Git",
    "Gpu",
    "GpuCode",
    "GpuLink",
    "GpuPeak",
    "Libraries",
    "LibraryCopy",
    "Load",
    "Lock",
    "Math",
    "MathLibrary",
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
    "Rocm",
    "Run",
    "Scheduler",
    "SystemLibraries",
    "SystemLibrary",
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
