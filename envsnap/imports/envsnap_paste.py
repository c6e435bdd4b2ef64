"""What `envsnap show --paste` wrote: facts and packages, each in a block of their own."""

from __future__ import annotations

import json
import re

from envsnap._typing import Any
from envsnap.errors import ManifestError
from envsnap.imports._core import NOT_TOLD, Text, Told, reader
from envsnap.imports._listed import listed, packages
from envsnap.manifest import SCHEMA, decode
from envsnap.sections import SECTIONS, CondaRecord, Origin, Package

Json = Any  # the one type that JSON itself has

FACTS, PACKAGES = "envsnap facts 1", "envsnap packages 1"
"""The first lines of the blocks; the number grows when they are written in another way."""
CUT = "and "
"""How the line begins that stands for packages which were left out."""
CONDA_ONLY = "conda's own"
"""What the libraries that conda alone knows are listed under."""
_FACT = re.compile(
    r"(?P<path>[a-z][a-z_0-9]*(?:\[\d{1,4}\])?(?:\.[a-z_0-9]+(?:\[\d{1,4}\])?)*): (?P<value>\S.*)\Z"
)
_STEP = re.compile(r"[a-z_0-9]+|\[\d+\]")
PLAIN = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?==[A-Za-z0-9][\w.!+-]*\Z", re.ASCII)
_MOST = 4


@reader("envsnap show --paste")
def read_paste(text: Text) -> Told | None:
    """The facts of one block, or the packages of one."""
    mark, _, rest = text.text.strip().partition("\n")
    rows = [line.strip() for line in rest.split("\n") if line.strip()]
    if mark.strip() == FACTS:
        return _facts(rows)
    return _packages(rows) if mark.strip() == PACKAGES else None


def _facts(rows: list[str]) -> Told:
    """The sections that the lines `path: value` make up; one that is none is left out."""
    tree: dict[str, Json] = {}
    left: list[str] = []
    for row in rows:
        found = _FACT.match(row)
        if found is None or not _is_put(tree, found["path"], found["value"]):
            left.append(row)
    sections: dict[str, object] = {}
    for name in sorted(SECTIONS.keys() & tree.keys() - {"packages"}):
        section = _decoded(name, tree[name])
        if isinstance(section, ManifestError):
            left.append(f"{name}: {section.message}")
        else:
            sections[name] = section
    return Told("envsnap show --paste", sections, tuple(left))


def _decoded(name: str, tree: Json) -> object:
    """One section, by the rules that a manifest has; or what is wrong with it."""
    captured = {"time": "", "version": ""}
    try:
        whole = decode({"schema": SCHEMA, "captured": captured, "sections": {name: tree}})
    except ManifestError as error:
        return error
    return whole.sections[name]


def _is_put(tree: dict[str, Json], path: str, value: str) -> bool:
    """Put a value at its place; False where it has none, or is no JSON."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return False
    place: Json = tree
    steps = _STEP.findall(path)
    for step, after in zip(steps, [*steps[1:], ""], strict=True):
        below: Json = found if not after else [] if after.startswith("[") else {}
        if step.startswith("["):
            number = int(step[1:-1])
            if not isinstance(place, list) or number > len(place):
                return False
            if number == len(place):
                place.append(below)
            place = place[number]
        elif not isinstance(place, dict):
            return False
        else:
            place = place.setdefault(step, below)
    return True


def _packages(rows: list[str]) -> Told:
    """The packages under each heading; a heading is where they come from."""
    found: list[Package] = []
    records: list[CondaRecord] | None = None
    left: list[str] = []
    is_whole, kind = True, "unknown"
    for row in rows:
        if row.startswith("# "):
            kind = row[2:]
            records = records or ([] if kind == CONDA_ONLY else None)
            continue
        words = row.split("==") if PLAIN.match(row) else _words(row)
        if row.startswith(CUT):
            is_whole = False
        elif not 2 <= len(words) <= _MOST:  # noqa: PLR2004 - a name and a version at least
            left.append(row)
        elif kind == CONDA_ONLY:
            records = [*(records or ()), _record(words)]
        else:
            found.append(_package(words, kind))
    return Told(
        "envsnap show --paste",
        {
            "packages": packages(
                found, is_whole=is_whole and not left,
                conda_only=NOT_TOLD if records is None else tuple(records),
            )
        },
        tuple(left),
    )  # fmt: skip


def _package(words: list[str], kind: str) -> Package:
    """A package; where conda brought it, with conda's own name, version and build."""
    name, version, *of_conda = words
    conda = _record([*of_conda, version]) if len(of_conda) == 1 else None
    if len(of_conda) == 2:  # noqa: PLR2004 - conda's name and build
        conda = _record([of_conda[0], version, of_conda[1]])
    evidence = "conda" if conda else "version"
    return listed(name, version, origin=Origin(kind=kind), conda=conda, evidence=evidence)


def _record(words: list[str]) -> CondaRecord:
    name, version, *build = words
    return CondaRecord(
        name=name, version=version, build=build[0] if build else NOT_TOLD, channel=NOT_TOLD,
        subdir=NOT_TOLD, url=NOT_TOLD, md5=NOT_TOLD, sha256=NOT_TOLD,
    )  # fmt: skip


def _words(row: str) -> list[str]:
    """A row that is no plain pin: a JSON list of texts."""
    try:
        found = json.loads(row)
    except (ValueError, RecursionError):
        return []
    is_list = isinstance(found, list) and all(isinstance(each, str) and each for each in found)
    return found if is_list else []
