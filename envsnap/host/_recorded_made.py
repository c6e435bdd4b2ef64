"""A machine that a test writes down, as the answers it would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from envsnap.host._answers import Answers, asked_as
from envsnap.host._protocol import Binary, NvmlAnswer, Ran, Stat, StatedDigest, Uname
from envsnap.sections import Fact, Unknown


class Made(TypedDict, total=False):
    """What can be said of such a machine; `RecordedHost.made` says what it means."""

    files: Mapping[str, str | bytes | Unknown]
    folders: Mapping[str, Sequence[str] | Unknown]
    links: Mapping[str, str]
    devices: Sequence[str]
    absent: Sequence[str]
    absent_below: Sequence[str]
    denied: Sequence[str]
    owners: Mapping[str, int]
    environ: Mapping[str, str | None]
    commands: Mapping[tuple[str, ...], str | Ran | Unknown]
    which: Mapping[str, str | None]
    capacities: Mapping[str, int | None]
    digests: Mapping[str, StatedDigest]
    binaries: Mapping[str, Fact[Binary | None]]
    contents: Mapping[str, Fact[str | None]]
    uname: Fact[Uname]
    user: Fact[tuple[str, int]]
    home: str | None
    cwd: str | None
    nvml: Fact[NvmlAnswer]


def written(given: Made) -> Answers:
    """The answers of the machine that is described."""
    answers = Answers(
        tree=True,
        absent_below=tuple(given.get("absent_below", ())),
        denied=set(given.get("denied", ())),
    )
    _write_files(answers, given)
    for argv, said in given.get("commands", {}).items():
        answers.runs[asked_as(argv)] = Ran(0, said, "") if isinstance(said, str) else said
    for table in ("environ", "which", "capacities", "digests", "binaries", "contents"):
        getattr(answers, table).update(given.get(table, {}))
    for single in ("uname", "user", "home", "cwd", "nvml"):
        value = given.get(single)
        if value is not None:
            setattr(answers, single, value)
    return answers


def _write_files(answers: Answers, given: Made) -> None:
    for path, content in given.get("files", {}).items():
        answers.reads[path] = (
            content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        )
    for path, names in given.get("folders", {}).items():
        answers.lists[path] = names if isinstance(names, Unknown) else tuple(sorted(names))
    answers.links.update(given.get("links", {}))
    answers.stats.update(dict.fromkeys(given.get("devices", ()), Stat("other", 0, 0)))
    answers.stats.update(dict.fromkeys(given.get("absent", ())))
    for path, owner in given.get("owners", {}).items():
        known = answers.reads.get(path)
        kind, size = ("file", len(known)) if isinstance(known, bytes) else ("folder", 0)
        answers.stats[path] = Stat(kind, size, 0, owner)
