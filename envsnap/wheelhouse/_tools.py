"""Brings the files that a build needs beside its packages: the installer, an interpreter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from envsnap.errors import ToolError
from envsnap.lock import LockOptions
from envsnap.lock._ask import Pins, ask
from envsnap.lock._hosts import indexes, settings_of
from envsnap.lock._lock import wanted_of
from envsnap.lock._pylock import File
from envsnap.lock._trust import Trust, own_of, refuse_strangers
from envsnap.manifest import Manifest
from envsnap.wheelhouse._bring import Errand, bring
from envsnap.wheelhouse._fetch import Source
from envsnap.wheelhouse._store import sha256_of

Hear = Callable[[int], None]
"""Gets how many bytes have come in all, whenever there are more."""


class Tool(NamedTuple):
    """A program that is on the package index, at one version."""

    name: str
    """Canonical."""
    version: str
    sha256: frozenset[str]
    """Of each of its wheels that may be taken, hex."""


class Needed(NamedTuple):
    """A file and where it goes."""

    source: Source
    target: str


def offered(tool: Tool, manifest: Manifest, options: LockOptions) -> File:
    """The wheel of a tool for the manifest's Python and platform, as the user's own index has it.

    Raises:
        ToolError: The index cannot be asked, or does not have it.
    """
    places = indexes(options.indexes, os.environ)
    pins = Pins({tool.name: tool.version}, places)
    (answer,) = ask([pins], wanted_of(manifest, options))
    release = answer.releases.get(tool.name)
    found = [each for each in release.wheels if each.sha256 in tool.sha256] if release else []
    if not found:
        why = answer.rejected.get(tool.name, "it has no wheel of it that is known")
        raise ToolError(
            f"Your package index does not have {tool.name} {tool.version}, which installs the "
            f"packages inside: {why}",
            hint="Name an index that has it: --index-url URL",
        )
    return found[0]


def trust_of(urls: Iterable[str], options: LockOptions, allowed: frozenset[str]) -> Trust:
    """Whom the user's settings name, and where these addresses of their index lead."""
    places = indexes(options.indexes, os.environ)
    own = settings_of(places, os.environ, locker=options.locker)
    return Trust(own=own_of([*own, *urls]), allowed=allowed)


def bring_files(needed: Sequence[Needed], trust: Trust, hear: Hear) -> None:
    """Put every file into its place, its bytes proved; those that are there already are kept.

    Raises:
        ToolError: One could not be fetched, or its host is neither the user's own nor allowed.
        FileError: One could not be written.
    """
    errands = []
    for each in needed:
        os.makedirs(os.path.dirname(each.target), exist_ok=True)
        if sha256_of(each.target) != each.source.sha256:
            errands.append(Errand(os.path.basename(each.target), each.source, each.target))
    urls = [each.source.url for each in errands]
    refuse_strangers(urls, [each for each in urls if each.startswith("file:")], trust)
    failed = bring(errands, trust, hear) if errands else ()
    if failed:
        raise failed[0].error
