"""A conda archive made again from what is installed, where its own is gone everywhere.

conda-meta states the SHA-256 of every file as it was in the archive, so each file proves that it is
the one: also those into which conda wrote the environment's folder, once that is taken out again.
What somebody edited or removed since is kept as it is, and said.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from envsnap.engines._archives import file_hash
from envsnap.errors import FileError
from envsnap.inside import conda_files
from envsnap.wheelhouse._conda_content import end_of

_GENERATED = frozenset({
    "pyc_file", "unix_python_entry_point", "windows_python_entry_point_script",
    "windows_python_entry_point_exe", "windows_python_entrypoint_script",
    "windows_python_entrypoint_exe",
})  # fmt: skip
"""What the installer of a noarch package writes itself."""
_INDEX_KEYS = (
    "name", "version", "build", "build_number", "subdir", "arch", "platform", "noarch", "depends",
    "constrains", "license", "license_family", "timestamp", "features", "track_features",
    "python_site_packages_path",
)  # fmt: skip
_SITE = re.compile(r"\Alib/python[0-9.]+t?/site-packages/")
_ENTRY = re.compile(
    rb"from ([\w.]+) import (\w+)\s.*?sys\.exit\(([\w.]+)\(\)\)", re.DOTALL
)  # of the wrappers that conda, mamba and rattler write
_ENV = b"#!/usr/bin/env "
_LEVEL = 9
_TIME_S = 1577836800
"""2020-01-01: archives have no time of their own, so that two of them are the same bytes."""
_LONGEST_NOTE = 12


class Remade(NamedTuple):
    """An archive that was made again."""

    path: str
    notes: tuple[str, ...]
    """What is not as conda-meta says it was in the archive."""
    content: str | None = None
    """The digest of its files; None where they are as they were captured."""


class _Member(NamedTuple):
    """One file of an archive."""

    kind: bytes
    """As tar has it."""
    mode: int = 0o644
    target: str = ""
    """What a link points to."""
    data: bytes | None = None
    """What it holds; None where `path` says where that is: files can be large."""
    path: str = ""
    size: int = 0
    """Bytes."""

    def sha256(self) -> str:
        """Its hash, hex."""
        return file_hash(self.path, "sha256") if self.data is None else _hex(self.data)


def make_archive(record: Mapping[str, object], prefix: str, target: str) -> Remade | str:
    """The archive as `.tar.bz2` at the target, or why it cannot be made again.

    The same installed files give the same bytes.
    """
    members: dict[str, _Member] = {}
    rows: list[dict[str, object]] = []
    places: list[str] = []
    notes: list[str] = []
    commands: list[str] = []
    for row in _rows(record):
        path, kind = row["_path"], row.get("path_type")
        if kind in _GENERATED:
            commands += _command(os.path.join(prefix, path), path)
            continue
        inner = _inner(path, record)
        found = _read(row, prefix)
        if found is None:
            notes.append(f"missing: {path}")
        elif isinstance(found, str):
            return found
        else:
            members[inner] = found
            rows.append(_path_row(row, inner, found, notes))
            places.append(path)
    if not members and not commands:
        return "its files are gone, or conda-meta does not list them"
    _state_links(rows, members)
    stated = [{**row, "_path": path} for row, path in zip(rows, places, strict=True)]
    placed = conda_files.files_of({"paths_data": {"paths": stated}})
    members |= _info(record, rows, commands)
    try:
        _write(members, target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror}") from error
    return Remade(target, _few(notes), conda_files.digest_of(placed))


def pack_cached(folder: str, target: str) -> Remade | str:
    """The archive as `.tar.bz2` from conda's own unpacked copy of it, or why that cannot be.

    Every file of the copy must have the hash that the package's own list states.
    """
    try:
        with open(os.path.join(folder, "info", "paths.json"), "rb") as file:
            rows = list(_rows({"paths_data": json.load(file)}))
        names = [f"info/{each}" for each in _below(os.path.join(folder, "info"))]
        members = {name: _as_it_is(os.path.join(folder, name)) for name in names}
        for row in rows:
            found = _as_it_is(os.path.join(folder, row["_path"]))
            members[row["_path"]] = found
            if found.kind == tarfile.REGTYPE and found.sha256() != row.get("sha256"):
                return f"{row['_path']} of the copy in {folder} was changed"
        _write(members, target)
    except (OSError, ValueError, RecursionError) as error:
        return f"the copy in {folder} cannot be used: {error}"
    return Remade(target, ())


def _below(folder: str) -> list[str]:
    """The files of a folder at any depth, relative to it."""
    return [
        os.path.relpath(os.path.join(where, name), folder).replace(os.sep, "/")
        for where, _, names in os.walk(folder)
        for name in names
    ]


def _write(members: Mapping[str, _Member], target: str) -> None:
    """Write the archive whole or not at all."""
    part = f"{target}.part"
    try:
        with tarfile.open(
            part, "w:bz2", format=tarfile.PAX_FORMAT, compresslevel=_LEVEL
        ) as archive:
            # What says which package it is stands first, so that readers need not unpack the rest.
            for name in sorted(members, key=lambda each: (not each.startswith("info/"), each)):
                found = members[name]
                row = tarfile.TarInfo(name)
                row.mtime, row.mode, row.type = _TIME_S, found.mode, found.kind
                row.linkname, row.size = found.target, found.size
                if found.data is None and found.path:
                    with open(found.path, "rb") as file:
                        archive.addfile(row, file)
                else:
                    archive.addfile(row, io.BytesIO(found.data or b""))
        os.replace(part, target)
    finally:
        if os.path.lexists(part):
            os.unlink(part)


def _few(notes: list[str]) -> tuple[str, ...]:
    more = len(notes) - _LONGEST_NOTE
    return (*notes[:_LONGEST_NOTE], *([f"and {more} more"] if more > 0 else []))


def _rows(record: Mapping[str, object]) -> Iterator[dict[str, str]]:
    """conda-meta's rows of files below the prefix."""
    data = record.get("paths_data")
    rows = data.get("paths") if isinstance(data, dict) else None
    for row in rows if isinstance(rows, list) else ():
        path = row.get("_path") if isinstance(row, dict) else None
        if isinstance(path, str) and _stays(path):
            yield row


def _stays(path: str) -> bool:
    return bool(path) and path[0] != "/" and ".." not in path.split("/") and "\0" not in path


def _inner(path: str, record: Mapping[str, object]) -> str:
    """Where a file lies in the archive: that of a noarch package knows no version of Python."""
    if record.get("noarch") != "python":
        return path
    if found := _SITE.match(path):
        return "site-packages/" + path[found.end() :]
    return f"python-scripts/{path[4:]}" if path.startswith("bin/") else path


def _read(row: Mapping[str, str], prefix: str) -> _Member | str | None:
    """A file as it was in the archive; None where it is gone; why it cannot be told."""
    path = os.path.join(prefix, row["_path"])
    try:
        if not _is_below(path, prefix):
            return f"{row['_path']} is reached through a link that leaves the environment"
        found = _as_it_is(path)
        if found.kind == tarfile.REGTYPE and row.get("prefix_placeholder"):
            return _restored(row, found, prefix)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{row['_path']} cannot be read: {error.strerror}"
    return found


def _as_it_is(path: str) -> _Member:
    told = os.lstat(path)
    if stat.S_ISLNK(told.st_mode):
        return _Member(tarfile.SYMTYPE, 0o777, os.readlink(path))
    if stat.S_ISDIR(told.st_mode):
        return _Member(tarfile.DIRTYPE, 0o755)
    if not stat.S_ISREG(told.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    mode = 0o755 if told.st_mode & 0o100 else 0o644
    return _Member(tarfile.REGTYPE, mode, path=path, size=told.st_size)


def _restored(row: Mapping[str, str], member: _Member, prefix: str) -> _Member | str:
    """A file without the environment's folder in it, or why that cannot be."""
    with open(member.path, "rb") as file:
        data = file.read()
    found = list(_without(data, row, prefix))
    whole = next((each for each in found if _hex(each) == row.get("sha256")), None)
    if whole is None and _hex(data) == row.get("sha256_in_prefix"):
        return f"the environment's folder cannot be taken out of {row['_path']} again"
    whole = found[0] if whole is None else whole  # somebody edited it
    return member._replace(data=whole, size=len(whole), path="")


def _without(data: bytes, row: Mapping[str, str], prefix: str) -> Iterable[bytes]:
    """What a file can have been, the likeliest first."""
    placeholder, is_text = row["prefix_placeholder"], row.get("file_mode") == "text"
    whole = without_prefix(data, prefix, placeholder, is_text=is_text)
    yield whole
    yield without_prefix(data, os.path.realpath(prefix), placeholder, is_text=is_text)
    if is_text and whole.startswith(_ENV):
        # A first line that would be too long for the kernel is written anew.
        yield b"#!" + placeholder.encode() + b"/bin/" + whole[len(_ENV) :]


def _is_below(path: str, prefix: str) -> bool:
    """Whether a file lies in the environment, its last part unfollowed: that may be a link."""
    root = os.path.realpath(prefix)
    folder = os.path.realpath(os.path.dirname(path))
    return folder == root or folder.startswith(root + os.sep)


def without_prefix(data: bytes, prefix: str, placeholder: str, *, is_text: bool) -> bytes:
    r"""A file with the placeholder where an installer wrote the environment's folder.

    In a binary each string was filled up with zeros to its old length: those are taken away again.

    >>> without_prefix(b"a /env/b\0\0\0\0\0c", "/env", "/pl_ace", is_text=False)
    b'a /pl_ace/b\x00\x00c'
    """
    ours, theirs = prefix.encode(), placeholder.encode()
    if is_text:
        return data.replace(ours, theirs)
    longer = len(theirs) - len(ours)
    found: list[bytes] = []
    position = 0
    while (start := data.find(ours, position)) >= 0:
        end = data.find(b"\0", start)
        end = len(data) if end < 0 else end
        text = data[start:end].replace(ours, theirs)
        zeros = longer * data.count(ours, start, end)
        if data[end : end + zeros] != b"\0" * zeros:
            return data  # no installer left it so
        found += [data[position:start], text]
        position = end + zeros
    return b"".join([*found, data[position:]])


def _state_links(rows: list[dict[str, object]], members: Mapping[str, _Member]) -> None:
    """Give links the hash that the file has which they lead to, where that is in the archive."""
    hashes = {row["_path"]: row.get("sha256") for row in rows}
    links = {name: each.target for name, each in members.items() if each.kind == tarfile.SYMTYPE}
    for row in rows:
        path = end_of(str(row["_path"]), links)
        member = members.get(path)
        if member is not None and member.kind == tarfile.REGTYPE:
            row["sha256"] = hashes[path]


def _path_row(
    row: Mapping[str, str], inner: str, member: _Member, notes: list[str]
) -> dict[str, object]:
    """The row of paths.json, with the hash that the file has; a difference is noted."""
    kept: dict[str, object] = {"_path": inner}
    if member.kind == tarfile.SYMTYPE:
        stated = row.get("sha256")
        of_target = {"sha256": stated} if isinstance(stated, str) else {}
        return {**kept, "path_type": "softlink", **of_target}
    if member.kind == tarfile.DIRTYPE:
        return {**kept, "path_type": "directory"}
    found = member.sha256()
    if found != row.get("sha256"):
        notes.append(f"kept as it is now: {row['_path']}")
    kept |= {"path_type": "hardlink", "sha256": found, "size_in_bytes": member.size}
    placeholder = row.get("prefix_placeholder")
    text = placeholder.encode() if isinstance(placeholder, str) else b""
    if text and member.data is not None and text in member.data:
        kept |= {"prefix_placeholder": placeholder, "file_mode": row.get("file_mode", "text")}
    return kept


def _command(path: str, name: str) -> list[str]:
    """The entry point behind a wrapper in bin/, as link.json names it."""
    try:
        with open(path, "rb") as file:
            found = _ENTRY.search(file.read(65536))
    except OSError:
        return []
    if found is None or not name.startswith("bin/"):
        return []
    module, _, function = (part.decode() for part in found.groups())
    return [f"{name[4:]} = {module}:{function}"]


def _info(
    record: Mapping[str, object], rows: list[dict[str, object]], commands: list[str]
) -> dict[str, _Member]:
    index = {key: record[key] for key in _INDEX_KEYS if record.get(key) is not None}
    rows.sort(key=lambda row: str(row["_path"]))
    trees: dict[str, object] = {
        "index.json": index,
        "paths.json": {"paths": rows, "paths_version": 1},
        "about.json": {"summary": "made again by envsnap from the installed files"},
    }
    if record.get("noarch") == "python":
        noarch = {"type": "python", "entry_points": sorted(commands)}
        trees["link.json"] = {"noarch": noarch, "package_metadata_version": 1}
    texts = {
        f"info/{name}": json.dumps(tree, indent=2, sort_keys=True) for name, tree in trees.items()
    }
    texts["info/files"] = "".join(f"{row['_path']}\n" for row in rows)
    return {
        name: _Member(tarfile.REGTYPE, data=text.encode(), size=len(text.encode()))
        for name, text in texts.items()
    }


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
