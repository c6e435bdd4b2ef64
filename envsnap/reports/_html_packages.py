"""The packages of two manifests side by side, those that differ first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest
from envsnap.reports._html_facts import shortened
from envsnap.reports.differences import IDENTITY, PACKAGE_RULES, fact_words, named
from envsnap.rules import Finding
from envsnap.sections import Fact, Package, Packages, Unknown, fields, is_shape

_NOT_THERE = "not there"
_DIGEST = 12
_HEX = frozenset("0123456789abcdef")
_MILDEST = 9


class PackageRow(NamedTuple):
    """One package on both sides."""

    name: str
    wanted: str
    found: str
    grade: Finding | None = None
    """The worst finding about it; None where no rule minds it."""


class PackageTable(NamedTuple):
    """The packages of both sides."""

    differing: tuple[PackageRow, ...]
    """The worst first."""
    same: tuple[PackageRow, ...]
    one_side: str = ""
    """Why there is nothing to compare with; empty where both sides show their packages."""


def package_table(wanted: Manifest, found: Manifest, findings: tuple[Finding, ...]) -> PackageTable:
    """What is installed on both sides; where one of them shows nothing, why."""
    theirs, ours = _installed(wanted), _installed(found)
    if isinstance(theirs, Unknown) or isinstance(ours, Unknown):
        return _of_one_side(theirs, ours)
    names, other = named(theirs), named(ours)
    grades = _grades(findings)
    differing, same = [], []
    for name in dict.fromkeys((*names, *other)):
        row, is_same = _row(name, names.get(name), other.get(name))
        if is_same:
            same.append(row)
        else:
            differing.append(row._replace(grade=_grade(name, names, other, grades)))
    return PackageTable(
        tuple(sorted(differing, key=_worst_first)), tuple(sorted(same, key=lambda each: each.name))
    )


def _installed(manifest: Manifest) -> Fact[tuple[Package, ...]]:
    packages = manifest.section(Packages)
    return packages if isinstance(packages, Unknown) else packages.installed


def _of_one_side(
    wanted: Fact[tuple[Package, ...]], found: Fact[tuple[Package, ...]]
) -> PackageTable:
    if isinstance(wanted, Unknown):
        why = f"The wanted side does not tell its packages ({wanted})"
        return PackageTable((), (), shortened(why))
    rows = tuple(
        PackageRow(shortened(name), _version(each), "not known")
        for name, each in named(wanted).items()
    )
    return PackageTable((), rows, shortened(f"The found side does not tell its packages ({found})"))


def _row(name: str, wanted: object, found: object) -> tuple[PackageRow, bool]:
    """The package's row, and whether it is the same on both sides."""
    if wanted is None or found is None:
        return PackageRow(shortened(name), _version(wanted), _version(found)), False
    version = _version(wanted), _version(found)
    if version[0] != version[1]:
        return PackageRow(shortened(name), *version), False
    apart = [
        told
        for each in IDENTITY
        for told in _apart(each, getattr(wanted, each), getattr(found, each))
    ]
    sides = (", ".join((version[0], *told)) for told in zip(*apart, strict=True))
    theirs, ours = sides if apart else version
    return PackageRow(shortened(name), shortened(theirs), shortened(ours)), not apart


def _version(package: object) -> str:
    return shortened(package.version) if isinstance(package, Package) else _NOT_THERE


def _apart(name: str, wanted: object, found: object) -> Iterator[tuple[str, str]]:
    """What tells one side's package from the other's, fact by fact."""
    if wanted == found:
        return
    if is_shape(wanted) and type(wanted) is type(found):
        for each in fields(wanted):
            place = f"{name} {each.name}"
            yield from _apart(place, getattr(wanted, each.name), getattr(found, each.name))
    else:
        yield f"{name} {_identity(wanted)}", f"{name} {_identity(found)}"


def _identity(value: object) -> str:
    words = fact_words(value)
    is_digest = len(words) > _DIGEST and not set(words) - _HEX
    return words[:_DIGEST] if is_digest else words


def _grades(findings: tuple[Finding, ...]) -> Mapping[tuple[str, str], Finding]:
    """The worst finding about each package; the names of rules stand for all that are missing."""
    found: dict[tuple[str, str], Finding] = {}
    for each in sorted(findings, key=lambda one: one.outcome.rank, reverse=True):
        if each.code in PACKAGE_RULES:
            found["", each.subject.partition(" ")[0]] = each
        else:
            found[each.code, ""] = each
    return found


def _grade(
    name: str,
    wanted: Mapping[str, object],
    found: Mapping[str, object],
    grades: Mapping[tuple[str, str], Finding],
) -> Finding | None:
    if name not in found:
        return grades.get(("PKG001", ""))
    if name not in wanted:
        return grades.get(("PKG005", ""))
    return grades.get(("", name))


def _worst_first(row: PackageRow) -> tuple[int, str]:
    return (row.grade.outcome.rank if row.grade else _MILDEST, row.name)
