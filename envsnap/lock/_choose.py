"""Which of a release's files is the one that was installed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import BuildTag, InvalidWheelFilename, parse_wheel_filename

from envsnap.lock._pylock import File, Release
from envsnap.sections import Fact, Package, Reason, Unknown

_OLDEST_GLIBC = 5
_DASHES = 2
"""In a tag, as py3-none-any."""
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
    """A file, and whether it is the one that was installed, by its tags or its bytes."""

    file: File
    is_installed: Fact[bool]
    content: Fact[str | None] = None
    """The digest of what it installs; None where it was not looked into."""


class _Wheel(NamedTuple):
    file: File
    build: BuildTag
    tags: frozenset[Tag]


def choose(package: Package, release: Release, target: Target) -> Chosen | None:
    """The file that this package was installed from; None when no file of the release can be it.

    The installer's own record of a hash decides first, then the tags in the installed WHEEL. What
    has the tags of a wheel that was built where it was installed came from the source archive.
    """
    recorded = package.origin.archive_hash
    for file in release.files:
        if recorded == f"sha256={file.sha256}":
            return Chosen(file, is_installed=True)
    if isinstance(recorded, str) and recorded.startswith("sha256="):
        return None
    wheels = [wheel for each in release.wheels if (wheel := _wheel(each)) is not None]
    same = _by_tags(package, wheels)
    if same is not None:
        return same
    if isinstance(package.tags, Unknown) and (best := _best(wheels, target)) is not None:
        return Chosen(best.file, package.tags)
    if release.sdist is not None and _can_be_built_here(package):
        why = "it was built from source, and no installer records from which archive"
        return Chosen(release.sdist, Unknown(Reason.NOT_RECORDED, why))
    return None


def nearest(package: Package, files: Sequence[File]) -> tuple[str, ...]:
    """The names of the files, those most like the installed wheel first."""
    installed = _tags(package)
    parts = {part for tag in installed for part in str(tag).split("-")}

    def distance(file: File) -> tuple[int, int, str]:
        wheel = _wheel(file)
        if wheel is None:
            return (1, 0, file.filename)
        own = {part for tag in wheel.tags for part in str(tag).split("-")}
        return (-len(wheel.tags & installed), -len(own & parts), file.filename)

    return tuple(dict.fromkeys(each.filename for each in sorted(files, key=distance)))


def _by_tags(package: Package, wheels: Sequence[_Wheel]) -> Chosen | None:
    """The wheel with the tags of the installed WHEEL file."""
    installed = _tags(package)
    if not installed:
        return None
    fitting = [wheel for wheel in wheels if _same_build(package, wheel)]
    equal = [wheel for wheel in fitting if wheel.tags == installed]
    if len(equal) == 1:
        return Chosen(equal[0].file, is_installed=True)
    other_build = [wheel for wheel in wheels if wheel.tags == installed]
    near = equal or other_build or [wheel for wheel in fitting if wheel.tags & installed]
    if not near:
        return None
    chosen = min(near, key=lambda wheel: (len(wheel.tags ^ installed), wheel.file.filename))
    if equal:
        why = f"{len(equal)} wheels have the installed tags"
    elif other_build:
        why = "its name has another build tag than the installed WHEEL, and the same tags"
    else:
        why = "its name has other tags than the installed WHEEL, and some in common"
    return Chosen(chosen.file, Unknown(Reason.WITNESSES_DISAGREE, why))


def _tags(package: Package) -> frozenset[Tag]:
    """The tags in the installed WHEEL; none where it has none, or what it has is no tag."""
    if not isinstance(package.tags, tuple):
        return frozenset()
    return frozenset(
        tag for text in package.tags if text.count("-") == _DASHES for tag in parse_tag(text)
    )


def _same_build(package: Package, wheel: _Wheel) -> bool:
    build = "".join(str(part) for part in wheel.build)
    return isinstance(package.build, Unknown) or (package.build or "") == build


def _can_be_built_here(package: Package) -> bool:
    """Whether its wheel, if there was one, can be of this machine's making.

    A build gives it the platform `linux_x86_64` or `any`; `manylinux` was put on by a publisher.
    """
    return all(tag.platform.startswith(("any", "linux_")) for tag in _tags(package))


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
