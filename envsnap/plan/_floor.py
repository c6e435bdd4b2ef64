"""Which C library an image must have at the least, and which distribution has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from envsnap import facts
from envsnap._typing import Literal, NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import manylinux
from envsnap.manifest import Manifest
from envsnap.plan import _safe
from envsnap.sections import MADE_HERE, Artifact, Os, SystemLibraries, Unknown

DEBIAN = {"trixie": "13", "bookworm": "12", "bullseye": "11", "buster": "10", "stretch": "9",
          "jessie": "8"}  # fmt: skip
"""The releases that images are built on, the newest first."""
UBUNTU = {"noble": "24.04", "jammy": "22.04", "focal": "20.04", "bionic": "18.04"}
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}\Z", re.ASCII)
_SYMBOL = re.compile(r"GLIBC_(\d{1,3}\.\d{1,3}(?:\.\d{1,3})?)\Z")


class Floor(NamedTuple):
    """The oldest glibc that an image may have."""

    version: str
    who: str
    """What asks for it."""
    is_sure: bool = True
    """Whether nothing can work with less; else that is likely, and not known."""


def glibc_floor(manifest: Manifest, wheels: Sequence[Artifact]) -> Floor | None:
    """The newest glibc that anything asks for at the least; None where nothing asks."""
    asked = (*_by_wheels(wheels), *_by_evidence(manifest), *_by_what_was_built(manifest, wheels))
    return max(asked, key=lambda each: numbers(each.version), default=None)


def musl_floor(wheels: Sequence[Artifact]) -> Floor | None:
    """The newest musl that a wheel asks for at the least; None where none does."""
    asked = _by_wheels(wheels, "musl")
    return max(asked, key=lambda each: numbers(each.version), default=None)


def only_for(wheels: Sequence[Artifact], libc: Literal["glibc", "musl"]) -> Artifact | None:
    """The first wheel that works with this C library and not with the other; None where none is."""
    starts = ("manylinux", "musllinux_")
    own, other = starts if libc == "glibc" else reversed(starts)
    return next((each for each in wheels if _is_only(each, own, other)), None)


def libc_of(manifest: Manifest, wheels: Sequence[Artifact]) -> Literal["glibc", "musl"]:
    """The C library that the environment is for: its wheels say it, else its system.

    Raises:
        PlanError: Some wheels are for one, some for the other.
    """
    musl, glibc = only_for(wheels, "musl"), only_for(wheels, "glibc")
    if musl is not None and glibc is not None:
        raise PlanError(
            f"{musl.filename} is for musl (Alpine Linux) and {glibc.filename} for glibc: "
            "no image has both",
            hint="Make the lock again where the environment still is: envsnap lock",
        )
    if musl is not None:
        return "musl"
    system = manifest.section(Os)
    on_musl = not isinstance(system, Unknown) and system.libc == "musl"
    return "musl" if on_musl and glibc is None else "glibc"


def glibc_of(os_id: str, version: str) -> str | None:
    """The glibc of a distribution; None where the table does not know it."""
    has = manylinux.distribution(os_id, version)
    if not isinstance(has, facts.Looked) or has.value.libc != "glibc":
        return None
    return has.value.libc_version


def has_enough(os_id: str, version: str, floor: Floor | None) -> bool:
    """Whether a distribution has that glibc: what the table does not know is not taken to."""
    has = glibc_of(os_id, version)
    return floor is None or (has is not None and numbers(has) >= numbers(floor.version))


def captured_glibc(manifest: Manifest) -> str | None:
    """The glibc of the machine that was captured; None where it is not known, or another."""
    system = manifest.section(Os)
    if isinstance(system, Unknown) or system.libc != "glibc":
        return None
    version = system.libc_version
    return version if isinstance(version, str) and numbers(version) else None


def of_conda(floor: Floor | None, captured: str | None) -> Floor | None:
    """The glibc that conda's packages likely ask for, where that is more than what asks for sure.

    It is that of the machine they were chosen for, where any release of Debian has so much.
    """
    if captured is None or (floor is not None and numbers(captured) <= numbers(floor.version)):
        return floor
    who = "conda, which chose its packages for that of the captured machine,"
    likely = Floor(captured, who, is_sure=False)
    return likely if any(has_enough("debian", each, likely) for each in DEBIAN.values()) else floor


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, to be compared; none for a text that is no version."""
    return tuple(map(int, version.split("."))) if _VERSION.match(version) else ()


def _by_wheels(
    wheels: Sequence[Artifact], libc: Literal["glibc", "musl"] = "glibc"
) -> Iterator[Floor]:
    for wheel in wheels:
        asked = [
            found.value.version
            for tag in _tags(wheel)
            if tag.startswith(("manylinux", "musllinux_"))
            and isinstance(found := manylinux.floor(tag), facts.Looked)
            and found.value.libc == libc
        ]
        if asked:
            # A wheel with several tags is content with the oldest of them.
            yield Floor(min(asked, key=numbers), wheel.filename)


def _by_evidence(manifest: Manifest) -> Iterator[Floor]:
    """What the compiled code itself asks for, where `capture --deep` looked."""
    section = manifest.section(SystemLibraries)
    if isinstance(section, Unknown) or isinstance(section.needed, Unknown):
        return
    for library in section.needed:
        for version in library.versions:
            symbol = _SYMBOL.match(version)
            if symbol is not None:
                who = library.needed_by[0] if library.needed_by else library.name
                yield Floor(symbol[1], f"the compiled code of {_safe.plain(who)}")


def _by_what_was_built(manifest: Manifest, wheels: Sequence[Artifact]) -> Iterator[Floor]:
    """A wheel that was compiled on the captured machine may ask for what that machine has."""
    section = manifest.section(SystemLibraries)
    if not isinstance(section, Unknown) and not isinstance(section.needed, Unknown):
        return
    has = captured_glibc(manifest)
    built = (
        each for each in wheels
        if each.how in MADE_HERE and any(tag.startswith("linux_") for tag in _tags(each))
    )  # fmt: skip
    first = next(built, None)
    if has is not None and first is not None:
        who = f"{first.filename}, which was compiled on a machine that has it,"
        yield Floor(has, who, is_sure=False)


def _tags(wheel: Artifact) -> list[str]:
    """The platform tags in a wheel's name; a source archive has none."""
    if not _safe.is_wheel(wheel):
        return []
    return wheel.filename[:-4].rpartition("-")[2].split(".")


def _is_only(wheel: Artifact, start: str, other: str) -> bool:
    tags = _tags(wheel)
    return any(tag.startswith(start) for tag in tags) and not any(
        tag.startswith(other) for tag in tags
    )
