"""Which libraries a program gets from elsewhere than it did: the copies of two sides, paired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envsnap._typing import NamedTuple
from envsnap.facts import library_families
from envsnap.manifest import canonical_name
from envsnap.rules._core import need
from envsnap.rules._libraries import PACKAGED, Loaded, is_same_file
from envsnap.rules._views import few
from envsnap.sections import Unknown

_SEVERAL = frozenset({"blas", "mpi", "openmp"})
"""Families that several implementations serve, each under a name of its own."""


class Move(NamedTuple):
    """A library that comes from elsewhere than it did."""

    family: str
    stem: str
    """Its name; empty where libraries of other names serve for it."""
    wanted: str
    found: str
    same: bool | Unknown
    """Whether both files hold the same bytes."""


def moved(wanted: Sequence[Loaded], found: Sequence[Loaded]) -> Iterator[Move]:
    """The libraries of which both sides have one of that name, and not the same."""
    here: dict[tuple[str, str], list[Loaded]] = {}
    for each in found:
        here.setdefault(_key(each), []).append(each)
    for each in wanted:
        others = here.get(_key(each), [])
        if others and not any(_is_as_there(each, other) for other in others):
            same = is_same_file(each.copy, others[0].copy)
            yield Move(each.copy.family, each.stem, each.words(), others[0].words(), same)


def exchanged(
    wanted: Sequence[Loaded], found: Sequence[Loaded], missing: Iterable[str]
) -> Iterator[Move]:
    """The libraries that others of their family serve for, that are gone, or that a variable adds.

    A family of which a name is `missing`, as it was not there, is the rule's on missing libraries.
    """
    lacking = {library_families.family(name) for name in missing}
    lost = [
        each
        for each in _beyond(wanted, found)
        if each.copy.family not in lacking and not _has_other_parts(each, found)
    ]
    came = _beyond(found, wanted)
    for family in sorted({each.copy.family for each in (*lost, *came)}):
        there = [each for each in lost if each.copy.family == family]
        here = [each for each in came if each.copy.family == family]
        if there:
            yield Move(family, "", _named(there), _named(here), same=False)
        elif family in _SEVERAL and any(each.by_variable for each in here):
            theirs = _named(each for each in wanted if each.copy.family == family)
            ours = _named(each for each in found if each.copy.family == family)
            yield Move(family, "", theirs, ours, same=False)


def _key(each: Loaded) -> tuple[str, str]:
    return each.copy.family, each.stem


def _beyond(some: Iterable[Loaded], others: Iterable[Loaded]) -> list[Loaded]:
    """Those of which the others have none of that name; the driver's are the driver rules' own."""
    keys = {_key(each) for each in others}
    return [each for each in some if _key(each) not in keys and each.copy.family != "driver"]


def _has_other_parts(wanted: Loaded, found: Iterable[Loaded]) -> bool:
    """Whether the package that brought it has its family's libraries under other names here."""
    return any(
        each.copy.family == wanted.copy.family and _is_own(each) and _place(each) == _place(wanted)
        for each in found
    )


def _named(some: Iterable[Loaded]) -> str:
    return few(sorted(f"{each.stem} of {each.words()}" for each in some)) or "not loaded"


def _is_as_there(wanted: Loaded, found: Loaded) -> bool:
    """Whether it is the same package's own copy, or the same bytes from the same kind of place."""
    if _place(wanted) != _place(found):
        return False
    return _is_own(found) or is_same_file(wanted.copy, found.copy) is True


def _is_own(each: Loaded) -> bool:
    """Whether a package brought it into this environment, and no variable led to it."""
    return _place(each)[1] is not None and each.is_inside and not each.by_variable


def _place(each: Loaded) -> tuple[str, str | None]:
    """Whose folder a library is in, and the package that answers for its bytes.

    The system's packages have other names on each system: there the bytes alone tell.
    """
    source = need(each.copy.source, f"{each.path}.source")
    if source not in PACKAGED:
        return source, None
    owner = need(each.copy.owner, f"{each.path}.owner")
    return source, canonical_name(owner) if owner else None
