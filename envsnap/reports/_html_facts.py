"""Two manifests side by side: every fact with both values, what it means, and who minds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from envsnap._typing import Literal, NamedTuple
from envsnap.manifest import Manifest
from envsnap.reports._shown import bounded
from envsnap.reports.differences import ABSENT, Difference, Grades, fact_words, named
from envsnap.rules import Finding
from envsnap.sections import SECTIONS, Field, Unknown, fields, is_shape

State = Literal["same", "differs", "unknown"]

_NOT_COMPARED = ("moment",)
_INSTALLED = "packages.installed"
_LONGEST = 600
"""What is longer than this many characters is cut in its middle."""
_FEW = 8
"""Of a list with more members than this, those that are equal take a row each, not one a fact."""
_PLAIN = Field("", str, "", None, (), None)


class FactRow(NamedTuple):
    """One fact on both sides."""

    path: str
    """Its place below its section."""
    meaning: str
    """What it means; empty for a member of a list, which its list explains."""
    wanted: str
    found: str
    state: State
    grade: Finding | None = None
    """The worst finding about it; None where no rule minds it."""

    @property
    def is_same(self) -> bool:
        """Whether both sides say the same: that is also what neither knows."""
        return self.state != "differs" and self.wanted == self.found

    @property
    def is_one_sided(self) -> bool:
        """Whether one side knows it, or each lacks it for a reason of its own."""
        return self.state == "unknown" and self.wanted != self.found


class FactTable(NamedTuple):
    """The facts of one section."""

    name: str
    meaning: str
    differing: tuple[FactRow, ...]
    one_sided: tuple[FactRow, ...]
    """What one side alone knows."""
    same: tuple[FactRow, ...]
    """What is the same on both sides, or known on neither."""

    @property
    def size(self) -> int:
        """How many facts it holds."""
        return len(self.differing) + len(self.one_sided) + len(self.same)

    @property
    def not_known(self) -> int:
        """How many of those that are the same nobody knows."""
        return sum(each.state == "unknown" for each in self.same)


def fact_tables(
    wanted: Manifest, found: Manifest, findings: tuple[Finding, ...]
) -> Iterator[FactTable]:
    """The sections in the order of the manifest. The moment is never compared."""
    about = Grades(each for each in findings if not each.code.startswith("PKG"))
    for name, shape in SECTIONS.items():
        if name in _NOT_COMPARED:
            continue
        sides = wanted.sections.get(name, ABSENT), found.sections.get(name, ABSENT)
        rows = [_graded(each, name, about) for each in _facts(name, _PLAIN, *sides)]
        meaning = (shape.__doc__ or "").strip().partition("\n")[0]
        yield FactTable(
            name,
            meaning,
            differing=tuple(each for each in rows if each.state == "differs"),
            one_sided=tuple(each for each in rows if each.is_one_sided),
            same=tuple(each for each in rows if each.is_same),
        )


def shortened(text: str) -> str:
    """Text without control characters, cut in its middle where it is very long."""
    return bounded(text, _LONGEST)


def _graded(row: FactRow, section: str, grades: Grades) -> FactRow:
    """The row with its grade, under the place that people read."""
    if row.state == "differs":
        row = row._replace(grade=grades.of(Difference(row.path, "", "", None)))
    path = row.path.removeprefix(f"{section}.").replace(".[", "[")
    return row._replace(path=shortened(path))


def _facts(path: str, field: Field, wanted: object, found: object) -> Iterator[FactRow]:
    if path == _INSTALLED:
        return  # the packages have a table of their own
    if isinstance(wanted, Unknown) is not isinstance(found, Unknown):
        yield from _alone(path, field, wanted, found)
    elif is_shape(wanted) and type(wanted) is type(found):
        for each in fields(wanted):
            theirs, ours = getattr(wanted, each.name), getattr(found, each.name)
            yield from _facts(f"{path}.{each.name}", each, theirs, ours)
    elif _is_mapping(wanted) and _is_mapping(found):
        yield from _members(path, dict(wanted), dict(found))  # type: ignore[call-overload]
    elif isinstance(wanted, tuple) and isinstance(found, tuple):
        if any(map(is_shape, (*wanted, *found))):
            yield from _members(path, named(wanted), named(found))
        else:
            yield _row(path, field, *_told_apart(wanted, found), same=wanted == found)
    else:
        yield _row(path, field, wanted, found, same=wanted == found)


def _alone(path: str, field: Field, wanted: object, found: object) -> Iterator[FactRow]:
    """What one side knows where the other does not: fact by fact, a member of a list in a row."""
    known = found if isinstance(wanted, Unknown) else wanted
    if is_shape(known):
        for each in fields(known):
            sides = (_inner(side, each.name) for side in (wanted, found))
            yield from _facts(f"{path}.{each.name}", each, *sides)
    elif isinstance(known, tuple) and any(map(is_shape, known)):
        for name, member in named(known).items():
            told = _summed(member)
            sides = (told if side is known else side for side in (wanted, found))
            yield _row(f"{path}.{name}", _PLAIN, *sides, same=False)
    else:
        yield _row(path, field, wanted, found, same=False)


def _inner(side: object, name: str) -> object:
    return side if isinstance(side, Unknown) else getattr(side, name)


def _row(path: str, field: Field, wanted: object, found: object, *, same: bool) -> FactRow:
    is_unknown = isinstance(wanted, Unknown) or isinstance(found, Unknown)
    state: State = "unknown" if is_unknown else "same" if same else "differs"
    theirs, ours = _said(wanted, field), _said(found, field)
    return FactRow(path, field.meaning, theirs, ours, state)


def _members(
    path: str, wanted: Mapping[str, object], found: Mapping[str, object]
) -> Iterator[FactRow]:
    """Members with the same name, one by one; the others as there or not there."""
    names = dict.fromkeys((*wanted, *found))
    for name in names:
        theirs, ours = wanted.get(name, ABSENT), found.get(name, ABSENT)
        place = f"{path}.{name}"
        if theirs == ours and is_shape(theirs) and len(names) > _FEW:
            yield _row(place, _PLAIN, _summed(theirs), _summed(ours), same=True)
        else:
            yield from _facts(place, _PLAIN, theirs, ours)


def _summed(value: object) -> str:
    """The facts of a member in one line."""
    told = ((each.name, getattr(value, each.name)) for each in fields(value))
    return ", ".join(f"{name} {fact_words(fact)}" for name, fact in told)


def _told_apart(wanted: tuple[object, ...], found: tuple[object, ...]) -> tuple[object, object]:
    """Two lists of words: what each has alone, and how many both have."""
    both = set(wanted) & set(found)
    if wanted == found or not both:
        return wanted, found
    alone = [tuple(each for each in side if each not in both) for side in (wanted, found)]
    if not any(alone):
        return wanted, found  # the same words in another order
    shared = f"{len(both)} that both have"
    theirs, ours = (f"{fact_words(side)}, and {shared}" if side else shared for side in alone)
    return theirs, ours


def _said(value: object, field: Field) -> str:
    """A value as people read it, with its unit."""
    if isinstance(value, Unknown):
        return shortened(f"not known: {value}")
    if is_shape(value):
        told = (getattr(value, name, None) for name in ("name", "version"))
        known = [each for each in told if isinstance(each, str)]
        return shortened(" ".join(known) or _summed(value))
    words = fact_words(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return shortened(f"{words} {field.unit}" if field.unit and is_number else words)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)
