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
    """The name or file that the image gets."""
    platform: str
    network: str | None = None
    """The engine's network for the build; None for its default."""
    listen: Listener
    """Gets what the engine says while it builds."""


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image that was built."""

    engine: str
    """Name and version, as 'docker 20.10.24, buildx 0.13.1'."""
    image: str
    id: str
    """What names these very bytes: 'sha256:' and 64 hex digits."""


class Engine(Protocol):
    """A program that makes images."""

    def build(self, job: Job) -> Built:
        """The image, made whole or not at all.

        Raises:
            ToolError: The engine is not there, or the build failed.
        """

    def run_line(self, image: str, *, gpu: bool) -> str:
        """The line that starts a program in the image."""
