"""References of images, split into what they name."""

from __future__ import annotations

import os
import re

from envsnap._typing import NamedTuple
from envsnap.engines._digest import as_digest
from envsnap.errors import UsageError

SCHEMES = (
    "docker", "docker-daemon", "podman", "containers-storage", "docker-archive", "oci-archive",
    "oci",
)  # fmt: skip
_HOST = re.compile(r"\A[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(:[0-9]{1,5})?\Z")
_IPV6 = re.compile(r"\A\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?\Z")
_WORD = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"\A{_WORD}(?:/{_WORD})*\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_LONGEST = 255
HUB = "docker.io"


class Named(NamedTuple):
    """An image of a registry."""

    host: str
    """As people write it: 'docker.io', '127.0.0.1:5000'."""
    name: str
    """With 'library/' where docker.io leaves it out."""
    tag: str | None
    digest: str | None

    @property
    def wanted(self) -> str:
        """What the registry is asked for: the digest, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def shown(self) -> str:
        """The reference in full."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.name}{tag}{'@' + self.digest if self.digest else ''}"


def named(text: str) -> Named:
    """The parts of a registry reference without its scheme.

    >>> named("python:3.11").shown, named("127.0.0.1:5000/lab/paper").wanted
    ('docker.io/library/python:3.11', 'latest')

    Raises:
        UsageError: It is none.
    """
    rest, at, digest = text.partition("@")
    first, slash, after = rest.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    host, path = (first, after) if is_host else (HUB, rest)
    name, colon, tag = path.partition(":")
    if host in {"index.docker.io", "registry-1.docker.io"}:
        host = HUB
    if host == HUB and "/" not in name:
        name = f"library/{name}"
    if (
        not (_HOST.match(host) or _IPV6.match(host))
        or len(name) > _LONGEST
        or not _NAME.match(name)
        or (colon and not _TAG.match(tag))
        or (at and as_digest(digest) is None)
    ):
        raise UsageError(
            f"No image can be called {text[:300]!r}",
            hint="Name it as docker://python:3.11-slim or docker://HOST/NAME@sha256:DIGEST",
        )
    return Named(host, name, tag or None, digest or None)


class Reference(NamedTuple):
    """A reference by its scheme."""

    scheme: str
    """One of `SCHEMES`, or 'sif'."""
    place: str
    """A file, a folder, or a name."""
    tag: str | None
    """Which one of an archive or layout."""


def split(text: str) -> Reference | None:
    """The parts of a reference; None where it is none.

    >>> split("docker-archive:a.tar:lab/paper:1")
    Reference(scheme='docker-archive', place='a.tar', tag='lab/paper:1')
    >>> split("paper.sif").scheme, split("docker://python").place, split("a.json")
    ('sif', 'python', None)
    """
    scheme, colon, place = text.partition(":")
    if not colon or scheme not in SCHEMES:
        return Reference("sif", text, None) if text.endswith(".sif") else None
    if scheme == "docker":
        return Reference(scheme, place[2:], None) if place.startswith("//") else None
    if scheme in {"docker-daemon", "podman", "containers-storage"}:
        return Reference("podman" if scheme == "containers-storage" else scheme, place, None)
    if os.path.lexists(place):
        return Reference(scheme, place, None)  # a colon can be part of a file's name
    path, _, tag = place.partition(":")
    return Reference(scheme, path, tag or None)
