"""One line of a requirements file, as pip and uv write and read them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from envsnap._typing import NamedTuple
from envsnap.imports._listed import listed
from envsnap.imports._target import Target
from envsnap.probes._urls import clean_url
from envsnap.sections import Origin, Package

_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)(?P<what>\S.*)\Z")
_NAMED_BEFORE = re.compile(
    r"#\s*Editable\b.*\((?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+-]+)\)"
)
_OTHER_FILE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=)(?P<file>\S+)\Z")
_OPTION = re.compile(r"--?[a-zA-Z]")
_HASH = re.compile(r"\s--hash[= ](\w+):([0-9A-Fa-f]+)")
_NAME_AT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*(?P<url>\S+)")
_EGG = re.compile(r"[#&]egg=(?P<name>[A-Za-z0-9][\w.-]*)")
_VCS = re.compile(r"(?P<vcs>git|hg|svn|bzr)\+")
_ALONE = re.compile(r"(?:(?:git|hg|svn|bzr)\+|https?://|file:|\.{1,2}/)\S+\s*\Z|\S+\.whl\s*\Z")
"""An address or a folder without a name before it."""
_COMMIT = re.compile(r"@(?P<commit>[0-9a-f]{40})\Z")
_CONDA_BUILDS = (
    "/croot/",
    "/feedstock_root/",
    "/conda-bld/",
    "/ci/",
)
_LONGEST = 2000
MOST_LINES = 20_000
"""Of a list; environments have 5,000 packages at most, and each may have a few lines of hashes."""


class Pinned(NamedTuple):
    """A package whose version the line says."""

    package: Package


class Loose(NamedTuple):
    """A package whose version it does not say."""

    words: str
    """The line, for the reader."""


class Elsewhere(NamedTuple):
    """A file that the line refers to."""

    file: str


class Passed(NamedTuple):
    """A line that names no package: an option, or one for another platform."""


class NotRead(NamedTuple):
    """A line that is none of a requirements file."""

    line: str


Line = Pinned | Loose | Elsewhere | Passed | NotRead


def lines(text: str) -> Iterator[str]:
    """The lines of a requirements file: comments gone, continued ones whole."""
    whole = text.replace("\\\n", " ")
    for line in whole.split("\n", MOST_LINES)[:MOST_LINES]:
        named = _NAMED_BEFORE.match(line.strip())
        kept = named[0] if named else re.sub(r"(?:^|\s)#.*\Z", "", line).strip()
        if kept:
            yield kept


def parse(text: Iterable[str], target: Target, *, kind: str = "unknown") -> Iterator[Line]:
    """What each line says; `kind` is the origin of what is pinned by its version alone."""
    named: re.Match[str] | None = None
    for line in text:
        before = _NAMED_BEFORE.match(line)
        if before:
            named = before
            continue
        yield _line(line[:_LONGEST], target, kind, named)
        named = None


def _line(line: str, target: Target, kind: str, named: re.Match[str] | None) -> Line:
    if editable := _EDITABLE.match(line):
        return _editable(editable["what"], named)
    if other := _OTHER_FILE.match(line):
        return Elsewhere(other["file"].rpartition("/")[2])
    if _OPTION.match(line):
        return Passed()
    hashes = _HASH.findall(line)
    bare, _, _ = line.partition(" --")
    if address := _NAME_AT.match(bare):
        return _direct(address["name"], address["url"])
    if _ALONE.match(bare):
        return _unnamed(bare.strip())
    return _by_version(bare.strip(), target, kind, hashes)


def _by_version(line: str, target: Target, kind: str, hashes: list[tuple[str, str]]) -> Line:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        asked = Requirement(line)
    except (InvalidRequirement, RecursionError):
        return NotRead(line)
    if asked.marker is not None and not target.holds(str(asked.marker)):
        return Passed()
    pins = [each for each in asked.specifier if each.operator in {"==", "==="}]
    if len(pins) != 1 or len(asked.specifier) != 1 or pins[0].version.endswith(".*"):
        return Loose(line)
    only = f"{hashes[0][0]}={hashes[0][1].lower()}" if len(hashes) == 1 else None
    origin = Origin(kind=kind, archive_hash=only)
    return Pinned(listed(asked.name, pins[0].version, origin=origin))


def _editable(what: str, named: re.Match[str] | None) -> Line:
    name = _EGG.search(what)
    origin = _of_vcs(what) if _VCS.match(what) else Origin(kind="editable", url="{other}")
    if named:
        return Pinned(listed(named["name"], named["version"], origin=origin))
    return Loose(f"{name['name'] if name else 'a package'}, installed to be edited")


def _direct(name: str, url: str) -> Line:
    """A package from an address: only the name of an archive says its version."""
    version = _version_of(url)
    if version is None:
        return Loose(f"{name} @ {clean_url(url)}" if "://" in url else name)
    return Pinned(listed(name, version, origin=_of_address(url)))


def _unnamed(url: str) -> Line:
    """A package from an address without its name, which the name of an archive says, too."""
    egg, file = _EGG.search(url), _file_of(url)
    if file is not None and not _VCS.match(url):
        return Pinned(listed(*file, origin=_of_address(url if "://" in url else f"file:{url}")))
    return Loose(egg["name"] if egg else clean_url(url))


def _of_address(url: str) -> Origin:
    if any(each in url for each in _CONDA_BUILDS):
        return Origin(kind="conda")
    if _VCS.match(url):
        return _of_vcs(url)
    address, _, fragment = clean_url(url).partition("#")
    stated = fragment if re.fullmatch(r"sha256=[0-9a-f]{64}", fragment) else None
    if url.startswith("file:"):
        address = "{other}/" + address.rpartition("/")[2]
    return Origin(kind="archive", url=address, archive_hash=stated)


def _of_vcs(url: str) -> Origin:
    """A repository, with the commit where the address ends in one."""
    vcs = _VCS.match(url)
    address = clean_url(url.partition("#")[0])
    commit = _COMMIT.search(address)
    place = address[: commit.start()] if commit else address
    return Origin(
        kind="vcs", vcs=vcs["vcs"] if vcs else None,
        url=place.partition("+")[2] or place, commit=commit["commit"] if commit else None,
    )  # fmt: skip


def _version_of(url: str) -> str | None:
    file = _file_of(url)
    return file[1] if file else None


def _file_of(url: str) -> tuple[str, str] | None:
    """The name and version that the name of an archive says; None for other addresses."""
    from urllib.parse import unquote

    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    file = unquote(re.split(r"[#?]", url)[0].rpartition("/")[2])
    try:
        if file.endswith(".whl"):
            wheel, version, *_ = parse_wheel_filename(file)
            return wheel, str(version)
        name, version = parse_sdist_filename(file)
        return name, str(version)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
