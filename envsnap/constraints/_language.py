"""The expressions of `requires`, as values. Each one's text reads back as the same value."""

from __future__ import annotations

import re
from enum import Enum

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError

LONGEST = 500
"""A longer text is no expression: what a manifest says is bounded before it is read."""
UNITS = {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20, "TiB": 1 << 30}
"""Units of memory, each in KiB."""

_PLAIN = re.compile(r"[A-Za-z0-9_.*+:/@~^-]+\Z")
_ESCAPED = re.compile(r'(["\\])')


class ConstraintError(UsageError):
    """A text that is no expression; the message shows the place."""

    def __init__(self, message: str, text: str, place: int, *, hint: str | None = None) -> None:
        plain = "".join(each if each.isprintable() else "?" for each in text[:LONGEST])
        at = min(place, len(plain))
        shown = f"\n  {plain}\n  {' ' * at}^" if plain.strip() and len(text) <= LONGEST else ""
        super().__init__(f"{message} at column {at + 1}{shown}", hint=hint)
        self.reason = message
        """The message without the text and the place."""


class Value(NamedTuple):
    """One value as the author wrote it."""

    text: str
    unit: str | None = None
    """KiB, MiB, GiB or TiB; None for what has no unit, or the fact's own."""

    def __str__(self) -> str:
        word = self.text if _PLAIN.match(self.text) else _quoted(self.text)
        return word if self.unit is None else f"{word} {self.unit}"


def _quoted(text: str) -> str:
    escaped = _ESCAPED.sub(r"\\\1", text)
    return f'"{escaped}"'


class Asked(NamedTuple):
    """What one fact must pass: an order with one value, or one of several values."""

    operator: str
    """==, !=, >=, <=, >, <, in, not in, or has."""
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.operator} {', '.join(map(str, self.values))}"


class OfFact(NamedTuple):
    """A fact that must pass all of these: `driver >= 525, < 560`."""

    name: str
    tests: tuple[Asked, ...]

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.name

    def __str__(self) -> str:
        return f"{self.name} {', '.join(map(str, self.tests))}"


class OfPackage(NamedTuple):
    """A package that must be installed, in one of these versions: `package numpy >= 1.26, < 2`."""

    name: str
    specifiers: tuple[str, ...]
    """As PEP 440 has them; none is any version."""

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.name

    def __str__(self) -> str:
        return f"package {self.name} {', '.join(self.specifiers)}".rstrip()


class Within(str, Enum):
    """How far the version of a package may differ."""

    BUILD = "build"
    """The version stays, the files may be another build's."""
    PATCH = "patch"
    """1.26.4 and 1.26.0."""
    MINOR = "minor"
    """1.26.4 and 1.24.0."""
    VERSION = "version"
    """Any version."""

    def __str__(self) -> str:
        return self.value


class MayDiffer(NamedTuple):
    """What may differ: packages, a fact, a family of facts or what one rule finds."""

    kind: str
    """packages, fact or rule."""
    names: tuple[str, ...]
    """The packages (`*` is all), the fact, or the rule with a subject: 'CPU003', 'CPU003:cpu'."""
    within: Within | None = None
    """For packages alone; None for everything else."""

    @property
    def subject(self) -> str:
        """What it is about."""
        return ", ".join(self.names)

    def __str__(self) -> str:
        if self.kind == "packages":
            return f"packages {', '.join(self.names)} may differ in {self.within}"
        return f"{self.subject} may differ"


Expression = OfFact | OfPackage | MayDiffer
