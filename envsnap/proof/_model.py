"""What was found out about an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from envsnap._typing import NamedTuple
from envsnap.errors import ExitCode
from envsnap.manifest import Manifest


class Tampered(NamedTuple):
    """One difference between an image and its manifest."""

    kind: str
    """A word of a closed list: edited, missing, unowned, version ..."""
    says: str
    """The difference in words, with others' names in it: to be cleaned before it is shown."""
    package: str = ""
    """The distribution's name; empty where it is of none."""
    path: str = ""
    """Where in the image; empty where it is of no place."""
    wanted: str = ""
    """The value or SHA-256 that it should have; empty where there is none."""
    found: str = ""
    layer: int | None = None
    """The layer that brought what is there, 0 the base's first; None where that says nothing."""
    over: tuple[int, ...] = ()
    """The earlier layers that had another file there."""
    others: tuple[str, ...] = ()
    """Other files of the package that a later layer replaced."""


class NotProved(NamedTuple):
    """Something that the files cannot prove."""

    code: str
    """bytecode, content, outside, packages, program, project, python, setting, start, system or
    verifier; most are what `--allow-unknown` takes."""
    says: str
    names: tuple[str, ...] = ()
    """The packages or files that it is about."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The environment in an image, held against a manifest."""

    prefix: str
    """The environment's folder: '/opt/env'."""
    python: str
    """The version that its files tell; empty where they tell none."""
    packages: int
    proved: int
    """How many packages have exactly the files that the manifest states."""
    by_version: Mapping[str, str]
    """The packages that are known by their version alone, each with the reason."""
    files: int
    """How many files RECORDs name that were hashed."""
    size: int
    """Bytes of those."""
    outside: int
    """Files that no digest of a manifest is over, for which a RECORD in the image alone vouches:
    entry points' programs, bytecode that a wheel brought beside its source, and what is outside
    of site-packages where the manifest has no digest of that, or another."""
    tampered: tuple[Tampered, ...]
    not_proved: tuple[NotProved, ...]
    layers: tuple[str, ...]
    """The digest of each layer, as `Tampered.layer` counts them."""


class SystemRows(NamedTuple):
    """The versions of system packages, held against those that a build's record has."""

    same: int
    other: tuple[str, ...]
    """What differs, each as 'libgl1 1.7.0-1 -> 1.7.0-2'."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found out about one image."""

    image: str
    """The reference it was opened by."""
    digest: str
    """Of its manifest in its registry or archive; empty where it has none."""
    wanted: Manifest
    """What it was compared with."""
    published: str
    """The name of the manifest from elsewhere; empty where the one inside alone was there."""
    inside: Manifest | None
    """The manifest inside, where it has a usable one."""
    proof: Proof
    tampered: tuple[Tampered, ...]
    """All differences: of the manifest and the labels first, then those of the proof."""
    not_proved: tuple[NotProved, ...]
    base: str = ""
    """The base image whose layers are the image's first; empty where it was not asked for."""
    embedded: tuple[str, ...] = ()
    """The files that travel inside so that the image can be made again."""
    allowed: frozenset[str] = field(default=frozenset())
    system: SystemRows | None = None
    """Its system packages beside those that its author's build got; None where none are known."""

    @property
    def exit_code(self) -> ExitCode:
        """1 where anything differs, 4 where something that was not accepted is not proved."""
        if self.tampered:
            return ExitCode.NO
        left = [each for each in self.not_proved if each.code not in self.allowed]
        return ExitCode.CANNOT_TELL if left else ExitCode.OK
