"""Opening manifests for commands: one that a newer envsnap wrote is used, and said to be so."""

from __future__ import annotations

import os

from envsnap import manifest
from envsnap.cli._terminal import Progress, clean, say
from envsnap.errors import ManifestError
from envsnap.manifest import SCHEMA, Manifest


def load(path: str) -> Manifest:
    """The manifest in a file, or in a pack; `-` is standard input.

    Raises:
        ManifestError: There is none, or it cannot be used.
        FileError: It cannot be read.
    """
    if path != "-" and not os.path.lexists(path):
        _refuse_profile(path)
    found = _in_pack(path) if path.lower().endswith(".zip") else manifest.load(path)
    if is_newer(found):
        name = "standard input" if path == "-" else clean(path)
        say(
            f"envsnap: {name} was written by a newer envsnap (schema {found.schema}); "
            "fields it does not know are kept"
        )
    return found


def load_any(path: str) -> Manifest:
    """The manifest in a file or a pack, or the one that an image carries; nothing is started.

    Raises:
        ManifestError: There is none, or it cannot be used.
        FileError: It cannot be read.
        ToolError: The image cannot be read, or its registry does not answer.
    """
    if not names_image(path):
        return load(path)
    from envsnap.images import MANIFEST, hosts_of, manifest_of, open_image

    if hosts := hosts_of(path):
        say(f"Talks to: {clean(', '.join(hosts))}")
    with Progress(f"Reading {clean(path)} ..."), open_image(path) as image:
        raw = manifest_of(image)
    if raw is None:
        raise ManifestError(
            f"{path} carries no manifest: it has no {MANIFEST}",
            hint="Capture it from inside: envsnap check MANIFEST --against docker-daemon:NAME",
        )
    return manifest.parse(raw, path)


def names_image(path: str) -> bool:
    """Whether a word names an image to read; a file of that very name comes first.

    >>> names_image("docker://python:3.11"), names_image("paper.sif"), names_image("a.json")
    (True, True, False)
    """
    if path.endswith(".sif"):
        return True
    if ":" not in path or os.path.lexists(path):
        return False
    from envsnap.images import is_image

    return is_image(path)


def _refuse_profile(name: str) -> None:
    """Say of a machine's name in a manifest's place where it belongs."""
    from envsnap.profiles import is_profile

    if is_profile(name):
        raise ManifestError(
            f"No manifest at {name}: it is the name of a profile",
            hint=f"Compare with it: envsnap check --against {name}",
        )


def _in_pack(path: str) -> Manifest:
    from envsnap.wheelhouse._packed import manifest_of

    return manifest.parse(manifest_of(path), path)


def is_newer(found: Manifest) -> bool:
    """Whether a newer envsnap wrote it. Another major version was refused before."""
    return _minor(found.schema) > _minor(SCHEMA)


def _minor(schema: str) -> int:
    return int(schema.partition(".")[2])
