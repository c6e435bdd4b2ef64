"""Two manifests, fact by fact: what differs, and how rules grade it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

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

PACKAGE_RULES = ("PKG002", "PKG003", "PKG004", "PKG006")
"""The rules about one package, which is their finding's subject."""
IDENTITY = ("content", "outside", "tags", "build", "origin", "layer", "conda")
"""What tells two packages of one version apart."""
_LEFT_OUT = ("moment",)
_BY_NAME = ("name", "family", "path", "kind", "location", "distribution")


class Difference(NamedTuple):
    """One fact that is not the same on two sides."""

    path: str
    wanted: str
    found: str
    grade: Finding | None
    """The worst finding of the rules for this fact; None where no rule minds it."""
    is_unknown: bool = False
    """Whether neither side knows the fact, and only why not differs."""


def differences(wanted: Manifest, found: Manifest) -> list[Difference]:
    """Every fact that differs, in the order of the manifest. The moment is left out."""
    grades = Grades(compare(wanted, found).findings)
    return [
        each._replace(grade=grades.of(each))
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
        yield from _members(path, named(wanted), named(found))
    elif _is_mapping(wanted) and _is_mapping(found):
        yield from _members(path, dict(wanted), dict(found))  # type: ignore[call-overload]
    else:
        is_unknown = isinstance(wanted, Unknown) and isinstance(found, Unknown)
        yield Difference(path, fact_words(wanted), fact_words(found), None, is_unknown)


def _package(path: str, wanted: Package, found: Package) -> Iterator[Difference]:
    """What tells a package from another; with another version the rest goes without saying."""
    for name in ("version",) if wanted.version != found.version else IDENTITY:
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
            theirs, ours = wanted.get(name, ABSENT), found.get(name, ABSENT)
            yield Difference(place, fact_words(theirs), fact_words(ours), None)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def named(members: tuple[object, ...]) -> dict[str, object]:
    """The members of a list under the names that people know them by."""
    named: dict[str, object] = {}
    for index, each in enumerate(members):
        name = _name(each) if is_shape(each) else fact_words(each)
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


ABSENT = _Absent()


def fact_words(value: object) -> str:
    """A fact's value as people read it: no JSON, no quotes."""
    if value is ABSENT:
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
        return (f"{key}={fact_words(each)}" for key, each in value.items())
    return map(fact_words, value)


class Grades:
    """The findings of a comparison, by the fact that each is about."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._by_code: dict[str, list[Finding]] = {}
        self._by_package: dict[str, list[Finding]] = {}
        for each in findings:
            self._by_code.setdefault(each.code, []).append(each)
            if each.code in PACKAGE_RULES:
                self._by_package.setdefault(each.subject.partition(" ")[0], []).append(each)

    def of(self, each: Difference) -> Finding | None:
        """The worst finding about that fact; None where no rule minds it."""
        return min(self._fitting(each), key=lambda one: one.outcome.rank, default=None)

    def _fitting(self, each: Difference) -> list[Finding]:
        section = each.path.partition(".")[0]
        if section == "packages":
            return self._about_package(each)
        place = each.path.replace("[", ".[")
        codes = RULES.get(each.path) or RULES.get(_without_index(place)) or _parent(each.path)
        fitting = [one for code in codes for one in self._by_code.get(code, ())]
        if section == "environ":
            return [one for one in fitting if one.subject == each.path.rpartition(".")[2]]
        return fitting

    def _about_package(self, each: Difference) -> list[Finding]:
        """The findings about one package: all that are missing, or more, are one finding."""
        if fact_words(ABSENT) in {each.wanted, each.found}:
            code = "PKG005" if each.wanted == fact_words(ABSENT) else "PKG001"
            return self._by_code.get(code, [])
        name = each.path.split(".")[2:3]
        return self._by_package.get(name[0], []) if name else []


def _without_index(path: str) -> str:
    return ".".join(part for part in path.split(".") if not part.startswith("[") and part)


def _parent(path: str) -> tuple[str, ...]:
    """The rules of the list that a fact is in."""
    if path.partition(".")[0] in DEEP:  # its members are named by paths, which hold dots
        return next((codes for name, codes in RULES.items() if path.startswith(f"{name}.")), ())
    return RULES.get(_without_index(path.replace("[", ".[")).rpartition(".")[0], ())
