"""Reads pylock.toml (PEP 751), as uv writes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from envsnap.errors import ToolError
from envsnap.lock import _toml
from envsnap.manifest import canonical_name

_MAJOR = "1"
_FILENAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._+!-]{0,250}\.(?:whl|tar\.gz|zip|tar\.bz2|tgz)\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")


class File(NamedTuple):
    """One file of a release, as an index offers it."""

    filename: str
    url: str
    """As the index gave it; it can hold credentials."""
    sha256: str
    size: int | None
    """Bytes; None where the index does not say."""


class Release(NamedTuple):
    """The files of one version that fit the environment."""

    version: str
    wheels: tuple[File, ...]
    sdist: File | None

    @property
    def files(self) -> tuple[File, ...]:
        """All of them, wheels first."""
        return (*self.wheels, self.sdist) if self.sdist else self.wheels


def parse(text: str) -> Mapping[str, Release]:
    """The releases of a pylock.toml by canonical name.

    Raises:
        ToolError: The text is none, or of a version we do not know.
    """
    try:
        tree = _toml.loads(text)
    except ValueError as error:
        raise ToolError(f"The locker's answer is not TOML: {error}") from None
    version = tree.get("lock-version")
    if not isinstance(version, str) or version.partition(".")[0] != _MAJOR:
        raise ToolError(f"The locker's answer has lock-version {version!r}; we read {_MAJOR}.x")
    packages = tree.get("packages", [])
    if not isinstance(packages, list):
        raise ToolError("The locker's answer has no list of packages")
    return {name: release for name, release in map(_release, packages) if release is not None}


def _release(tree: object) -> tuple[str, Release | None]:
    if not isinstance(tree, dict) or not isinstance(tree.get("name"), str):
        raise ToolError("The locker's answer has a package without a name")
    name = canonical_name(tree["name"])
    version = tree.get("version")
    if not isinstance(version, str):
        return name, None  # a folder or a repository has none
    wheels = tree.get("wheels", [])
    found = [_file(each) for each in wheels] if isinstance(wheels, list) else []
    return name, Release(version, tuple(each for each in found if each), _file(tree.get("sdist")))


def _file(tree: object) -> File | None:
    """A file with a name, an address and a SHA-256; None for any other: it could not be pinned."""
    if not isinstance(tree, dict):
        return None
    url, hashes, size = tree.get("url"), tree.get("hashes"), tree.get("size")
    sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
    if not isinstance(url, str) or not isinstance(sha256, str):
        return None
    name = tree.get("name")
    filename = name if isinstance(name, str) else unquote(url.partition("#")[0].partition("?")[0])
    filename = filename.rpartition("/")[2]
    if not _FILENAME.match(filename) or not _SHA256.match(sha256):
        return None
    return File(filename, url, sha256, size if type(size) is int and size >= 0 else None)
