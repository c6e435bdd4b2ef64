"""Which packages of an environment can be on an index at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

from envsnap.manifest import canonical_name
from envsnap.probes.packages import is_valid_version
from envsnap.sections import Artifact, Package, Reason, Unknown, Unlocked

_NAME = re.compile(r"\A[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_VERSION = re.compile(r"\A[A-Za-z0-9.!+_-]+\Z")
MOST_CANDIDATES = 5
_SHA256 = re.compile(r"\Asha256=([0-9a-f]{64})\Z")

OWN_ARCHIVE = (
    "it was installed from a file of this machine that no index has; install a released version"
)
_NO_HASH = (
    "it was installed from {}, and its installer recorded no hash: which bytes came from there is "
    "not known; install it with pip, which records one"
)
_RELEASED = "install a released version of it"
_ELSEWHERE = {
    "editable": "it is an editable project on this machine; " + _RELEASED,
    "directory": "it was installed from a folder of this machine; " + _RELEASED,
    "vcs": "it was installed from a repository; " + _RELEASED,
    "distribution": "the system's package manager installed it; install it with pip in a venv",
    "conda": "conda installed it; install it with pip in a venv",
}


class Pin(NamedTuple):
    """A package that an index is asked for."""

    name: str
    """Canonical."""
    version: str
    package: Package


class Sorted(NamedTuple):
    """The active packages, by what can be done for them."""

    pins: tuple[Pin, ...]
    artifacts: tuple[Artifact, ...]
    """Those whose own record names the file they came from."""
    unlocked: tuple[Unlocked, ...]
    unproved: tuple[Pin, ...]
    """Of the unlocked, those whose file an index may have: nothing proves that it is the one."""


def sort_out(packages: Sequence[Package]) -> Sorted:
    """Each active package once: to be asked for, known already, or why neither."""
    pins: list[Pin] = []
    artifacts: list[Artifact] = []
    unlocked: list[Unlocked] = []
    unproved: list[Pin] = []
    for package in packages:
        if not package.active:
            continue
        found = _known_file(package)
        why = _why_not(package)
        pin = Pin(canonical_name(package.name), package.version, package)
        if found is not None:
            artifacts.append(found)
        elif why is None:
            pins.append(pin)
        else:
            unlocked.append(unlocked_of(package, why))
            if package.origin.kind == "archive" and can_be_asked(package.name, package.version):
                unproved.append(pin)
    return Sorted(tuple(pins), tuple(artifacts), tuple(unlocked), tuple(unproved))


def unlocked_of(package: Package, why: str, candidates: Sequence[str] = ()) -> Unlocked:
    """A package without a file."""
    return Unlocked(
        name=canonical_name(package.name), version=package.version, why=why,
        candidates=tuple(candidates)[:MOST_CANDIDATES],
    )  # fmt: skip


def _why_not(package: Package) -> str | None:
    if package.conda is not None:
        return _ELSEWHERE["conda"]
    if not (package.version_valid and can_be_asked(package.name, package.version)):
        return "its name or version is none that an index can have"
    commit = package.origin.commit
    if package.origin.kind == "vcs" and isinstance(commit, str):
        return f"it was installed from commit {commit[:12]} of a repository; {_RELEASED}"
    if package.origin.kind == "archive" and not isinstance(package.origin.archive_hash, str):
        url = package.origin.url
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            return _NO_HASH.format(ascii(url.partition("#")[0])[1:-1])
        return OWN_ARCHIVE
    return _ELSEWHERE.get(package.origin.kind)


def can_be_asked(name: str, version: str) -> bool:
    """Whether they are such as an index can have, and safe in a line of requirements.

    >>> [can_be_asked("odd", each) for each in ("1.1", "1.1build1", "1.1 --pre")]
    [True, False, False]
    """
    return bool(_NAME.match(name) and _VERSION.match(version) and is_valid_version(version))


def _known_file(package: Package) -> Artifact | None:
    """The file that the installer recorded: a public address and a hash (PEP 610)."""
    origin = package.origin
    if origin.kind != "archive" or not isinstance(origin.url, str):
        return None
    found = _SHA256.match(origin.archive_hash) if isinstance(origin.archive_hash, str) else None
    address = origin.url.partition("#")[0]
    filename = unquote(address).rpartition("/")[2]
    if found is None or not address.startswith(("https://", "http://")) or "{" in address:
        return None
    if not filename.endswith((".whl", ".tar.gz", ".zip")):
        return None
    return Artifact(
        name=canonical_name(package.name), version=package.version, filename=filename, url=address,
        sha256=found[1], is_installed=True, how="address",
        size=Unknown(Reason.NOT_RECORDED, "no installer records it"),
    )  # fmt: skip
