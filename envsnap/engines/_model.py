"""What an engine is asked to build, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Files that steps may read and no layer keeps: where they lie here, by their id."""
    epoch: int | None = None
    """SOURCE_DATE_EPOCH, where the image is to be the same each time; None for an ordinary one."""
    workdir: str | None = None
    """Where the engine and its tools keep what passes by; None for its own places."""
    fresh: bool = False
    """Build every step, whatever was built before."""
    shared_memory: bool = False
    """Whether its programs hand data around in shared memory, as torch's data loaders do."""
    finish: Callable[[str], None] | None = None
    """Done to a file that was made, before it gets its place; an engine with a store has none."""
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
    """The line for a shell that starts Python in the image, with its working folder and as its
    user; a program of that folder and its arguments can follow."""
    repeats: bool = False
    """Whether the builder heeds an epoch in every file and layer: the same digest each time."""


class Engine(Protocol):
    """A program that makes images."""

    name: str
    """As `--engine` takes it."""

    def version(self) -> str:
        """Name and version of what would build, as 'docker 20.10.24, buildx 0.13.1'.

        Raises:
            ToolError: It is not there, does not answer, or is too old for our recipes.
        """

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

    def remove(self, built: Built) -> None:
        """Take an image of ours away again; nothing happens where it is gone already."""
