"""A trap, where it was found, and the table of them all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from envsnap._typing import Any, NamedTuple

_CODE = re.compile(r"[A-Z0-9]{3}\d{3}\Z")


class Spot(NamedTuple):
    """One place where a rule found its trap."""

    line: int
    """From 1; the first line stands for a whole file."""
    message: str


class Problem(NamedTuple):
    """A trap in a file: what `envsnap lint` prints."""

    path: str
    line: int
    code: str
    message: str


Find = Callable[[Any], Iterable[Spot]]
"""Reads one recipe: a `Dockerfile`, a `Definition`, either of both, or a `Binder`."""


class Trap(NamedTuple):
    """One registered rule."""

    code: str
    title: str
    """The first line of its function's docstring."""
    about: str
    """The rest of it: when and why it bites."""
    remedy: str
    source: str
    """Who says so: a document, a file of the program that reads the recipe, or 'tried'."""
    of: str
    """What it reads: 'dockerfile', 'definition', 'recipe' (both of them), 'binder', or
    'environment' (such a folder, and an environment.yml that is conda's alone)."""
    find: Find
    stops: bool
    """Whether the build ends there; the others bite later, or are a matter of care."""


_TRAPS: dict[str, Trap] = {}


def trap(
    code: str, *, of: str, remedy: str, source: str, stops: bool = False
) -> Callable[[Find], Find]:
    """Register the function that finds one trap. Its docstring says what the trap is."""
    if not _CODE.match(code) or code in _TRAPS:
        message = f"{code!r} is no new code of three capitals and three digits"
        raise ValueError(message)

    def register(find: Find) -> Find:
        title, _, about = (find.__doc__ or "").strip().partition("\n")
        joined = " ".join(about.split())
        named = title.removesuffix(".")
        _TRAPS[code] = Trap(code, named, joined, remedy, source, of, find, stops)
        return find

    return register


def registered() -> Mapping[str, Trap]:
    """Every trap that has been registered so far, by code."""
    return MappingProxyType(dict(sorted(_TRAPS.items())))
