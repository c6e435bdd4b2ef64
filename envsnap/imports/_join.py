"""How what several texts tell becomes one set of sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from envsnap._typing import TypeVar
from envsnap.imports._listed import joined_packages
from envsnap.sections import Packages, Reason, Unknown, fields, is_shape, replace

T = TypeVar("T")

_LONGEST = 40
"""Half a line."""


def joined(told: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """What several texts tell, as one: what one does not tell, another may.

    Where two tell different things the fact is unknown, and both are named.
    """
    total: dict[str, object] = {}
    for sections in told:
        for name, section in sections.items():
            total[name] = _both(total[name], section) if name in total else section
    return total


def disagreements(value: object, path: str = "") -> Iterator[str]:
    """The facts on which what was joined does not agree, each with what was told."""
    if isinstance(value, Unknown):
        if value.reason is Reason.WITNESSES_DISAGREE:
            yield f"{path}: {value.detail}"
    elif isinstance(value, Mapping) or is_shape(value):
        parts = value if isinstance(value, Mapping) else vars(value)
        for name, each in parts.items():
            yield from disagreements(each, f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for position, each in enumerate(value):
            yield from disagreements(each, f"{path}[{position}]")


def _both(one: object, other: object) -> object:
    if one == other or _is_open(other):
        return one
    if _is_open(one):
        return other
    if isinstance(one, Unknown):  # two disagreed already, and a third settles nothing
        return one
    if isinstance(one, Packages) and isinstance(other, Packages):
        return joined_packages(one, other)
    found = _part_by_part(one, other)
    return _disagreement(one, other) if found is None else found


def _part_by_part(one: object, other: object) -> object | None:
    """Two values of one shape, or as many of them, as one; None where they do not agree."""
    if is_shape(one) and type(one) is type(other):
        theirs = vars(other)
        found = {name: _both(each, theirs[name]) for name, each in vars(one).items()}
        wrong = [
            each
            for each in fields(one)
            if not each.is_fact and isinstance(found[each.name], Unknown)
        ]
        return None if wrong else replace(one, **found)
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        pairs = [_part_by_part(a, b) if a != b else a for a, b in zip(one, other, strict=True)]
        return None if None in pairs else tuple(pairs)
    return None


def _is_open(value: object) -> bool:
    return isinstance(value, Unknown) and value.reason is not Reason.WITNESSES_DISAGREE


def _disagreement(one: object, other: object) -> Unknown:
    pair = _differing(one, other)
    return Unknown(Reason.WITNESSES_DISAGREE, f"{_short(pair[0])} and {_short(pair[1])}")


def _differing(one: object, other: object) -> tuple[object, object]:
    """What differs, in a few words: of two values of a shape, the fields that do."""
    if not is_shape(one) or type(one) is not type(other):
        return one, other
    theirs = vars(other)
    names = [
        name
        for name, each in vars(one).items()
        if each != theirs[name] and not _is_open(each) and not _is_open(theirs[name])
    ]
    words = [", ".join(str(vars(each)[name]) for name in names) for each in (one, other)]
    return words[0], words[1]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
