"""The plan of an image: every decision, and why it fell that way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from envsnap._typing import NamedTuple
from envsnap.sections import Artifact, Fact, Unknown

Resolve = Callable[[str], Fact[str]]
"""Asks a registry which digest an image reference has now: 'sha256:' and 64 hex digits."""

PREFIX = "/opt/env"
WHEELS = "wheels"
"""The folder beside a recipe for the files that travel with it."""
HOME = "/opt/envsnap"
"""Where the image keeps its manifest, its lock and its verifier."""


class Why(NamedTuple):
    """One decision of a plan, for `build --explain`."""

    decision: str
    because: str
    source: str
    """The field of the manifest, the table or the option that decided."""


class LeftOut(NamedTuple):
    """A package of the environment that the image will not have."""

    name: str
    version: str
    why: str


@dataclass(frozen=True, kw_only=True)
class BaseImage:
    """The image to start from."""

    reference: str
    """As people write it: 'python:3.11.9-slim-bookworm'."""
    repository: str
    """With its registry: 'docker.io/library/python'."""
    tag: str | None
    """None where the user named a digest alone."""
    digest: Fact[str]
    """What the registry answered; unknown when it was not asked or did not answer."""

    @property
    def pinned(self) -> str:
        """The reference with its digest, where that is known: what a Dockerfile takes."""
        if isinstance(self.digest, Unknown) or "@" in self.reference:
            return self.reference
        return f"{self.reference}@{self.digest}"

    @property
    def full(self) -> str:
        """Repository and digest, else tag, never both: what an Apptainer definition takes."""
        if isinstance(self.digest, Unknown):
            return f"{self.repository}:{self.tag}"
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What the caller of a build decides instead of the manifest."""

    base_image: str | None = None
    allow_missing: bool = False
    """Plan an image without the packages that cannot be installed."""
    stored: frozenset[str] = frozenset()
    """The SHA-256 of every file in the caller's wheelhouse, which can travel with the recipe."""
    alone: frozenset[str] = frozenset()
    """The SHA-256 of files that travel or are missing, though the lock has an address of them."""


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """Everything that a format writes down. It decides nothing more."""

    base: BaseImage
    python: str
    """The version to the patch: '3.11.9'."""
    platform: str
    """As container engines name it: 'linux/amd64'."""
    wheels: tuple[Artifact, ...]
    sources: tuple[Artifact, ...]
    """Source archives, built inside the image: nothing else installs these packages."""
    left_out: tuple[LeftOut, ...]
    variables: tuple[tuple[str, str], ...]
    """Environment variables of the image, PATH apart."""
    labels: tuple[tuple[str, str], ...]
    gpu: bool
    """Whether the environment was captured beside an NVIDIA GPU."""
    environment: str
    """The environment's id."""
    captured: str
    """When the manifest was captured, UTC, ISO 8601."""
    manifest: str
    """The manifest's own text, for the image to carry."""
    manifest_sha256: str
    reasons: tuple[Why, ...]
    prefix: str = PREFIX

    @property
    def carried(self) -> tuple[Artifact, ...]:
        """What whoever builds finds on no index: it travels with the recipe, in `wheels`."""
        return tuple(each for each in (*self.wheels, *self.sources) if each.url is None)
