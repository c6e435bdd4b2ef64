"""The head of a comparison: when a manifest was captured, and its machine in one line."""

from __future__ import annotations

import time

from envsnap.manifest import Manifest
from envsnap.reports._words import known
from envsnap.sections import Cpu, Gpu, Os, Unknown


def when(manifest: Manifest) -> str:
    """The day of capture: '20 Nov 2026'; the text as it stands where it is no time."""
    text = manifest.captured.time
    try:
        day = time.strptime(text[:10], "%Y-%m-%d")
    except ValueError:
        return text
    return f"{day.tm_mday} {_MONTHS[day.tm_mon - 1]} {day.tm_year}"


def machine_words(manifest: Manifest) -> str:
    """'Debian 12, Tesla T4, driver 535.183.01'; the processor where there is no GPU."""
    system, gpu = manifest.section(Os), manifest.section(Gpu)
    parts = []
    if not isinstance(system, Unknown):
        version = known(system.distribution_version)
        name = known(system.distribution) or known(system.system)
        name = "macOS" if name == "macos" else name.capitalize()
        parts.append(f"{name} {version}".strip())
    parts += _gpu_parts(gpu) or [_cpu(manifest)]
    return ", ".join(filter(None, parts))


def _gpu_parts(gpu: Gpu | Unknown) -> list[str]:
    if isinstance(gpu, Unknown) or isinstance(gpu.devices, Unknown) or not gpu.devices:
        return []
    names = [known(each.name, "a GPU").removeprefix("NVIDIA ") for each in gpu.devices]
    kinds = dict.fromkeys(names)
    parts = [f"{names.count(kind)} x {kind}" if names.count(kind) > 1 else kind for kind in kinds]
    driver = None if isinstance(gpu.driver, Unknown) else gpu.driver
    version = known(driver.version) if driver else ""
    return [*parts, f"driver {version}" if version else ""]


def _cpu(manifest: Manifest) -> str:
    cpu = manifest.section(Cpu)
    return "" if isinstance(cpu, Unknown) else known(cpu.microarchitecture)


_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
