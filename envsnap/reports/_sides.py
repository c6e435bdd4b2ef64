"""The head of a comparison: when a manifest was captured, and its machine in one line."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest
from envsnap.reports._words import known
from envsnap.rules._accepted import is_day
from envsnap.sections import Cpu, Gpu, Os, Python, Unknown


class Sides(NamedTuple):
    """The two manifests, and what they are called."""

    wanted: Manifest
    wanted_name: str
    found: Manifest
    found_name: str


def when(manifest: Manifest) -> str:
    """'20 Nov 2026', or 'imported 20 Nov 2026': nobody knows when that was recorded."""
    return f"imported {day_of(manifest)}" if manifest.captured.imported else day_of(manifest)


def day_of(manifest: Manifest) -> str:
    """The day of capture or import: '20 Nov 2026'; the text as it stands where it is no time."""
    text = manifest.captured.time
    if not is_day(text[:10]):
        return text
    year, month, day = map(int, text[:10].split("-"))
    return f"{day} {_MONTHS[month - 1]} {year}"


def machine_words(manifest: Manifest) -> str:
    """'Debian 12, Tesla T4, driver 535.183.01'; the processor where there is no GPU."""
    system, gpu = manifest.section(Os), manifest.section(Gpu)
    parts = []
    if not isinstance(system, Unknown):
        version = known(system.distribution_version)
        name = known(system.distribution) or known(system.system)
        name = _AS_WRITTEN.get(name, name.capitalize())
        parts.append(f"{name} {version}".strip())
    parts += _gpu_parts(gpu) or [_cpu(manifest)]
    return ", ".join(filter(None, parts))


def environment_called(manifest: Manifest) -> str:
    """'conda environment "diffusion"'; nothing where it has no name."""
    python = manifest.section(Python)
    if isinstance(python, Unknown) or not isinstance(python.environment_name, str):
        return ""
    kind = "conda environment" if python.environment_kind == "conda" else "environment"
    name = python.environment_name
    return f'{kind} "{name}"' if python.environment_kind in {"venv", "virtualenv", "conda"} else ""


def python_called(manifest: Manifest) -> str:
    """'Python 3.11.7 of pyenv': an interpreter without an environment; nothing where none is."""
    python = manifest.section(Python)
    if isinstance(python, Unknown):
        return ""
    origin = known(python.origin)
    of = {"distribution": " of the system", "": "", "other": ""}.get(origin, f" of {origin}")
    return f"Python {python.version}{of}"


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


_AS_WRITTEN = {
    "almalinux": "AlmaLinux", "amzn": "Amazon Linux", "macos": "macOS", "ol": "Oracle Linux",
    "opensuse-leap": "openSUSE Leap", "rhel": "RHEL", "sles": "SLES",
}  # fmt: skip
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
