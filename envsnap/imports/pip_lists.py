"""What pip and uv print of an environment, and requirements files: one line a package."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch

from envsnap.imports._core import FILTERED, NOT_TOLD, Text, Told, reader
from envsnap.imports._gathered import Gathered, gathered
from envsnap.imports._listed import listed, packages
from envsnap.imports._requirement import MOST_LINES, lines, parse
from envsnap.imports._target import target
from envsnap.sections import CondaRecord, Fact, Origin, Package

_HEAD = re.compile(r"Package\s+Version(?P<more>\s.*)?\Z")
_RULE = re.compile(r"-{2,}(?:\s+-{2,})+\Z")
_ROW = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s+(?P<version>\d\S*)(?P<more>\s+\S.*)?\Z"
)
_NOISE = re.compile(r"(?:WARNING|DEPRECATION|NOTICE|Using Python )|\[notice\]|You are using pip")
_CUT = re.compile(r"(?:\.\.\.|…|\[\.\.\.\]|<snip>)\Z")
_PINNED = re.compile(
    r"(?:-e\s|[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?\s*(?:===?\s*[\w.!+*-]+|@\s*\S+:\S+))"
)
_FILES = ("*requirements*.txt", "*requirements*.in", "*constraints*.txt")
_MOSTLY = 0.8
_BY_PIP = re.compile(r"\+cu\d|\Anvidia-\w+(?:-\w+)*-cu\d")
"""What no conda package is called: who has it got PyTorch and CUDA from pip."""


@reader("pip list", "pip list", "pip list |")
def read_pip_list(text: Text) -> Told | None:
    """The table that `pip list` and `uv pip list` print."""
    every = text.text.split("\n")
    start = next((n for n, line in enumerate(every) if _HEAD.match(line.strip())), -1)
    if start < 0 and not text.name.startswith("pip list"):
        return None
    has_places = start >= 0 and "Editable" in every[start]
    found: list[Package] = []
    left: list[str] = []
    is_cut = False
    for line in map(str.strip, every[start + 1 :][:MOST_LINES]):
        row = _ROW.match(line)
        if row:
            is_edited = bool(has_places and row["more"])
            origin = Origin(kind="editable", url="{other}") if is_edited else Origin(kind="unknown")
            found.append(listed(row["name"], row["version"], origin=origin))
        elif _CUT.match(line):
            is_cut = True
        elif found and (not line or start < 0):
            break
        elif line and not _RULE.match(line) and not _NOISE.match(line):
            left.append(line)
    if not found:
        return None
    notes = ("the list is cut",) if is_cut else ()
    is_whole = start >= 0 and not is_cut and not text.name.endswith(FILTERED)
    return Told("pip list", _section(found, is_whole=is_whole), tuple(left), notes)


@reader("pip freeze", "pip freeze", "pip freeze |")
def read_freeze(text: Text) -> Told | None:
    """What `pip freeze`, `uv pip freeze` and `pip list --format=freeze` print."""
    every = [line for line in lines(text.text) if not line.startswith("#")]
    every = [line for line in every if not _NOISE.match(line)]
    told = [line for line in every if _PINNED.match(line)]
    if not told or len(told) < _MOSTLY * len(every):
        return None
    is_part = text.name.endswith(FILTERED)
    return _told("pip freeze", _gathered(text, kind="unknown"), is_part=is_part)


@reader("requirements.txt", *_FILES)
def read_requirements(text: Text) -> Told | None:
    """A requirements file, or what `pip freeze` printed."""
    found = _gathered(text, kind="index")
    known = len(found.pinned) + len(found.loose)
    # Under another name, a word alone on its line is no requirement but prose.
    is_one = known > len(found.not_read) if _is_named(text) else _is_mostly_pinned(found)
    if not known or not is_one:
        return None
    return _told("requirements.txt", found)


def _is_named(text: Text) -> bool:
    return any(fnmatch(text.name, pattern) for pattern in _FILES)


def _is_mostly_pinned(found: Gathered) -> bool:
    return len(found.pinned) > len(found.loose) + len(found.not_read)


def _gathered(text: Text, *, kind: str) -> Gathered:
    every = (line for line in lines(text.text) if not _NOISE.match(line))
    return gathered(parse(every, target(text), kind=kind))


def _told(form: str, found: Gathered, *, is_part: bool = False) -> Told:
    section = _section(found.pinned, is_whole=found.is_whole and not is_part)
    return Told(form, section, found.not_read, found.notes)


def _section(found: Iterable[Package], *, is_whole: bool) -> dict[str, object]:
    every = tuple(found)
    return {"packages": packages(every, is_whole=is_whole, conda_only=_conda(every))}


def _conda(found: Iterable[Package]) -> Fact[tuple[CondaRecord, ...]]:
    """What conda put beside them: nothing where pip brought CUDA, else nobody says."""
    by_pip = any(_BY_PIP.search(each.version) or _BY_PIP.search(each.name) for each in found)
    return () if by_pip else NOT_TOLD
