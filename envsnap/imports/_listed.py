"""Packages as lists name them: a name, a version, and now and then where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envsnap.imports._core import NOT_TOLD
from envsnap.manifest import canonical_name
from envsnap.sections import (
    CondaRecord,
    Fact,
    Origin,
    Package,
    Packages,
    Reason,
    Unknown,
    fields,
    replace,
)

NO_PLACE = "{other}"
"""Where what was imported is installed: nobody says."""
A_PART = Unknown(Reason.NOT_RECORDED, "what was imported lists a part of what is installed")


def listed(name: str, version: str, **known: object) -> Package:
    """One package that a text names; what else is known of it goes by the field's name.

    >>> listed("numpy", "1.26.4").origin.kind
    'unknown'
    """
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
        is_valid = True
    except InvalidVersion:
        is_valid = False
    plain = Package(
        name=name, version=version, version_valid=is_valid, layer="other", location=NO_PLACE,
        origin=Origin(kind="unknown"), installer=NOT_TOLD, requested=NOT_TOLD, tags=NOT_TOLD,
        content=NOT_TOLD, evidence="version",
    )  # fmt: skip
    return replace(plain, **known)


def packages(
    installed: Iterable[Package],
    *,
    is_whole: bool = True,
    conda_only: Fact[tuple[CondaRecord, ...]] = NOT_TOLD,
) -> Packages:
    """The section of what a text names; `is_whole` where it names all that is installed.

    A package that the text names in two versions is left out, and said to be in doubt.
    """
    found: dict[str, Package] = {}
    doubts: list[str] = []
    for each in installed:
        _add(found, doubts, each)
    return _section(found, doubts, False if is_whole else A_PART, conda_only)


def joined_packages(one: Packages, other: Packages) -> Packages:
    """What two texts name, as one section: each package with what either knows of it."""
    if isinstance(one.installed, Unknown) or isinstance(other.installed, Unknown):
        first, second = (other, one) if isinstance(one.installed, Unknown) else (one, other)
        return replace(first, conda_only=_records(first.conda_only, second.conda_only))
    found = {canonical_name(each.name): each for each in one.installed}
    doubts: list[str] = []
    for each in other.installed:
        _add(found, doubts, each)
    ends = (one.unlisted, other.unlisted)
    kept = next((each for each in ends if _is_doubt(each)), None)
    unlisted = kept or (ends[0] if False not in ends else False)
    records = _records(one.conda_only, other.conda_only)
    return _section(found, doubts, unlisted, records)


def _section(
    found: Mapping[str, Package],
    doubts: list[str],
    unlisted: Fact[bool],
    conda_only: Fact[tuple[CondaRecord, ...]],
) -> Packages:
    if doubts:
        earlier = (
            [str(unlisted.detail)] if isinstance(unlisted, Unknown) and _is_doubt(unlisted) else []
        )
        unlisted = Unknown(Reason.WITNESSES_DISAGREE, "; ".join([*earlier, *doubts]))
    return Packages(
        installed=tuple(found[name] for name in sorted(found)),
        conda_only=conda_only,
        broken=NOT_TOLD,
        unlisted=unlisted,
    )


def _is_doubt(unlisted: Fact[bool]) -> bool:
    return isinstance(unlisted, Unknown) and unlisted.reason is Reason.WITNESSES_DISAGREE


def _add(found: dict[str, Package], doubts: list[str], each: Package) -> None:
    """Put a package to the others, or take out the one that it contradicts."""
    name = canonical_name(each.name)
    before = found.get(name)
    if before is None:
        found[name] = each
    elif _same_version(before.version, each.version):
        found[name] = _one_of(before, each)
    else:
        del found[name]
        doubts.append(f"{name} {before.version} and {each.version}")


def _same_version(one: str, other: str) -> bool:
    """Whether two versions are one, of which somebody may have left out the local part."""
    return one == other or one.partition("+")[0] == other or other.partition("+")[0] == one


def _one_of(one: Package, other: Package) -> Package:
    """One package with what either text knows of it."""
    first, second = (one, other) if len(one.version) >= len(other.version) else (other, one)
    changes: dict[str, object] = {}
    for field in fields(Package):
        ours, theirs = vars(first)[field.name], vars(second)[field.name]
        is_open = isinstance(ours, Unknown) or ours is None or ours == Origin(kind="unknown")
        if is_open and not isinstance(theirs, Unknown):
            changes[field.name] = theirs
    if "origin" in changes or "conda" in changes:
        changes["evidence"] = second.evidence
    return replace(first, **changes)


def _records(
    one: Fact[tuple[CondaRecord, ...]], other: Fact[tuple[CondaRecord, ...]]
) -> Fact[tuple[CondaRecord, ...]]:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return other if isinstance(one, Unknown) else one
    found = {each.name: each for each in (*other, *one)}
    return tuple(found[name] for name in sorted(found))
