"""The folder that recipes are written into. One that is not ours is never touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import shlex
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from envsnap.errors import FileError
from envsnap.inside.content import read_file
from envsnap.manifest import write_whole

RECORD = "build.json"
"""What was built, and the mark of a folder that we wrote."""
SUMS = "SHA256SUMS"
"""The hash of every file of a folder that has everything; one without it was not fetched whole."""
KEPT = ".fetch"
"""In a folder that is being fetched: what has come and has not found its place, and its record."""
_ABOUT = "written by envsnap build; the folder can be deleted and made again"
_PIECE = 1 << 20
_LIMIT_BYTES = 64 << 20
_EXECUTABLE = (".sh", "postBuild", "binder/start")


class Carried(NamedTuple):
    """A file that travels with a recipe."""

    source: str
    sha256: str


_NOTHING: Mapping[str, Carried] = MappingProxyType({})


def claim(folder: str, *, force: bool) -> None:
    """Make sure that the folder may be written into.

    Raises:
        FileError: It holds somebody else's files.
    """
    if force or not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise FileError(f"{folder} is no folder", hint="Name another with -o")
    if os.listdir(folder) and _record_of(folder) is None:
        raise FileError(
            f"{folder} holds files that envsnap did not write",
            hint="Name another folder with -o, or give --force",
        )


def begin_context(folder: str, record: Mapping[str, object], files: Iterable[str]) -> None:
    """Mark the folder as ours before a file of the context is in it.

    So a run that ends early leaves what the next one goes on with.

    Raises:
        FileError: The record cannot be written.
    """
    earlier = (_record_of(folder) or {}).get("files")
    kept = _stale(earlier, frozenset())
    _placed(folder, RECORD)
    write_record(folder, record, tuple({*files, *kept}))


def write_context(
    folder: str,
    files: Mapping[str, str],
    carried: Mapping[str, Carried] = _NOTHING,
    *,
    there: Iterable[str] = (),
) -> None:
    """Write every file whole, and remove those of an earlier build that are no longer wanted.

    Those that are `there` already stay.

    Raises:
        FileError: A file cannot be written, or one that travels has other bytes than it should.
    """
    earlier = (_record_of(folder) or {}).get("files", [])
    for path in sorted(files):
        write_whole(
            _placed(folder, path),
            files[path].encode(),
            mode=0o755 if is_executable(path) else 0o644,
        )
    for path in sorted(carried):
        _copy(carried[path], _placed(folder, path))
    for path in _stale(earlier, {*files, *carried, *there}):
        with contextlib.suppress(OSError):  # it is gone already, or somebody made it their own
            os.unlink(os.path.join(folder, *path.split("/")))


def is_executable(path: str) -> bool:
    """Whether a file of a context is a program."""
    return path.endswith(_EXECUTABLE)


def _placed(folder: str, path: str) -> str:
    """Where a file of the context goes; its folder is made. No link leads out of the context.

    Raises:
        FileError: A folder on the way is a link, or cannot be made.
    """
    parts = path.split("/")
    for count in range(1, len(parts)):
        way = os.path.join(folder, *parts[:count])
        if os.path.islink(way):
            raise FileError(f"{way} is a link, and recipes are not written through one",
                            hint=f"Remove it: rm {shlex.quote(way)}")  # fmt: skip
    target = os.path.join(folder, *parts)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.islink(target):
            os.unlink(target)
    except OSError as error:
        raise FileError(f"Cannot make the folder of {target}: {error.strerror}") from error
    return target


def _copy(carried: Carried, target: str) -> None:
    """Copy a file whole, hashed as it goes: what has other bytes does not stay."""
    part = f"{target}.{os.urandom(4).hex()}.tmp"
    digest = hashlib.sha256()
    try:
        with open(carried.source, "rb") as source, open(part, "xb") as file:
            while piece := source.read(_PIECE):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != carried.sha256:
            raise FileError(f"{carried.source} has other bytes than the lock says")
        os.replace(part, target)
    except OSError as error:
        raise FileError(f"Cannot copy {carried.source}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def write_record(folder: str, record: Mapping[str, object], files: Sequence[str]) -> None:
    """Write build.json: no path of this machine, and no time but the capture's."""
    document = {"about": _ABOUT, "build": "1.0", "files": sorted(files), **record}
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    path = os.path.join(folder, RECORD)
    if os.path.islink(path):
        with contextlib.suppress(OSError):  # what cannot be removed cannot be written either
            os.unlink(path)
    write_whole(path, f"{text}\n".encode())


def read_record(folder: str) -> Mapping[str, object] | None:
    """The folder's build.json; None where there is none of ours."""
    try:
        found = json.loads(read_file(os.fsencode(os.path.join(folder, RECORD)), _LIMIT_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("about") == _ABOUT else None


def _record_of(folder: str) -> Mapping[str, object] | None:
    """The record of a folder, or of a fetch into it that has not ended."""
    return read_record(folder) or read_record(os.path.join(folder, KEPT))


def _stale(earlier: object, files: Container[str]) -> list[str]:
    """Files of an earlier build inside the folder. A record can be edited: none leads out of it."""
    named = [each for each in earlier if isinstance(each, str)] if isinstance(earlier, list) else []
    return [
        path
        for path in named
        if path not in files
        and path == posixpath.normpath(path)
        and not path.startswith(("/", "../"))
        and path != ".."
    ]
