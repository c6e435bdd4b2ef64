"""Asks uv. It answers for all requirements or none: those it rejects are found, and left out."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from envsnap.engines import run
from envsnap.engines._pythons import find_uv as uv_here
from envsnap.errors import MissingExtraError, ToolError
from envsnap.lock._choose import Target
from envsnap.lock._hosts import Indexes
from envsnap.lock._pylock import Release, parse
from envsnap.lock._redact import redacted, secrets_of
from envsnap.lock._together import Command, run_together
from envsnap.manifest import canonical_name

_GROUP = 24
"""So few are asked together once two calls have not settled it."""
_LARGEST_ANSWER = 64 * 1024 * 1024
_LONGEST_COMPLAINT = 2000
_GLIBCS = (17, 28, *range(31, 41))
"""The platforms that uv knows by name."""
_EXACT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*[=!<>~]=?")
_MISSING = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*) was not found in")
_PAGE = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._-]*)/?[`'\"]?(?=[\s,:).]|$)")
_UNREACHED = re.compile(
    r"dns error|client error \(connect\)|connection refused|timed? ?out|certificate|unreachable",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\A(uv \d+(?:\.\d+)+)")
ANSWERED = "No solution found"
_REFUSED = re.compile(r"\b(?:401|403) (?:Unauthorized|Forbidden)")
_NOT_OURS = ("UV_OVERRIDE", "UV_CONSTRAINT", "UV_EXCLUDE")
"""What makes uv answer another question: only where to look is the user's to set."""


class Answer(NamedTuple):
    """What an index answered through a locker."""

    locker: str
    releases: Mapping[str, Release]
    rejected: Mapping[str, str]
    """Why the locker would not have a requirement, by canonical name."""


class Question(NamedTuple):
    """What the files must fit, and who is asked."""

    python: str
    """The version to the patch."""
    target: Target
    indexes: Indexes
    timeout_s: float = 600.0
    """For one call of the locker."""
    resolution: str = "highest"
    """Which version of a range: highest or lowest. A pin has but one."""


class Part(NamedTuple):
    """Requirements by canonical name, and where they are asked for."""

    requirements: Mapping[str, str]
    question: Question


def ask_uv(parts: Sequence[Part]) -> list[Answer]:
    """The releases behind the requirements of each part, all asked at the same time.

    Those with a local version (`+cu121`) are on few indexes: they are asked apart.
    Each rejection costs a call. Most environments have none or one; after the first, what was
    rejected together is asked in ever smaller groups, all at the same time.

    Raises:
        MissingExtraError: uv is not installed.
        ToolError: It failed, and not over a requirement.
    """
    program = find_uv()
    found: list[Answer] = [Answer("", {}, {}) for _ in parts]
    version = _Version(program)
    groups = [(place, group) for place, part in enumerate(parts) for group in _split(part)]
    rounds = 0
    while groups:
        rounds += 1
        asked = [Part(group, parts[place].question) for place, group in groups]
        left: list[tuple[int, dict[str, str]]] = []
        for (place, group), answer in zip(groups, _asked_together(program, asked), strict=True):
            found[place] = _joined(found[place], answer)
            rest = {name: each for name, each in group.items() if name not in answer.rejected}
            if answer.rejected and rest:
                left += [(place, each) for each in _parted(rest, rounds)]
        groups = left
    _refuse_silence(found)
    locker = version.told()
    return [each._replace(locker=locker) for each in found]


def _split(part: Part) -> list[dict[str, str]]:
    odd = {name: each for name, each in part.requirements.items() if "+" in each}
    usual = {name: each for name, each in part.requirements.items() if name not in odd}
    return [group for group in (usual, odd) if group]


def _joined(one: Answer, other: Answer) -> Answer:
    return Answer("", {**one.releases, **other.releases}, {**one.rejected, **other.rejected})


def _parted(requirements: Mapping[str, str], rounds: int) -> list[dict[str, str]]:
    """All once more after the first round, then groups of 24, 12, 6, ..."""
    names = sorted(requirements)
    size = len(names) if rounds == 1 else max(_GROUP >> (rounds - 2), 1)
    groups = [names[each : each + size] for each in range(0, len(names), size)]
    return [{name: requirements[name] for name in group} for group in groups]


def _refuse_silence(answers: Sequence[Answer]) -> None:
    """An index that would not talk about any package has not said that it lacks them."""
    if any(answer.releases for answer in answers):
        return
    for complaint in (each for answer in answers for each in answer.rejected.values()):
        if not complaint.startswith(ANSWERED) or _REFUSED.search(complaint):
            _raise_unanswered(complaint)


def _asked_together(program: str, parts: Sequence[Part]) -> list[Answer]:
    """For each part its releases, or at least one rejection and no release."""
    with tempfile.TemporaryDirectory(prefix="envsnap-lock-") as folder:
        commands = []
        for place, part in enumerate(parts):
            with open(f"{folder}/{place}.in", "w", encoding="utf-8") as file:
                file.writelines(f"{each}\n" for each in part.requirements.values())
            argv = _command(program, f"{folder}/{place}.in", part.question)
            variables = _variables(part.question.indexes)
            commands.append(Command(argv, variables, f"{folder}/{place}.toml"))
        done = run_together(commands, timeout_s=max(part.question.timeout_s for part in parts))
        return [
            Answer("", parse(_read(f"{folder}/{place}.toml")), {})
            if ended.status == 0
            else _rejection(_complaint(ended.stderr, part.question.indexes), part.requirements)
            for place, (part, ended) in enumerate(zip(parts, done, strict=True))
        ]


def _command(program: str, wanted: str, question: Question) -> list[str]:
    return [
        program, "pip", "compile", "--no-deps", "--format", "pylock.toml", "--no-header",
        "--python-version", question.python, "--python-platform", _platform(question.target),
        "--python", sys.executable, "--no-python-downloads", "--quiet", "--no-progress",
        "--color", "never",
        "--resolution", question.resolution,
        *(("--no-index",) if question.indexes.no_index else ()),
        wanted,
    ]  # fmt: skip


def _rejection(complaint: str, requirements: Mapping[str, str]) -> Answer:
    names = blamed(complaint, requirements)
    if not names:
        _raise_unanswered(complaint)
    return Answer("", {}, dict.fromkeys(names, complaint))


def _raise_unanswered(complaint: str) -> NoReturn:
    raise ToolError(
        f"uv found no answer: {complaint}",
        hint="See whether the package index can be reached, and lock again",
    )


def blamed(complaint: str, left: Iterable[str]) -> list[str]:
    """The names over which uv complains: it cannot have them as they were asked for.

    A network that fails is no package's fault, and names none; a page that cannot be read is that
    of one package.

    >>> blamed("Because there is no version of cffi==99.0 and ...", {"cffi": ...})
    ['cffi']
    """
    named = set(_EXACT.findall(complaint)) | set(_MISSING.findall(complaint))
    if not _UNREACHED.search(complaint):
        named |= set(_PAGE.findall(complaint))
    return sorted({canonical_name(name) for name in named} & set(left))


def _read(path: str) -> str:
    """An answer that is no larger than one can be: an index decides how long its names are."""
    size = os.path.getsize(path)
    if size > _LARGEST_ANSWER:
        raise ToolError(
            f"uv's answer has {size >> 20} MiB; one of {_LARGEST_ANSWER >> 20} MiB is read at most",
            hint="See what the index answers: one of its pages is far too long",
        )
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _variables(indexes: Indexes) -> Mapping[str, str]:
    """The indexes, as variables: the process list must not show an address with a token in it."""
    found = dict(indexes.client)
    found.update(dict.fromkeys(_NOT_OURS, ""))
    if indexes.default:
        found["UV_DEFAULT_INDEX"] = indexes.default
    if indexes.extra:
        own = os.environ.get("UV_INDEX", "").split()
        found["UV_INDEX"] = " ".join((*indexes.extra, *own))
    if indexes.find_links:
        own = [each for each in os.environ.get("UV_FIND_LINKS", "").split(",") if each]
        found["UV_FIND_LINKS"] = ",".join((*indexes.find_links, *own))
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


def find_uv() -> str:
    """The uv beside this Python, else the one on PATH.

    Raises:
        MissingExtraError: There is none.
    """
    found = uv_here()
    if found is None:
        raise MissingExtraError("uv", "lock")
    return found


class _Version(threading.Thread):
    """Asks a program for its version while others are waited for."""

    def __init__(self, program: str) -> None:
        super().__init__(daemon=True)
        self._program = program
        self._said = ""
        self.start()

    def run(self) -> None:
        """Ask; a program that cannot be started says nothing."""
        with contextlib.suppress(ToolError):
            self._said = run([self._program, "--version"], timeout_s=30).stdout

    def told(self) -> str:
        """As 'uv 0.9.1'.

        Raises:
            ToolError: It told no version.
        """
        self.join()
        found = _VERSION.match(self._said)
        if found is None:
            raise ToolError(f"{self._program} does not say which uv it is")
        return found[1]


def _complaint(stderr: str, indexes: Indexes) -> str:
    """What uv said was wrong, in one line, without credentials."""
    lines = [line.strip() for line in stderr.splitlines() if not line.startswith("warning")]
    text = " ".join(line.removeprefix("cause:").strip() for line in lines if line)
    text = redacted(text.removeprefix("error: ").strip(), secrets_of(indexes, os.environ))
    return text[:_LONGEST_COMPLAINT]
