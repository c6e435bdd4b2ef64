"""Asks uv. It answers for all pins or none: one it rejects is dropped, the rest asked again."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envsnap.engines import Done, run
from envsnap.errors import MissingExtraError, ToolError
from envsnap.lock._choose import Target
from envsnap.lock._hosts import Indexes, redacted
from envsnap.lock._pins import Pin
from envsnap.lock._pylock import Release, parse
from envsnap.manifest import canonical_name

_ROUNDS = 60
"""Each rejected pin costs one; an environment with more of them has no index behind it."""
_TIMEOUT_S = 600.0
_GLIBCS = (17, 28, *range(31, 41))
"""The platforms that uv knows by name."""
_EXACT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*==")
_VERSION = re.compile(r"\A(uv \d+(?:\.\d+)+)")


class Answer(NamedTuple):
    """What an index answered through a locker."""

    locker: str
    releases: Mapping[str, Release]
    rejected: Mapping[str, str]
    """Why the locker would not have a pin, by canonical name."""


class Question(NamedTuple):
    """What the files must fit, and who is asked."""

    python: str
    """The version to the patch."""
    target: Target
    indexes: Indexes


def ask_uv(pins: Sequence[Pin], question: Question) -> Answer:
    """The releases behind the pins.

    Raises:
        MissingExtraError: uv is not installed.
        ToolError: It failed, and not over a pin.
    """
    program = _find_uv()
    locker = _version(program)
    left = {pin.name: pin for pin in pins}
    rejected: dict[str, str] = {}
    for _ in range(_ROUNDS):
        if not left:
            return Answer(locker, {}, rejected)
        done = _compile(program, list(left.values()), question)
        if done.status == 0:
            return Answer(locker, parse(done.stdout), rejected)
        complaint = _complaint(done.stderr)
        named = blamed(complaint, left)
        if not named:
            raise ToolError(
                f"uv found no answer: {complaint}",
                hint="See whether the package index can be reached, and lock again",
            )
        for name in named:
            del left[name]
            rejected[name] = complaint
    raise ToolError(f"uv rejected {len(rejected)} packages one after the other")


def blamed(complaint: str, left: Mapping[str, Pin]) -> list[str]:
    """The pins that uv's complaint names as `name==version`: those that it cannot have.

    A network that fails is no pin's fault, and names none so.

    >>> blamed("Because there is no version of cffi==99.0 and ...", {"cffi": ...})
    ['cffi']
    """
    named = {canonical_name(name) for name in _EXACT.findall(complaint)}
    return sorted(named & left.keys())


def _compile(program: str, pins: Sequence[Pin], question: Question) -> Done:
    with tempfile.TemporaryDirectory(prefix="envsnap-lock-") as folder:
        wanted = os.path.join(folder, "requirements.in")
        with open(wanted, "w", encoding="utf-8") as file:
            file.writelines(f"{pin.requirement}\n" for pin in pins)
        argv = [
            program, "pip", "compile", "--no-deps", "--format", "pylock.toml", "--no-header",
            "--python-version", question.python, "--python-platform", _platform(question.target),
            "--no-python-downloads", "--no-progress", "--color", "never", wanted,
        ]  # fmt: skip
        return run(argv, timeout_s=_TIMEOUT_S, variables=_variables(question.indexes))


def _variables(indexes: Indexes) -> Mapping[str, str]:
    """The indexes, as variables: the process list must not show an address with a token in it."""
    found: dict[str, str] = {}
    if indexes.default:
        found["UV_DEFAULT_INDEX"] = indexes.default
    if indexes.extra:
        found["UV_INDEX"] = " ".join(indexes.extra)
    if indexes.find_links:
        found["UV_FIND_LINKS"] = ",".join(indexes.find_links)
    if indexes.extra and "UV_INDEX_STRATEGY" not in os.environ:
        # An index for one framework also has old versions of others; every pin is exact.
        found["UV_INDEX_STRATEGY"] = "unsafe-first-match"
    return found


def _platform(target: Target) -> str:
    """The platform by uv's name, so that it offers every wheel that could have been installed."""
    if target.libc == "musl":
        return f"{target.machine}-unknown-linux-musl"
    minor = max((each for each in _GLIBCS if each <= target.libc_version[1]), default=_GLIBCS[0])
    return f"{target.machine}-manylinux_2_{minor}"


def _find_uv() -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    found = beside if os.access(beside, os.X_OK) else shutil.which("uv")
    if found is None:
        raise MissingExtraError("uv", "lock")
    return found


def _version(program: str) -> str:
    found = _VERSION.match(run([program, "--version"], timeout_s=30).stdout)
    if found is None:
        raise ToolError(f"{program} does not say which uv it is")
    return found[1]


def _complaint(stderr: str) -> str:
    """What uv said was wrong, in one line, without credentials."""
    lines = [line.strip() for line in stderr.splitlines() if not line.startswith("warning")]
    text = " ".join(line.removeprefix("cause:").strip() for line in lines if line)
    return redacted(text.removeprefix("error: ").strip())[:400]
