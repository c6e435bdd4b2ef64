"""The manifest: everything that was captured, as one frozen value."""

from collections.abc import Mapping
from types import MappingProxyType

from envsnap._typing import TypeVar
from envsnap.sections import SECTIONS, Captured, Lock, Reason, Unknown, fact, replace, shape

S = TypeVar("S")

SCHEMA_MAJOR, SCHEMA_MINOR = 1, 0
SCHEMA = f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}"
FILE_NAME = "envsnap.lock.json"

_NAMES = {each: name for name, each in SECTIONS.items()}
_NOTHING: Mapping[str, object] = MappingProxyType({})


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

    def section(self, of: "type[S]") -> "S | Unknown":
        """The section of that shape, or why there is none."""
        name = _NAMES[of]
        found = self.sections.get(name)
        if isinstance(found, (of, Unknown)):
            return found
        return Unknown(Reason.NOT_RECORDED, f"the manifest has no section {name}")

    def with_lock(self, lock: Lock | None) -> "Manifest":
        """The same manifest with another lock."""
        return replace(self, lock=lock)
