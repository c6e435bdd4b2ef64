"""What a manifest may put into a recipe. A manifest is somebody else's file: it can be hostile.

Names, versions and addresses end up in shell lines, HTML and YAML. Each is held to the form it
must have anyway, so that nothing else can reach a template.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from packaging.tags import Tag, parse_tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from envsnap.errors import PlanError
from envsnap.sections import Artifact

_NAME = re.compile(r"\A[A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?\Z")
_VERSION = re.compile(r"\A[A-Za-z0-9.!+_-]{1,100}\Z")
_HARMLESS = re.compile(r"\A[A-Za-z0-9.!+_~-]{1,100}\Z")
_URL = re.compile(r"\Ahttps?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9._~:/@!*+,=%-]+\Z")
_FILE = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.!+-]{0,249}\Z")
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")
_PYTHON = re.compile(r"\A[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?\Z")
_REFERENCE = re.compile(
    r"\A(?P<name>[a-z0-9][a-z0-9._-]*(?::[0-9]{1,5}(?=/))?(?:/[a-z0-9][a-z0-9._-]*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z"
)
_PLACE = re.compile(r"\A[a-z-]+:[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]{0,999}\Z")
_TIME = re.compile(r"\A\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")
_USER = re.compile(r"(?<=//)[^/@]*@")
"""Name and password in an address: they are in no message."""
_LIMIT = 60
_WHEEL_PARTS = (5, 6)


def artifact(found: Artifact, where: str) -> Artifact:
    """The artifact, once every field has the only form it may have.

    Raises:
        PlanError: One has not; the message names its path in the manifest.
    """
    _match(_NAME, found.name, f"{where}.name", "the name of a distribution")
    version = pep440(found.version, f"{where}.version")
    local_artifact(found, where)
    if _identity(found.filename, where) != (canonicalize_name(found.name), version):
        raise _wrong(found.filename, f"{where}.filename", f"a file of {found.name} {found.version}")
    return found


def local_artifact(found: Artifact, where: str) -> Artifact:
    """The artifact, once it is safe to fetch and to name a file by; any version may be its own.

    Raises:
        PlanError: A field has another form; the message names its path in the manifest.
    """
    _match(_NAME, found.name, f"{where}.name", "the name of a distribution")
    _match(_FILE, found.filename, f"{where}.filename", "the name of a wheel or source archive")
    _match(_SHA256, found.sha256, f"{where}.sha256", "64 hex digits")
    if found.url is None:
        return found
    _match(_URL, found.url, f"{where}.url", "a plain http or https address")
    if unquote(found.url).rpartition("/")[2] != found.filename:
        raise _wrong(found.url, f"{where}.url", f"an address that ends in {found.filename}")
    return found


def is_odd(version: str) -> bool:
    """Whether a version is harmless and yet none that installers take, as Debian's `1.1build1`."""
    if not _HARMLESS.match(version):
        return False
    try:
        Version(version)
    except InvalidVersion:
        return True
    return False


def is_wheel(found: Artifact) -> bool:
    """Whether the file is a wheel; else it is a source archive."""
    return found.filename.endswith(".whl")


def is_unpackable(found: Artifact) -> bool:
    """Whether the file is a wheel of its package by its name, whatever the version."""
    parts = found.filename.split("-")
    is_its_own = canonicalize_name(parts[0]) == canonicalize_name(found.name)
    return is_wheel(found) and is_its_own and len(parts) in _WHEEL_PARTS


def tags_of(found: Artifact) -> frozenset[Tag]:
    """The tags in a wheel's name, whatever the version."""
    return parse_tag("-".join(found.filename[: -len(".whl")].rsplit("-", 3)[1:]))


def _identity(filename: str, where: str) -> tuple[str, Version]:
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            return name, version
        name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        expected = "the name of a wheel or source archive"
        raise _wrong(filename, f"{where}.filename", expected) from None
    return name, version


def name(text: str, where: str) -> str:
    """A distribution's name, as PEP 508 has it."""
    return _match(_NAME, text, where, "the name of a distribution")[0]


def pep440(text: str, where: str) -> Version:
    """A version, as PEP 440 has it."""
    _match(_VERSION, text, where, "a version")
    try:
        return Version(text)
    except InvalidVersion:
        raise _wrong(text, where, "a version") from None


def python_version(text: str, where: str) -> str:
    """A CPython release or pre-release, to the patch."""
    return _match(_PYTHON, text, where, "a Python version to the patch")[0]


def time(text: str, where: str) -> str:
    """A time in UTC, ISO 8601, to the second."""
    return _match(_TIME, text, where, "a time such as 2026-01-31T12:00:00Z")[0]


def reference(text: str, where: str) -> tuple[str, str | None, str | None]:
    """An image reference as repository with registry, tag and digest."""
    found = _match(_REFERENCE, text, where, "an image such as python:3.11.9-slim-bookworm")
    first, slash, _ = found["name"].partition("/")
    repository = found["name"]
    if not slash:
        repository = f"docker.io/library/{repository}"
    elif not ("." in first or ":" in first or first == "localhost"):
        repository = f"docker.io/{repository}"
    tag = found["tag"] or (None if found["digest"] else "latest")
    return repository, tag, found["digest"]


def file_reference(text: str, where: str) -> str:
    """An image that is a file, as 'oci-archive:base.tar': its path is one line."""
    return _match(_PLACE, text, where, "a file such as oci-archive:base.tar")[0]


def shown(text: str) -> str:
    """A hostile text for a message: quoted, escaped and cut."""
    said = ascii(_USER.sub("", text))
    return said if len(said) <= _LIMIT else f"{said[: _LIMIT - 3]}..."


def plain(text: str) -> str:
    """A hostile text inside a sentence: one printable line, cut."""
    return "".join(char if char.isprintable() else "?" for char in text)[:200]


def _match(pattern: re.Pattern[str], text: str, where: str, expected: str) -> re.Match[str]:
    found = pattern.match(text)
    if found is None:
        raise _wrong(text, where, expected)
    return found


def _wrong(text: str, where: str, expected: str) -> PlanError:
    hidden = " with a name or password, not shown," if _USER.search(text) else ""
    return PlanError(f"Expected {expected}, not {shown(text)}{hidden or ','} in '{where}'")
