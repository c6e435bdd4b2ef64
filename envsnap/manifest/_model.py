"""The manifest: everything that was captured, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from envsnap.sections import SECTIONS, Lock, Reason, Unknown

S = TypeVar("S")

SCHEMA_MAJOR, SCHEMA_MINOR = 1, 0
SCHEMA = f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}"
FILE_NAME = "envsnap.lock.json"

_NAMES = {shape: name for name, shape in SECTIONS.items()}
_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Captured:
    """When and how the capture was made."""

    time: str
    """UTC, ISO 8601, to the second; SOURCE_DATE_EPOCH where that is set."""
    version: str
    """The version of envsnap."""
    deep: bool = False
    verified: bool = False
    anonymous: bool = False


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The software and hardware of a computation."""

    captured: Captured
    sections: Mapping[str, object]
    """Each section by name: its shape, or `Unknown`."""
    lock: Lock | None = None
    requires: Mapping[str, object] = field(default_factory=dict)
    """What the author allows to differ and insists on; plain JSON."""
    schema: str = SCHEMA
    extras: tuple[tuple[tuple[str | int, ...], object], ...] = ()
    """Fields of a newer minor schema: their paths and values, kept and written back."""
    edited: bool = False
    """Whether the sections differ from the digest that was written with them."""

    def section(self, shape: type[S]) -> S | Unknown:
        """The section of that shape, or why there is none."""
        name = _NAMES[shape]
        found = self.sections.get(name)
        if isinstance(found, (shape, Unknown)):
            return found
        return Unknown(Reason.NOT_RECORDED, f"the manifest has no section {name}")

    def with_lock(self, lock: Lock | None) -> Manifest:
        """The same manifest with another lock."""
        return replace(self, lock=lock)
