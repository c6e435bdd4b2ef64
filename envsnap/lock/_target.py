"""What the files of a lock must fit: the platform that the wheels were installed on. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envsnap.errors import PlanError
from envsnap.facts import Looked, manylinux
from envsnap.lock._choose import Target
from envsnap.manifest import Manifest
from envsnap.sections import Os, Package, Python, Unknown

_DEFAULT = {"glibc": (2, 17), "musl": (1, 2)}
"""What every wheel of today runs on, for an environment without any wheel that says more."""


def target_of(manifest: Manifest, python: Python, packages: Sequence[Package]) -> Target:
    """The platform of an environment. Only Linux is asked for: images are Linux.

    Raises:
        PlanError: It is of another system.
    """
    kind = python.platform if isinstance(python.platform, str) else "linux"
    if not kind.startswith("linux"):
        raise PlanError(
            f"This environment is for {kind!a}; a lock for Linux is another resolution",
            hint="Make the environment on Linux, and capture it there",
        )
    machine = python.architecture if isinstance(python.architecture, str) else "x86_64"
    numbers = python.version.split(".")
    libc, version = _said(manifest) or _installed(packages)
    return Target((int(numbers[0]), int(numbers[1])), machine, libc, version)


def _said(manifest: Manifest) -> tuple[str, tuple[int, int]] | None:
    """The C library of the machine; None where the manifest does not say its version."""
    system = manifest.section(Os)
    if isinstance(system, Unknown):
        return None
    libc = "musl" if system.libc == "musl" else "glibc"
    said = system.libc_version if isinstance(system.libc_version, str) else ""
    found = _numbers(said)
    return (libc, found) if found else None


def _installed(packages: Sequence[Package]) -> tuple[str, tuple[int, int]]:
    """The newest C library that an installed wheel asks for: the machine has at least that."""
    tags = {tag for each in packages if isinstance(each.tags, tuple) for tag in each.tags}
    floors = [manylinux.floor(tag.rpartition("-")[2]) for tag in sorted(tags)]
    asked = [
        (each.value.libc, version)
        for each in floors
        if isinstance(each, Looked) and (version := _numbers(each.value.version))
    ]
    libc = "musl" if asked and all(libc == "musl" for libc, _ in asked) else "glibc"
    return libc, max([_DEFAULT[libc], *(version for name, version in asked if name == libc)])


def _numbers(text: str) -> tuple[int, int] | None:
    found = re.match(r"\A(\d{1,3})\.(\d{1,3})", text)
    return (int(found[1]), int(found[2])) if found else None
