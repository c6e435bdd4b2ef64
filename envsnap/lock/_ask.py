"""Asks the chosen locker for exact versions: an answer of another version is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from envsnap.errors import UsageError
from envsnap.lock._choose import Target
from envsnap.lock._hosts import Indexes
from envsnap.lock._pip_tools import ask_pip_tools
from envsnap.lock._uv import Answer, Part, Question, ask_uv

LOCKERS = ("uv", "pip-tools")
OVERRULED = "uv's own settings here put"


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """How the index is asked."""

    locker: str = "uv"
    indexes: Indexes = field(default_factory=Indexes)
    timeout_s: float = 600.0
    """For one call of the locker."""


class Wanted(NamedTuple):
    """What the files must fit, and who is asked how."""

    python: str
    """The version to the patch."""
    target: Target
    options: LockOptions


class Pins(NamedTuple):
    """Versions by canonical name, and where they are looked for."""

    versions: Mapping[str, str]
    places: Indexes


def ask(asked: Sequence[Pins], wanted: Wanted) -> list[Answer]:
    """The releases of exactly these versions, part by part; all are asked at the same time.

    Raises:
        UsageError: There is no such locker, or it cannot answer for this Python.
        ToolError: The locker or the network failed.
    """
    if wanted.options.locker == "uv":
        return _ask_uv_exactly(asked, wanted)
    if wanted.options.locker == "pip-tools":
        return [ask_pip_tools(pins.versions, wanted.target, pins.places) for pins in asked]
    raise UsageError(
        f"Unknown locker {wanted.options.locker!r}", hint=f"The lockers are: {', '.join(LOCKERS)}"
    )


def question(wanted: Wanted, places: Indexes) -> Question:
    """The same for uv."""
    return Question(wanted.python, wanted.target, places, wanted.options.timeout_s)


def _ask_uv_exactly(asked: Sequence[Pins], wanted: Wanted) -> list[Answer]:
    """`==1.0` also fits `1.0+cpu`, which uv prefers; `===1.0` does not, but is asked apart."""
    answers = ask_uv([_part(pins.versions, "==", wanted, pins.places) for pins in asked])
    others = [_other_versions(pins, answer) for pins, answer in zip(asked, answers, strict=True)]
    if not any(others):
        return answers
    again = ask_uv(
        [
            _part(other, "===", wanted, pins.places)
            for pins, other in zip(asked, others, strict=True)
        ]
    )
    return [_exact(pins, *both) for pins, *both in zip(asked, answers, again, strict=True)]


def _part(versions: Mapping[str, str], sign: str, wanted: Wanted, places: Indexes) -> Part:
    pins = {name: f"{name}{sign}{version}" for name, version in versions.items()}
    return Part(pins, question(wanted, places))


def _exact(pins: Pins, first: Answer, again: Answer) -> Answer:
    """What was answered in the end, less what is still another version."""
    releases = {**first.releases, **again.releases}
    rejected = {**first.rejected, **again.rejected}
    for name in _other_versions(pins, Answer("", releases, {})):
        version = releases.pop(name).version
        rejected.setdefault(name, f"{OVERRULED} {version} in its place")
    return Answer(first.locker, releases, rejected)


def _other_versions(pins: Pins, answer: Answer) -> Mapping[str, str]:
    """Those that were answered with another version than was asked for."""
    return {
        name: pins.versions[name]
        for name, each in answer.releases.items()
        if name in pins.versions and not is_same(each.version, pins.versions[name])
    }


def is_same(one: str, other: str) -> bool:
    """Whether two texts are one version, as 1.0 and 1.0.0 are; 1.0+cpu is another.

    >>> is_same("1.0", "1.0.0"), is_same("1.0", "1.0+cpu")
    (True, False)
    """
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
