"""What an engine is asked to build, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from envsnap.engines._command import Listener


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image to build."""

    context: str
    """The folder of the recipe."""
    recipe: str
    """The recipe's file in it."""
    image: str
    """The name or file that the image gets; the engine's `refuse_name` has let it pass."""
    platform: str
    network: str | None = None
    """The engine's network for the build; None for its default."""
    gpu: bool = False
    """Whether the image's programs use the GPU of the machine they run on."""
    listen: Listener
    """Gets what the engine says while it builds."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image that was built."""

    engine: str
    """Name and version, as 'docker 20.10.24, buildx 0.13.1'."""
    image: str
    """The name or file that was asked for."""
    name: str
    """The same without any folder: what may be published."""
    reference: str
    """What a host is opened by: 'docker-daemon:NAME', 'FILE.sif'."""
    id: str
    """What names these very bytes: 'sha256:' and 64 hex digits."""
    run_line: str
    """The line that starts Python in the image; a program and its arguments can follow."""


class Engine(Protocol):
    """A program that makes images."""

    def refuse_name(self, image: str) -> None:
        """Refuse what no image of this engine can be called.

        Raises:
            UsageError: The name, or the file's, is of another form.
        """

    def build(self, job: Job) -> Built:
        """The image, made whole or not at all.

        Raises:
            ToolError: The engine is not there, or the build failed.
        """
