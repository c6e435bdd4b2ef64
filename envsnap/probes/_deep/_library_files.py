"""Where the environment's library files lie, and whose they are; none is opened here.

A package's own list names most: RECORD, or conda's. Beside them the folders that import reaches
are looked through, as far as no list has named what is in them.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._conda import below, parse_record
from envsnap.probes._deep._library_walk import Walk, is_library
from envsnap.probes._dist_info import Found, Metadata, source_folder
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._record import rows
from envsnap.probes._search import metadata, read, search
from envsnap.sections import Unknown

_TOP = re.compile(rb'^"?([^/,"\n]+)/', re.MULTILINE)


MOST_FILES = 50_000
"""An environment with more library files is not read: a list can be made to name any number."""


class Places(NamedTuple):
    """The candidates, by the path at which import comes upon them."""

    owners: Mapping[str, str | None]
    """The distribution that brought it; None if none did."""
    roots: tuple[str, ...]
    """The folders that import begins at: the search path, and those of editable installations."""
    unread: Mapping[str, Unknown]
    """Folders that were not looked through, and why."""


class _Named(NamedTuple):
    """A distribution on the search path, and the name in its metadata."""

    found: Found
    name: str


def library_files(host: Host, interpreter: Interpreter) -> Places:
    """Every file of the environment whose name is that of a shared library."""
    entries = [each.path for each in interpreter.entries]
    dists = list(_named(host, search(host, interpreter.entries)))
    owners: dict[str, str | None] = {}
    listed: set[str] = set()
    for dist in dists:
        raw = _record(host, dist.found)
        listed |= _listed(dist.found.folder, raw)
        for path in _recorded(raw, dist.found.folder, (interpreter.prefix, *entries)):
            owners.setdefault(path, dist.name)
    for path, name in _of_conda(host, interpreter.prefix, dists):
        owners.setdefault(path, name)
    editable = dict(_editable(host, dists))
    walk = Walk(host, [interpreter.prefix, *entries, *editable], listed)
    for folder in (*entries, *editable):
        walk.enter(folder)
    beside = {path.rpartition("/")[0] for path in owners} if len(owners) <= MOST_FILES else ()
    for folder in sorted(beside):
        walk.look_beside(folder)
    tops = {**dict(_tops(host, dists)), **editable}
    for path in walk.found:
        owners.setdefault(path, _owner_above(path, tops))
    sources = [f"{folder}{part}" for folder in editable for part in ("", "/src")]
    return Places(owners, tuple(dict.fromkeys((*entries, *sources))), walk.unread)


def _named(host: Host, found: Sequence[Found]) -> Iterator[_Named]:
    for each in found:
        known = metadata(host, each)
        if isinstance(known, Metadata):
            yield _Named(each, known.name)


def _record(host: Host, found: Found) -> bytes:
    """The text of a distribution's RECORD; empty where it has none."""
    from envsnap.inside.content import RECORD_LIMIT

    if found.kind != "dist-info" or "RECORD" not in found.files:
        return b""
    raw = host.read(f"{found.path}/RECORD", limit=RECORD_LIMIT)
    return raw if isinstance(raw, bytes) else b""


def _listed(folder: str, record: bytes) -> set[str]:
    """The folders of the search path's entry in which a RECORD names files."""
    tops = {top.decode("utf-8", "surrogateescape") for top in _TOP.findall(record)}
    return {f"{folder}/{top}" for top in tops}


def _recorded(record: bytes, folder: str, within: Sequence[str]) -> Iterator[str]:
    """The library files that a RECORD names, less those that lie in none of these folders."""
    for row in rows(record, naming=b".so"):
        place = posixpath.normpath(f"{folder}/{row.path}")
        if is_library(row.path) and not row.path.startswith("/") and _is_in_one(place, within):
            yield place


def _is_in_one(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def _of_conda(host: Host, prefix: str, dists: Sequence[_Named]) -> Iterator[tuple[str, str]]:
    """The library files that conda's records name, each with the package's name.

    One that brought a Python distribution has that one's name, as everywhere in the manifest.
    """
    by_place = {below(each.found.path, prefix): each.name for each in dists}
    names = host.list(f"{prefix}/conda-meta")
    for name in names if isinstance(names, tuple) else ():
        raw = host.read(f"{prefix}/conda-meta/{name}") if name.endswith(".json") else None
        if not isinstance(raw, bytes) or b".so" not in raw:
            continue
        record, folders = parse_record(raw, name)
        if record is None:
            continue
        owner = next((by_place[each] for each in folders if each in by_place), record.name)
        for path in json.loads(raw).get("files") or ():
            if isinstance(path, str) and is_library(path):
                place = posixpath.normpath(f"{prefix}/{path}")
                if _is_in_one(place, [prefix]):
                    yield place, owner


def _editable(host: Host, dists: Sequence[_Named]) -> Iterator[tuple[str, str]]:
    """The folders that editable installations lead to, each with the distribution's name."""
    for found, name in dists:
        folder: str | None = found.source if found.kind == "egg-link" else None
        if "direct_url.json" in found.files and found.kind == "dist-info":
            raw = read(host, found, "direct_url.json")
            folder = source_folder(raw) if isinstance(raw, bytes) and b"editable" in raw else None
        if folder and folder != "/":
            yield folder, name


def _tops(host: Host, dists: Sequence[_Named]) -> Iterator[tuple[str, str]]:
    """What belongs to distributions without a RECORD: eggs, and what top_level.txt names."""
    for found, name in dists:
        if found.kind == "egg":
            yield found.folder, name
        elif found.kind == "egg-info" or "RECORD" not in found.files:
            raw = host.read(f"{found.path}/top_level.txt", limit=65536)
            for line in raw.split(b"\n") if isinstance(raw, bytes) else ():
                top = line.decode("utf-8", "surrogateescape").strip()
                if top and "/" not in top:
                    yield f"{found.folder}/{top}", name


def _owner_above(path: str, tops: Mapping[str, str]) -> str | None:
    """The owner of the nearest folder, or of a module beside the distribution's metadata."""
    folder, _, name = path.rpartition("/")
    module = f"{folder}/{name.partition('.')[0]}"
    if module in tops:
        return tops[module]
    while folder:
        if folder in tops:
            return tops[folder]
        folder = folder.rpartition("/")[0]
    return None
