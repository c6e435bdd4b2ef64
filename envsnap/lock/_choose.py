"""Which of a release's files is the one that was installed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import BuildTag, InvalidWheelFilename, parse_wheel_filename

from envsnap.lock._pylock import File, Release
from envsnap.sections import Fact, Package, Reason, Unknown

_OLDEST_GLIBC = 5
_LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


class Target(NamedTuple):
    """What the wheels must fit."""

    python: tuple[int, int]
    machine: str
    """As 'x86_64'."""
    libc: str
    """glibc or musl."""
    libc_version: tuple[int, int]


class Chosen(NamedTuple):
    """A file, and whether it is the very one that was installed."""

    file: File
    is_installed: Fact[bool]


class _Wheel(NamedTuple):
    file: File
    build: BuildTag
    tags: frozenset[Tag]


def choose(package: Package, release: Release, target: Target) -> Chosen | None:
    """The file to install this package from; None when no file of the release fits.

    The installer's own record of a hash decides first, then the tags in the installed WHEEL,
    then what fits the platform best.
    """
    files = [*release.wheels, *([release.sdist] if release.sdist else [])]
    recorded = package.origin.archive_hash
    for file in files:
        if recorded == f"sha256={file.sha256}":
            return Chosen(file, is_installed=True)
    wheels = [wheel for each in release.wheels if (wheel := _wheel(each)) is not None]
    same = _by_tags(package, wheels)
    if same is not None:
        return same
    best = _best(wheels, target)
    if best is not None:
        return Chosen(best.file, _other_wheel(package))
    if release.sdist is not None:
        why = "it was built from source, and no installer records from which archive"
        return Chosen(release.sdist, Unknown(Reason.NOT_RECORDED, why))
    return None


def _by_tags(package: Package, wheels: Sequence[_Wheel]) -> Chosen | None:
    """The wheel with the tags of the installed WHEEL file."""
    if not isinstance(package.tags, tuple) or not package.tags:
        return None
    installed = frozenset(tag for text in package.tags for tag in parse_tag(text))
    fitting = [wheel for wheel in wheels if _same_build(package, wheel)]
    equal = [wheel for wheel in fitting if wheel.tags == installed]
    if len(equal) == 1:
        return Chosen(equal[0].file, is_installed=True)
    near = equal or [wheel for wheel in fitting if wheel.tags & installed]
    if not near:
        return None
    chosen = min(near, key=lambda wheel: (len(wheel.tags ^ installed), wheel.file.filename))
    why = (
        f"{len(equal)} wheels have the installed tags"
        if equal
        else "its name has other tags than the installed WHEEL, and some in common"
    )
    return Chosen(chosen.file, Unknown(Reason.WITNESSES_DISAGREE, why))


def _same_build(package: Package, wheel: _Wheel) -> bool:
    build = "".join(str(part) for part in wheel.build)
    return isinstance(package.build, Unknown) or (package.build or "") == build


def _other_wheel(package: Package) -> Fact[bool]:
    """What is known of a wheel that was taken for the platform alone."""
    if isinstance(package.tags, Unknown):
        return package.tags
    return False


def _best(wheels: Sequence[_Wheel], target: Target) -> _Wheel | None:
    rank = {tag: place for place, tag in reversed(list(enumerate(supported(target))))}
    ranked = [
        (min(rank[tag] for tag in wheel.tags if tag in rank), wheel)
        for wheel in wheels
        if wheel.tags & rank.keys()
    ]
    if not ranked:
        return None
    best = min(place for place, _ in ranked)
    return max((wheel for place, wheel in ranked if place == best), key=lambda wheel: wheel.build)


def supported(target: Target) -> Sequence[Tag]:
    """The tags that fit, best first."""
    platforms = _platforms(target)
    interpreter = f"cp{target.python[0]}{target.python[1]}"
    abis = [f"{interpreter}{'m' if target.python < (3, 8) else ''}"]
    return [
        *cpython_tags(target.python, abis, platforms),
        *compatible_tags(target.python, interpreter, platforms),
    ]


def _platforms(target: Target) -> list[str]:
    major, minor = target.libc_version
    if target.libc == "musl":
        return [f"musllinux_{major}_{each}_{target.machine}" for each in range(minor, -1, -1)]
    found: list[str] = []
    for each in range(minor, _OLDEST_GLIBC - 1, -1):
        found.append(f"manylinux_{major}_{each}_{target.machine}")
        if each in _LEGACY:
            found.append(f"{_LEGACY[each]}_{target.machine}")
    return found


def _wheel(file: File) -> _Wheel | None:
    try:
        _, _, build, tags = parse_wheel_filename(file.filename)
    except InvalidWheelFilename:
        return None
    return _Wheel(file, build, tags)
