"""What images are called, and what in a name or version decides."""

from __future__ import annotations

import re
import shlex

from envsnap.errors import UsageError

_WORD = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"\A(?P<name>{_WORD}(?::[0-9]{{1,5}}(?=/))?(?:/{_WORD})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*))?\Z"
)
_LONGEST_NAME, _LONGEST_TAG = 255, 128
_NUMBERS = re.compile(r"(\d+)\.(\d+)")


def refuse_odd_name(image: str, who: str) -> None:
    """Refuse what a registry would not take for a name, before anything is made for it.

    Raises:
        UsageError: It is no NAME or NAME:TAG in small letters, or too long.
    """
    if image.endswith(".sif"):
        raise UsageError(
            f"{who} makes no file, and {image!r} is the name of one",
            hint=f"Give --singularity --image {shlex.quote(image)}, or a NAME:TAG",
        )
    found = _NAME.match(image)
    if found is None:
        raise UsageError(
            f"{who} names images in small letters, as lab/paper:1, not {image[:_LONGEST_NAME]!r}",
            hint="Give --image NAME or --image NAME:TAG",
        )
    for part, longest in (("name", _LONGEST_NAME), ("tag", _LONGEST_TAG)):
        if len(found[part] or "") > longest:
            raise UsageError(
                f"The {part} of an image has at most {longest} letters, not {len(found[part])}",
                hint="Give a shorter --image NAME:TAG",
            )


def series(version: str) -> tuple[int, int]:
    """The first two numbers of a version; (0, 0) where there are none.

    >>> series("singularity-ce version 3.11.4-1.el9")
    (3, 11)
    """
    found = _NUMBERS.search(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
