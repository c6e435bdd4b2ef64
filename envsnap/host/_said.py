"""What a child or an image said in JSON, each value held against its type.

Each raises TypeError for anything else.
"""

from __future__ import annotations

from envsnap._typing import Any

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
