"""The manifest: everything that was captured, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from envsnap._typing import TypeVar
from envsnap.sections import SECTIONS, Lock, Reason, Unknown, fact, replace, shape

S = TypeVar("S")

SCHEMA_MAJOR, SCHEMA_MINOR = 1, 0
SCHEMA = f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}"
FILE_NAME = "envsnap.lock.json"

_NAMES = {each: name for name, each in SECTIONS.items()}
_NOTHING: Mapping[str, object] = MappingProxyType({})


@shape
class Captured:
    """When and how the capture was made."""

    time: str = fact(
        "UTC, ISO 8601, to the second; SOURCE_DATE_EPOCH where that is set. Of what was imported "
        "the time of the import: nobody says when it was recorded"
    )
    version: str = fact("The version of envsnap")
    deep: bool = fact("Whether libraries were resolved, too", default=False)
    verified: bool = fact("Whether every file was hashed against RECORD", default=False)
    anonymous: bool = fact("Whether what names a person was left out", default=False)
    imported: tuple[str, ...] = fact(
        "What others recorded that it was made of, as 'pip freeze', sorted; empty where it was "
        "captured",
        default=(),
    )


@shape
class Manifest:
    """The software and hardware of a computation."""

    captured: Captured = fact("When and how the capture was made")
    sections: Mapping[str, object] = fact("Each section by name: its shape, or unknown")
    lock: Lock | None = fact("The artifacts of its packages; null if not locked", default=None)
    requires: Mapping[str, object] = fact(
        "What the author allows to differ and insists on; plain JSON", default=_NOTHING
    )
    schema: str = fact("The version of the document's form", default=SCHEMA)
    extras: tuple[tuple[tuple[str | int, ...], object], ...] = fact(
        "Fields of a newer minor schema: their paths and values, kept and written back", default=()
    )
    edited: bool = fact("Whether the sections differ from the digest beside them", default=False)

    def section(self, of: type[S]) -> S | Unknown:
        """The section of that shape, or why there is none."""
        name = _NAMES[of]
        found = self.sections.get(name)
        if isinstance(found, (of, Unknown)):
            return found
        return Unknown(Reason.NOT_RECORDED, f"the manifest has no section {name}")

    def with_lock(self, lock: Lock | None) -> Manifest:
        """The same manifest with another lock."""
        return replace(self, lock=lock)
