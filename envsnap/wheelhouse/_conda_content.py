"""What a conda archive would install, told by the bytes in it; hostile ones are bounded."""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envsnap.errors import EnvsnapError
from envsnap.inside import conda_files
from envsnap.sections import CondaArtifact

_LIST, _INDEX = "info/paths.json", "info/index.json"
_LIMIT_BYTES = 64 << 20
_MOST_BYTES = 64 << 30
"""The most that is unpacked to look at it."""
_PIECE = 1 << 20
_MOST_LINKS = 40
"""On the way to one file, as in Linux."""
_FAULTS = (tarfile.TarError, EnvsnapError, OSError, EOFError, ValueError, TypeError, RecursionError)
"""What a stranger's archive ends in where it is no whole one."""


class _Archive(NamedTuple):
    """The members of an archive, by their names."""

    hashes: Mapping[str, str]
    links: Mapping[str, str]
    texts: Mapping[str, bytes]


def conda_content_of(path: str, artifact: CondaArtifact, site: str) -> str | None:
    """The envsnap-conda-1 digest of a `.tar.bz2` archive's files; None of what is not whole.

    `site` is where the environment's Python has its packages, below the prefix: there the files
    of a noarch package are moved. An archive that says it is another package has no digest.
    """
    try:
        found = _read(path)
        index, listed = (json.loads(found.texts[name]) for name in (_INDEX, _LIST))
        said = tuple(str(index.get(key)) for key in ("name", "version", "build"))
        if said != (artifact.name, artifact.version, artifact.build):
            return None
        moved = site if index.get("noarch") == "python" else ""
        rows = list(_rows(listed["paths"], found, moved))
    except (*_FAULTS, LookupError, AttributeError):
        return None
    record = {"name": artifact.name, "paths_data": {"paths": rows}}
    return conda_files.digest_of(conda_files.files_of(record))


def _read(path: str) -> _Archive:
    hashes: dict[str, str] = {}
    links: dict[str, str] = {}
    texts: dict[str, bytes] = {}
    left = _MOST_BYTES
    with tarfile.open(path, "r|bz2") as archive:
        for member in archive:
            name = posixpath.normpath(member.name)
            left -= member.size
            if left < 0 or name in hashes or name in links:
                raise ValueError(name)  # a second one of that name could be the one that counts
            if member.issym():
                links[name] = member.linkname
            elif member.islnk():
                hashes[name] = hashes[posixpath.normpath(member.linkname)]
            elif member.isreg():
                kept = name in {_LIST, _INDEX}
                hashes[name], texts[name] = _hashed(archive, member, is_kept=kept)
    return _Archive(hashes, links, texts)


def _hashed(
    archive: tarfile.TarFile, member: tarfile.TarInfo, *, is_kept: bool
) -> tuple[str, bytes]:
    """The hash of a file, and its bytes where these are asked for."""
    source, digest, kept = archive.extractfile(member), hashlib.sha256(), b""
    if source is None or (is_kept and member.size > _LIMIT_BYTES):
        raise ValueError(member.name)
    while piece := source.read(_PIECE):
        digest.update(piece)
        kept += piece if is_kept else b""
    return digest.hexdigest(), kept


def _rows(
    listed: list[dict[str, Any]], archive: _Archive, site: str
) -> Iterator[Mapping[str, object]]:
    """The list's rows as conda-meta would have them, each with the hash that its file really has.

    Raises:
        ValueError: A row names what is not in the archive.
    """
    for row in listed:
        name = str(row["_path"])
        if row.get("path_type") == "directory":
            continue
        if (row.get("path_type") == "softlink") != (name in archive.links):
            raise ValueError(name)
        if name in archive.links:
            found = archive.hashes.get(end_of(name, archive.links))
            if found not in {None, row.get("sha256")}:
                raise ValueError(name)
            yield {**row, "_path": _installed(name, site)}
        else:
            yield {**row, "_path": _installed(name, site), "sha256": archive.hashes[name]}


def end_of(name: str, links: Mapping[str, str]) -> str:
    """What a link leads to in the end, by its name in the archive."""
    for _ in range(_MOST_LINKS):
        if name not in links:
            break
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), links[name]))
    return name


def _installed(name: str, site: str) -> str:
    """Where the installer puts a file; `site` is empty for a package that is not noarch Python's.

    >>> _installed("site-packages/a.py", "lib/python3.11/site-packages")
    'lib/python3.11/site-packages/a.py'
    """
    top, slash, rest = name.partition("/")
    to = {"site-packages": site, "python-scripts": "bin"}.get(top, top) if site else top
    return f"{to}{slash}{rest}"
