"""Whether the wheels of a lock are ones that the manifest's Python can load. By their names."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.tags import Tag, compatible_tags, cpython_tags

from envsnap.errors import PlanError
from envsnap.plan import _safe
from envsnap.sections import Artifact, Python

_SHOWN = 5
_ANY = "any"
_LINUX = ("linux_", "manylinux", "musllinux_")
_PLAIN_ABI = (3, 8)
"""From here on a release's ABI is named without the letter m."""


def refuse_unfit(chosen: Sequence[Artifact], python: Python, machine: str) -> None:
    """Refuse wheels of another Python or machine: only the installer would, inside the image.

    Raises:
        PlanError: There are some; the message names them.
    """
    pairs = _pairs(python)
    wrong = [
        each.filename
        for each in chosen
        if _safe.is_wheel(each)
        and not any(_fits(tag, pairs, machine) for tag in _safe.tags_of(each))
    ]
    if not wrong:
        return
    noun = "wheel of the lock is" if len(wrong) == 1 else "wheels of the lock are"
    threads = " (free-threaded)" if python.free_threaded is True else ""
    lines = "".join(f"\n  {each}" for each in wrong[:_SHOWN])
    more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    raise PlanError(
        f"{len(wrong)} {noun} not for CPython {python.version}{threads} on {machine}:{lines}{more}",
        hint="Lock again where the environment is: envsnap lock",
    )


def _pairs(python: Python) -> frozenset[tuple[str, str]]:
    """Interpreter and ABI of every tag that this Python takes, whatever the platform."""
    major, minor = (int(part) for part in python.version.split(".")[:2])
    own = f"cp{major}{minor}"
    ending = ("t" if python.free_threaded is True else "") + (
        "m" if (major, minor) < _PLAIN_ABI else ""
    )
    abis = [f"{own}d{ending}", f"{own}{ending}"] if python.debug is True else [f"{own}{ending}"]
    tags = [
        *cpython_tags((major, minor), abis, [_ANY]), *compatible_tags((major, minor), own, [_ANY]),
    ]  # fmt: skip
    return frozenset((each.interpreter, each.abi) for each in tags)


def _fits(tag: Tag, pairs: frozenset[tuple[str, str]], machine: str) -> bool:
    if (tag.interpreter, tag.abi) not in pairs:
        return False
    is_own = tag.platform.startswith(_LINUX) and tag.platform.endswith(f"_{machine}")
    return tag.platform == _ANY or is_own
