"""Architectures of Linux: what the kernel, container engines and Debian call each."""

from __future__ import annotations

from collections.abc import Mapping

PLATFORMS: Mapping[str, str] = {
    "x86_64": "linux/amd64", "aarch64": "linux/arm64",
    "ppc64le": "linux/ppc64le", "s390x": "linux/s390x",
}  # fmt: skip
"""What images are made for: the kernel's name, and the engines'."""
_ALIASES = {"amd64": "x86_64", "AMD64": "x86_64", "arm64": "aarch64"}
_DEBIAN = {"ppc64le": "ppc64el"}


def machine_named(name: str) -> str:
    """The kernel's name of an architecture, by whichever name a system has for it.

    >>> machine_named("arm64"), machine_named("riscv64")
    ('aarch64', 'riscv64')
    """
    return _ALIASES.get(name, name)


def machine_of(platform: str) -> str | None:
    """The kernel's name of an engine's platform; None where no image is made for it.

    >>> machine_of("linux/amd64")
    'x86_64'
    """
    return next((each for each, known in PLATFORMS.items() if known == platform), None)


def debian_of(platform: str) -> str:
    """Debian's name of an engine's platform.

    >>> debian_of("linux/ppc64le"), debian_of("linux/arm64")
    ('ppc64el', 'arm64')
    """
    own = platform.rpartition("/")[2]
    return _DEBIAN.get(own, own)
