"""What a child or an image said in JSON, each value held against its type.

Those that check a type raise TypeError for another.
"""

from __future__ import annotations

from collections.abc import Callable

from envsnap._typing import Any, TypeVar
from envsnap.sections import Fact, Reason, Unknown

T = TypeVar("T")

Json = Any  # the one type that JSON itself has


def as_text(said: Json) -> str:
    """A text."""
    if not isinstance(said, str):
        raise TypeError(said)
    return said


def as_whole(said: Json) -> int:
    """A whole number, which true and false are not."""
    if type(said) is not int:
        raise TypeError(said)
    return said


def as_list(said: Json) -> list[Json]:
    """A list of whatever."""
    if not isinstance(said, list):
        raise TypeError(said)
    return said


def as_fact(said: Json, make: Callable[[Json], T], nonsense: Unknown) -> Fact[T | None]:
    """One answer, its value made by `make`; `nonsense` where it is no answer at all."""
    try:
        if "unknown" in said:
            detail = said["detail"]
            return Unknown(Reason(said["unknown"]), None if detail is None else as_text(detail))
        return None if said["value"] is None else make(said["value"])
    except (ValueError, TypeError, LookupError):
        return nonsense
