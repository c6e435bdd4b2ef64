"""A distribution on its way into the manifest."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.probes._dist_info import Found
from envsnap.sections import NOT_VERIFIED, Changes, Fact, Package


class Draft(NamedTuple):
    """A distribution as its files tell it; its digest is still being computed."""

    found: Found
    package: Package
    source: str | None
    """The folder that it was installed from, as it is on this machine; None where none is told."""


class Told(NamedTuple):
    """What the RECORD of a distribution, or its files themselves, say of its content."""

    content: Fact[str | None]
    changes: Fact[Changes] = NOT_VERIFIED
    outside: Fact[str | None] = None
