"""What conda, mamba and micromamba print of an environment."""

from __future__ import annotations

import re

from envsnap.imports._conda import conda_section, of_archive, record_of
from envsnap.imports._core import FILTERED, Text, Told, reader
from envsnap.imports._requirement import MOST_LINES
from envsnap.sections import CondaRecord

_HEAD = re.compile(r"#?\s*Name\s+Version\s+Build(?:\s+Channel)?\s*\Z")
_RULE = re.compile(r"[-─━═ ]+\Z")
_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*\Z")
_EXPORTED = re.compile(r"(?P<name>[A-Za-z0-9_][\w.-]*)=(?P<version>[^=\s]+)=(?P<build>[^=\s]+)\Z")
_PLATFORM = re.compile(r"#\s*platform:\s*(?P<platform>[a-z]+-[a-z0-9]+)\s*\Z", re.MULTILINE)
_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_SHA256 = re.compile(r"(?:sha256:)?(?P<hex>[0-9a-f]{64})\Z")
_FIELDS = (3, 4)
_LONGEST = 250
"""Of a word in a row; no package has a name, version or build of as many letters."""


@reader("conda list --explicit", is_strict=True)
def read_explicit(text: Text) -> Told | None:
    """The addresses that `conda list --explicit` prints, with their hashes."""
    before, mark, after = text.text.partition("@EXPLICIT")
    if not mark or [line for line in before.split("\n") if line.strip() and line[0] != "#"]:
        return None
    found: list[CondaRecord] = []
    left: list[str] = []
    for line in map(str.strip, after.split("\n", MOST_LINES)[:MOST_LINES]):
        if not line or line.startswith("#"):
            continue
        record = _archive(line)
        if record is None:
            left.append(line)
        else:
            found.append(record)
    if not found:
        return None
    return Told("conda list --explicit", conda_section(found), tuple(left))


@reader("conda list", "conda list", "conda list |")
def read_table(text: Text) -> Told | None:
    """The table that `conda list`, `mamba list` and `micromamba list` print."""
    every = text.text.split("\n")
    start = next((n for n, line in enumerate(every) if _HEAD.match(line.strip())), -1)
    if start < 0 and not text.name.startswith("conda list"):
        return None
    found: list[CondaRecord] = []
    left: list[str] = []
    for line in map(str.strip, every[start + 1 :][:MOST_LINES]):
        if not line and found:
            break
        if not line or line.startswith("#") or _RULE.match(line):
            continue
        record = _row(line.split())
        if record is None:
            left.append(line)
        else:
            found.append(record)
    if not found:
        return None
    is_whole = start >= 0 and not left and not text.name.endswith(FILTERED)
    return Told("conda list", conda_section(found, is_whole=is_whole), tuple(left))


@reader("conda list --export")
def read_exported(text: Text) -> Told | None:
    """The lines `name=version=build` of `conda list --export`."""
    found_lines = text.text.split("\n", MOST_LINES)[:MOST_LINES]
    every = [line.strip() for line in found_lines if line.strip()]
    rows = [(line, _EXPORTED.match(line)) for line in every if not line.startswith("#")]
    found = [row for _, row in rows if row]
    if not found or len(found) < len(rows) / 2:
        return None
    told = _PLATFORM.search(text.text)
    records = [
        record_of(each["name"], each["version"], each["build"], subdir=told and told["platform"])
        for each in found
    ]
    left = tuple(line for line, row in rows if not row)
    return Told("conda list --export", conda_section(records, is_whole=not left), left)


def _archive(line: str) -> CondaRecord | None:
    address, _, stated = line.partition("#")
    sha256 = _SHA256.match(stated)
    md5 = stated if _MD5.match(stated) else None
    return of_archive(address, md5=md5, sha256=sha256["hex"] if sha256 else None)


def _row(words: list[str]) -> CondaRecord | None:
    if max(map(len, words)) > _LONGEST:
        return None
    if len(words) == 2 and words[1][:1].isdigit():  # noqa: PLR2004 - a name and a version
        return record_of(words[0], words[1])
    if len(words) not in _FIELDS or not _NAME.match(words[0]) or not words[1][:1].isalnum():
        return None
    # A package of the defaults channel has an empty last column.
    channel = words[3] if len(words) > _FIELDS[0] else "defaults"
    return record_of(words[0], words[1], words[2], channel=channel)
