"""What the tests beside this share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from envsnap._capture import capture
from envsnap.cli import main
from envsnap.host import RecordedHost
from envsnap.manifest import Manifest
from envsnap.sections import Reason, Unknown
from tests import made
from tests.rules.machines import (
    machine,
)

HOSTS = Path(__file__).parent / "hosts"


Files = Callable[[str, Manifest], str]


def recorded(name: str) -> Manifest:
    return capture(RecordedHost.from_path(str(HOSTS / name)))


def on_the_machine_of(manifest: Manifest, **changes: object) -> Manifest:
    """A PyTorch environment that was captured on that machine, any section another."""
    there = {name: manifest.sections[name] for name in ("os", "cpu", "memory", "gpu")}
    return machine(**{**there, **changes})


FOUR = tuple(made.package(name, "1") for name in "abcd")


NO_PYTHON = Unknown(Reason.TOOL_MISSING, "no Python was found")


def answer(*words: str) -> int:
    return main(["check", *words])
