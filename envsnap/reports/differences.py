"""Two manifests, fact by fact: what differs, and how rules grade it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest, canonical_name
from envsnap.manifest._encode import plain
from envsnap.rules import Finding, compare
from envsnap.sections import (
    DEEP,
    SECTIONS,
    CodeFile,
    LibraryCopy,
    MathLibrary,
    Package,
    PciDevice,
    Unknown,
    fields,
    is_shape,
)

RULES: Mapping[str, tuple[str, ...]] = {
    "python.implementation": ("PYT001",),
    "python.version": ("PYT002", "PYT003"),
    "python.free_threaded": ("PYT004",),
    "python.debug": ("PYT004",),
    "python.origin": ("PYT005",),
    "os.system": ("SYS001",),
    "os.architecture": ("SYS002",),
    "os.libc": ("SYS005",),
    "os.libc_version": ("SYS005",),
    "os.distribution": ("SYS006",),
    "os.distribution_version": ("SYS006",),
    "os.kernel": ("SYS007",),
    "cpu.microarchitecture": ("CPU001",),
    "cpu.generic_level": ("CPU002",),
    "cpu.threads": ("CPU003",),
    "memory.total_mib": ("CPU004",),
    "gpu.driver.version": ("DRV001", "DRV006"),
    "gpu.driver.flavour": ("DRV007",),
    "gpu.driver.compat": ("DRV008", "DRV009"),
    "gpu.driver.cuda_in_effect": ("DRV002", "GPU009"),
    "gpu.devices": ("GPU001", "GPU006", "GPU008"),
    "gpu.devices.name": ("GPU008",),
    "gpu.devices.compute_capability": ("GPU002", "GPU003", "GPU007"),
    "gpu.devices.multiprocessors": ("GPU004",),
    "gpu.devices.memory_mib": ("GPU005", "RUN001"),
    **{
        f"gpu.devices.{name}": ("GPU014",)
        for name in (
            "ecc",
            "power_limit_w",
            "max_sm_clock_mhz",
            "max_memory_clock_mhz",
            "application_sm_clock_mhz",
            "persistence",
            "pcie_generation",
            "pcie_width",
            "compute_mode",
            "virtualization",
            "vbios",
        )
    },
    "gpu.topology": ("GPU015",),
    "cuda.libraries": ("CUD001",),
    "libraries.copies": ("LIB001", "LIB003"),
    "gpu_code.files": ("GPU009",),
    "libraries.consumers": ("LIB001", "LIB002"),
    "system_libraries.needed": ("SYS008",),
    "math.libraries": ("CPU005", "CPU006", "CPU007"),
    "math.numpy_dispatch": ("CPU006",),
    **{
        f"fabric.{name}": ("FAB001",)
        for name in ("adapters", "gpudirect", "libfabric", "mpi", "ucx")
    },
    "environ.variables": ("ENV001",),
}
"""The rules that grade a fact; packages are graded by their own names."""

_PACKAGE = ("PKG002", "PKG003", "PKG004", "PKG006")
_IDENTITY = ("content", "tags", "build", "origin", "layer", "conda")
_LEFT_OUT = ("moment",)
_BY_NAME = ("name", "family", "path", "kind", "location", "distribution")


class Difference(NamedTuple):
    """One fact that is not the same on two sides."""

    path: str
    wanted: str
    found: str
    grade: Finding | None
    """The worst finding of the rules for this fact; None where no rule minds it."""


def differences(wanted: Manifest, found: Manifest) -> list[Difference]:
    """Every fact that differs, in the order of the manifest. The moment is left out."""
    findings = compare(wanted, found).findings
    return [
        each._replace(grade=_grade(each, findings))
        for name in SECTIONS
        if name not in _LEFT_OUT
        for each in _facts(name, wanted.sections.get(name), found.sections.get(name))
    ]


def _facts(path: str, wanted: object, found: object) -> Iterator[Difference]:
    if plain(wanted) == plain(found):
        return
    if isinstance(wanted, Package) and isinstance(found, Package):
        yield from _package(path, wanted, found)
    elif is_shape(wanted) and type(wanted) is type(found):
        for field in fields(wanted):
            theirs, ours = getattr(wanted, field.name), getattr(found, field.name)
            yield from _facts(f"{path}.{field.name}", theirs, ours)
    elif isinstance(wanted, tuple) and isinstance(found, tuple):
        yield from _members(path, _named(wanted), _named(found))
    elif _is_mapping(wanted) and _is_mapping(found):
        yield from _members(path, dict(wanted), dict(found))  # type: ignore[call-overload]
    else:
        yield Difference(path, _words(wanted), _words(found), None)


def _package(path: str, wanted: Package, found: Package) -> Iterator[Difference]:
    """What tells a package from another; with another version the rest goes without saying."""
    for name in ("version",) if wanted.version != found.version else _IDENTITY:
        yield from _facts(f"{path}.{name}", getattr(wanted, name), getattr(found, name))


def _members(
    path: str, wanted: Mapping[str, object], found: Mapping[str, object]
) -> Iterator[Difference]:
    """Members with the same name, one by one; the others as there or not there."""
    for name in dict.fromkeys((*wanted, *found)):
        place = f"{path}.{name}"
        if name in wanted and name in found:
            yield from _facts(place, wanted[name], found[name])
        else:
            theirs, ours = wanted.get(name, _ABSENT), found.get(name, _ABSENT)
            yield Difference(place, _words(theirs), _words(ours), None)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _named(members: tuple[object, ...]) -> dict[str, object]:
    """The members of a list under the names that people know them by."""
    named: dict[str, object] = {}
    for index, each in enumerate(members):
        name = _name(each) if is_shape(each) else _words(each)
        named[name if name and name not in named else f"{name}[{index}]"] = each
    return named


def _name(member: object) -> str:
    if isinstance(member, Package):
        return canonical_name(member.name) + ("" if member.active else "[shadowed]")
    if isinstance(member, PciDevice):
        return member.bus_id
    if isinstance(member, (LibraryCopy, MathLibrary, CodeFile)):
        return member.location  # several may have one name: it is the file that differs
    names = [getattr(member, field) for field in _BY_NAME if hasattr(member, field)]
    # A device's own name is a fact to compare: it is found by its place.
    is_device = hasattr(member, "compute_capability")
    return "" if is_device or not names or isinstance(names[0], Unknown) else str(names[0])


class _Absent:
    """What stands for a member that one side does not have."""


_ABSENT = _Absent()


def _words(value: object) -> str:
    if value is _ABSENT:
        return "not there"
    if isinstance(value, Unknown):
        return f"unknown ({value.reason})"
    if is_shape(value):
        version = getattr(value, "version", None)
        return version if isinstance(version, str) else "there"
    if value is None:
        return "none"
    if isinstance(value, (tuple, Mapping)):
        return ", ".join(_each(value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _each(value: tuple[object, ...] | Mapping[str, object]) -> Iterator[str]:
    if isinstance(value, Mapping):
        return (f"{key}={_words(each)}" for key, each in value.items())
    return map(_words, value)


def _grade(each: Difference, findings: tuple[Finding, ...]) -> Finding | None:
    section = each.path.partition(".")[0]
    if section == "packages":
        fitting = [one for one in findings if _is_about(one, each)]
    else:
        place = each.path.replace("[", ".[")
        codes = RULES.get(each.path) or RULES.get(_without_index(place)) or _parent(each.path)
        fitting = [one for one in findings if one.code in codes]
        if section == "environ":
            fitting = [one for one in fitting if one.subject == each.path.rpartition(".")[2]]
    return min(fitting, key=lambda one: one.outcome.rank, default=None)


def _is_about(finding: Finding, each: Difference) -> bool:
    """Whether a finding about packages is about this one: missing ones are one finding."""
    if _words(_ABSENT) in {each.wanted, each.found}:
        return finding.code == ("PKG005" if each.wanted == _words(_ABSENT) else "PKG001")
    name = each.path.split(".")[2:3]
    return finding.code in _PACKAGE and [finding.subject.partition(" ")[0]] == name


def _without_index(path: str) -> str:
    return ".".join(part for part in path.split(".") if not part.startswith("[") and part)


def _parent(path: str) -> tuple[str, ...]:
    """The rules of the list that a fact is in."""
    if path.partition(".")[0] in DEEP:  # its members are named by paths, which hold dots
        return next((codes for name, codes in RULES.items() if path.startswith(f"{name}.")), ())
    return RULES.get(_without_index(path.replace("[", ".[")).rpartition(".")[0], ())
