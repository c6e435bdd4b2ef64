"""A wheel's file name, its tags, and the WHEEL file where an installation has none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from envsnap.errors import FileError
from envsnap.wheelhouse._member import Home

_NATIVE = re.compile(r"\.(?:so(?:\.[0-9.]+)?|pyd|dylib)\Z")
_STABLE = re.compile(r"\.abi3\.so\Z")
_TAG = re.compile(r"\A[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\Z")
_BUILD = re.compile(r"\A[0-9][A-Za-z0-9_.]*\Z")
_LONGEST = 240


def file_name(stem: str, tags: Sequence[str], build: str | None) -> str:
    """The wheel's name: the tags of its WHEEL file, compressed.

    >>> file_name("a-1.0", ["cp311-cp311-linux_x86_64", "cp311-cp311-manylinux1_x86_64"], None)
    'a-1.0-cp311-cp311-linux_x86_64.manylinux1_x86_64.whl'

    Raises:
        FileError: The tags are none.
    """
    wrong = [tag for tag in tags if not _TAG.match(tag)]
    if wrong or not tags:
        raise FileError(f"The WHEEL file of {stem} has no usable tag: {(wrong or ['none'])[0]!a}")
    columns = zip(*(tag.split("-") for tag in tags), strict=True)
    compressed = [
        ".".join(sorted({each for part in c for each in part.split(".")})) for c in columns
    ]
    middle = f"-{build}" if build and _BUILD.match(build) else ""
    name = f"{stem}{middle}-{'-'.join(compressed)}.whl"
    if len(name) > _LONGEST:
        raise FileError(f"The name of the wheel for {stem} has {len(name)} characters")
    return name


def stem_of(name: str, version: str) -> str:
    """NAME-VERSION with every character that a file name must not have replaced.

    >>> stem_of("zope.interface", "1.1build1~2")
    'zope.interface-1.1build1_2'
    """
    parts = (re.sub(r"[^A-Za-z0-9.]+", "_", name), re.sub(r"[^A-Za-z0-9.+!]+", "_", version))
    return "-".join(part.strip("._") or "_" for part in parts)


def made_tags(names: Iterable[str], home: Home) -> tuple[str, ...]:
    """The tag of a wheel whose installation does not say any.

    Plain shared libraries may be extension modules, so they count as ones of this interpreter.
    """
    native = [name for name in names if _NATIVE.search(name)]
    major, minor = home.version.split(".")[:2]
    if not native:
        return (f"py{major}-none-any",)
    if all(_STABLE.search(name) for name in native):
        return (f"cp{major}{minor}-abi3-{home.platform}",)
    return (f"cp{major}{minor}-{_abi(home, major, minor)}-{home.platform}",)


def _abi(home: Home, major: str, minor: str) -> str:
    """The tag of the interpreter's own ABI, told from its SOABI: cpython-311d-... is cp311d."""
    found = re.match(r"cpython-([0-9]+[a-z]*)", home.soabi or "")
    return f"cp{found[1]}" if found else f"cp{major}{minor}"


def wheel_text(tags: Sequence[str]) -> bytes:
    """A WHEEL file with these tags."""
    is_pure = all(tag.endswith("-none-any") for tag in tags)
    lines = [
        "Wheel-Version: 1.0",
        "Generator: envsnap (made again from the installed files)",
        f"Root-Is-Purelib: {str(is_pure).lower()}",
        *(f"Tag: {tag}" for tag in tags),
    ]
    return ("\n".join(lines) + "\n").encode()
