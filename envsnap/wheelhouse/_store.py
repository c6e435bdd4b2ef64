"""A wheelhouse on disk: a folder of files, and wheelhouse.json that says what each one is.

The list is untrusted: a name in it that is no plain name below the folder is refused, and a file
is hashed before it is handed out.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from envsnap.engines._archives import file_hash
from envsnap.errors import FileError
from envsnap.inside.content import read_file
from envsnap.manifest import write_whole

LIST_NAME = "wheelhouse.json"
LOCK_NAME = ".lock"
IGNORE_NAME = ".gitignore"
VERSION = "1"
SOURCES = "sources"
CONDA = "conda"
MADE_AGAIN = "made again "
"""How the note of a conda archive begins that is nowhere else."""
_LIMIT_BYTES = 64 * 1024 * 1024
_SHA256 = re.compile(r"\A[0-9a-f]{64}\Z")
_PART = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.+!~=-]{0,240}\Z")
_HOW = frozenset({"index", "address", "built", "made", "conda"})


class Stored(NamedTuple):
    """One file of a wheelhouse."""

    name: str
    """The distribution's canonical name; conda's own for a conda package."""
    version: str
    filename: str
    """Relative to the wheelhouse: NAME, sources/NAME or conda/SUBDIR/NAME."""
    sha256: str
    size: int
    """Bytes."""
    how: str
    """As in Artifact.how; conda for an archive of conda's."""
    content: str | None = None
    """envsnap-content-1 of what it installs; None where the file was not looked into."""
    notes: tuple[str, ...] = ()
    """What the reader should know of how it was made."""


class Wheelhouse(NamedTuple):
    """A folder of files that installs one environment."""

    folder: str
    environment: str
    files: tuple[Stored, ...]
    """Sorted by file name."""

    def path(self, stored: Stored) -> str:
        """The path of one of its files, whose bytes were hashed just now.

        Raises:
            FileError: It is not there, or has other bytes than the list says.
        """
        path = os.path.join(self.folder, *_parts(stored.filename))
        found = sha256_of(path)
        if found != stored.sha256:
            why = "is not there" if found is None else "has other bytes than its list says"
            raise FileError(
                f"{stored.filename} in {self.folder} {why}",
                hint=f"Fetch it again where the environment is: envsnap lock --wheelhouse "
                f"{self.folder}",
            )
        return path

    def refuse_spoiled(self, only: Container[str] | None = None) -> None:
        """Hash the files, or those of these SHA-256 alone.

        Raises:
            FileError: One is not there, or has other bytes than the list says.
        """
        for each in self.files:
            if only is None or each.sha256 in only:
                self.path(each)

    def find(self, name: str, sha256: str | None = None) -> Stored | None:
        """The wheel (or sole archive) of a distribution, by canonical name and, if given, hash."""
        fitting = [
            each
            for each in self.files
            if each.name == name and each.how != "conda" and sha256 in {None, each.sha256}
        ]
        return min(fitting, key=lambda each: each.filename.startswith(SOURCES), default=None)


def open_wheelhouse(folder: str) -> Wheelhouse:
    """The wheelhouse in a folder.

    Raises:
        FileError: There is none, or its list cannot be used.
    """
    path = os.path.join(folder, LIST_NAME)
    try:
        raw = read_file(os.fsencode(path), _LIMIT_BYTES)
    except FileNotFoundError:
        raise FileError(f"No {LIST_NAME} in {folder}", hint=_filling(folder)) from None
    except NotADirectoryError:
        raise FileError(f"{folder} is no folder", hint="Name one: --wheelhouse DIR") from None
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    try:
        tree = json.loads(raw) if len(raw) <= _LIMIT_BYTES else None
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict) or tree.get("wheelhouse") != VERSION:
        hint = _filling(folder, "Write it anew")
        raise FileError(f"{path} is no list of a wheelhouse of version {VERSION}", hint=hint)
    rows = tree.get("files")
    files = [_stored(row, path) for row in rows] if isinstance(rows, list) else []
    return Wheelhouse(folder, _text(tree, "environment", path), _sorted(files))


def _filling(folder: str, what: str = "List what is there") -> str:
    """How a folder gets its list: from the files in it, where it has some."""
    has_files = os.path.isdir(folder) and any(
        name.endswith(".whl") or name in {SOURCES, CONDA} for name in os.listdir(folder)
    )
    named = f"--wheelhouse {shlex.quote(folder)}"
    if has_files:
        return f"{what}: envsnap lock MANIFEST --offline {named}"
    return f"Fill it: envsnap lock MANIFEST {named}"


def write_list(wheelhouse: Wheelhouse) -> None:
    """Write the list of a wheelhouse, whole or not at all; the same files, the same bytes."""
    path, raw = os.path.join(wheelhouse.folder, LIST_NAME), list_bytes(wheelhouse)
    if not _has(path, raw):  # a wheelhouse that many share is often nobody's to write
        write_whole(path, raw)


def _has(path: str, raw: bytes) -> bool:
    """Whether a file has these very bytes."""
    try:
        return read_file(os.fsencode(path), len(raw)) == raw
    except OSError:
        return False


def list_bytes(wheelhouse: Wheelhouse) -> bytes:
    """The list of a wheelhouse as it stands in its file."""
    rows = [_row(each) for each in _sorted(wheelhouse.files)]
    tree = {"wheelhouse": VERSION, "environment": wheelhouse.environment, "files": rows}
    text = json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=True)
    return f"{text}\n".encode()


def sha256_of(path: str) -> str | None:
    """The SHA-256 of a regular file, hex; None if there is no such file.

    Raises:
        FileError: It cannot be read, or is no regular file.
    """
    try:
        return file_hash(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error


def is_plain(filename: str) -> bool:
    """Whether a file's name is one that may be written below a wheelhouse.

    >>> [is_plain(each) for each in ("a-1-py3-none-any.whl", "../a.whl", "conda/noarch/a.conda")]
    [True, False, True]
    """
    parts = filename.split("/")
    folders = {1: "", 2: SOURCES, 3: CONDA}
    if len(parts) not in folders or not all(_PART.match(part) for part in parts):
        return False
    return len(parts) == 1 or parts[0] == folders[len(parts)]


def _parts(filename: str) -> list[str]:
    if not is_plain(filename):
        raise FileError(f"{filename[:120]!a} is no name of a file in a wheelhouse")
    return filename.split("/")


def _sorted(files: Iterable[Stored]) -> tuple[Stored, ...]:
    return tuple(sorted(files, key=lambda each: each.filename))


def _row(stored: Stored) -> dict[str, object]:
    return {**stored._asdict(), "notes": list(stored.notes)}


def _stored(row: object, path: str) -> Stored:
    if not isinstance(row, dict):
        raise FileError(f"{path} has a file that is no object")
    filename, sha256 = _text(row, "filename", path), _text(row, "sha256", path)
    size, content, notes = row.get("size"), row.get("content"), row.get("notes", [])
    how = _text(row, "how", path)
    if not is_plain(filename):
        raise FileError(f"{path} names {filename[:120]!a}, which is no name of a file below it")
    if type(size) is not int or size < 0 or not _SHA256.match(sha256) or how not in _HOW:
        raise FileError(f"{path} does not say the hash, size and origin of {filename}")
    return Stored(
        name=_text(row, "name", path), version=_text(row, "version", path), filename=filename,
        sha256=sha256, size=size, how=how,
        content=content if isinstance(content, str) and _SHA256.match(content) else None,
        notes=tuple(str(note)[:1000] for note in notes) if isinstance(notes, list) else (),
    )  # fmt: skip


def _text(tree: Mapping[str, object], key: str, path: str) -> str:
    value = tree.get(key)
    if not isinstance(value, str):
        raise FileError(f"{path} has no text in {key!r}")
    return value
