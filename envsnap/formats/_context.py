"""The folder that recipes are written into. One that is not ours is never touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from envsnap.errors import FileError
from envsnap.inside.content import read_file
from envsnap.manifest import write_whole
from envsnap.manifest._file import part_of, whole_of
from envsnap.wheelhouse._store import IGNORE_NAME, LOCK_NAME

RECORD = "build.json"
"""What was built, and the mark of a folder that we wrote."""
SUMS = "SHA256SUMS"
"""The hash of every file of a folder that has everything; one without it was not fetched whole."""
KEPT = ".fetch"
"""In a folder that is being fetched: what has come and has not found its place, and its record."""
LOG = "build.log"
"""What an engine said of a build that failed."""
_VERSION = "2.0"
"""Of the record's own form: since 2.0 it has the hash of each file, before a list of names."""
_ABOUT = "written by envsnap build; the folder can be deleted and made again"
_PIECE = 1 << 20
_LIMIT_BYTES = 64 << 20
_EXECUTABLE = (".sh", "postBuild", "binder/start")


class Carried(NamedTuple):
    """A file that travels with a recipe."""

    source: str
    sha256: str


_NOTHING: Mapping[str, Carried] = MappingProxyType({})
_NO_DIGEST: Mapping[str, str] = MappingProxyType({})


def claim(folder: str, *, force: bool) -> None:
    """Make sure that the folder may be written into.

    Raises:
        FileError: It holds somebody else's files.
    """
    if force or not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise FileError(f"{folder} is no folder", hint="Name another with -o")
    if record_of(folder) is None and _of_others(folder):
        raise FileError(
            f"{folder} holds files that envsnap did not write",
            hint="Name another folder with -o, or give --force",
        )


def is_mark(name: str) -> bool:
    """Whether a file of `KEPT` lies there before anything has come, by its name alone."""
    return name in {RECORD, LOCK_NAME, IGNORE_NAME} or whole_of(name) == RECORD


def _of_others(folder: str) -> list[str]:
    """What is in a folder without a record and is not of a run that was killed before it had one.

    Raises:
        FileError: It cannot be listed.
    """
    try:
        found = [name for name in os.listdir(folder) if whole_of(name) != RECORD]
        if _is_without_record(os.path.join(folder, KEPT)):
            found.remove(KEPT)
    except OSError as error:
        raise FileError(f"Cannot read {error.filename}: {error.strerror}") from error
    return found


def _is_without_record(kept: str) -> bool:
    """Whether a run was killed there that had no record yet, or none any more."""
    is_folder = os.path.isdir(kept) and not os.path.islink(kept)
    return is_folder and all(is_mark(name) and name != RECORD for name in os.listdir(kept))


def refuse_kept(folder: str) -> None:
    """Refuse a `KEPT` that is somebody's own, whoever insists: a fetch removes it when it ends.

    Raises:
        FileError: It is, or cannot be read.
    """
    kept = os.path.join(folder, KEPT)
    if not os.path.lexists(kept):
        return
    try:
        is_ours = _is_without_record(kept)
    except OSError as error:
        raise FileError(f"Cannot read {kept}: {error.strerror}") from error
    if not is_ours and (os.path.islink(kept) or read_record(kept) is None):
        raise FileError(
            f"{kept} is not of a fetch, and a fetch removes what has that name when it ends",
            hint="Move it away, or name another folder with -o",
        )


def remove_kept(folder: str) -> None:
    """Remove `KEPT`, its record last: as long as that is there, what is left is known for ours."""
    kept = os.path.join(folder, KEPT)
    with contextlib.suppress(OSError):  # a later fetch removes the rest
        for name in os.listdir(kept):
            path = os.path.join(kept, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif name != RECORD:
                os.unlink(path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(kept, RECORD))
        os.rmdir(kept)


def begin_context(
    folder: str,
    record: Mapping[str, object],
    files: Mapping[str, str],
    written: Mapping[str, str] = _NO_DIGEST,
) -> None:
    """Mark the folder as ours before a file of the context is in it.

    So a run that ends early leaves what the next one goes on with: `files` are those to come, and
    `written` what earlier builds wrote that is still there; each by its SHA-256.

    Raises:
        FileError: The record cannot be written.
    """
    _placed(folder, RECORD)
    write_record(folder, record, files, written)


def write_context(
    folder: str,
    files: Mapping[str, str],
    carried: Mapping[str, Carried] = _NOTHING,
    *,
    own: Container[str] = (),
) -> None:
    """Write every file whole, but those that are somebody's `own` and have these bytes already.

    Raises:
        FileError: A file cannot be written, or one that travels has other bytes than it should.
    """
    for path in sorted(files):
        if path not in own:
            mode = 0o755 if is_executable(path) else 0o644
            write_whole(_placed(folder, path), files[path].encode(), mode=mode)
    for path in sorted(carried):
        if path not in own:
            _copy(carried[path], _placed(folder, path))


def remove(folder: str, paths: Iterable[str]) -> None:
    """Remove what an earlier build wrote, and its folders; first what calls the folder whole."""
    for path in sorted(paths, key=lambda each: (each != SUMS, each)):
        with contextlib.suppress(OSError):  # it is gone already, or cannot be removed
            os.unlink(os.path.join(folder, *path.split("/")))
        above = os.path.dirname(path)
        while above:
            with contextlib.suppress(OSError):  # something else is in it
                os.rmdir(os.path.join(folder, *above.split("/")))
            above = os.path.dirname(above)


def digests(
    files: Mapping[str, str], carried: Mapping[str, Carried] = _NOTHING
) -> Mapping[str, str]:
    """The SHA-256 of every file of a context, by its path."""
    texts = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
    return {**texts, **{path: each.sha256 for path, each in carried.items()}}


def is_executable(path: str) -> bool:
    """Whether a file of a context is a program."""
    return path.endswith(_EXECUTABLE)


def _placed(folder: str, path: str) -> str:
    """Where a file of the context goes; its folder is made. No link leads out of the context.

    Raises:
        FileError: A folder on the way is a link, or cannot be made.
    """
    target = way_to(folder, path)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.islink(target):
            os.unlink(target)
    except OSError as error:
        raise FileError(f"Cannot make the folder of {target}: {error.strerror}") from error
    return target


def way_to(folder: str, path: str) -> str:
    """Where a file of the context is, by no link.

    Raises:
        FileError: A folder on the way is a link.
    """
    parts = path.split("/")
    for count in range(1, len(parts)):
        way = os.path.join(folder, *parts[:count])
        if os.path.islink(way):
            raise FileError(f"{way} is a link, and recipes are not written through one",
                            hint=f"Remove it: rm {shlex.quote(way)}")  # fmt: skip
    return os.path.join(folder, *parts)


def _copy(carried: Carried, target: str) -> None:
    """Copy a file whole, hashed as it goes: what has other bytes does not stay."""
    part = part_of(target)
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


def write_record(
    folder: str,
    record: Mapping[str, object],
    files: Mapping[str, str],
    before: Mapping[str, str] = _NO_DIGEST,
) -> None:
    """Write build.json: no path of this machine, and no time but the capture's.

    `files` has the SHA-256 of each by its path. `before` has, until a run has ended, what was there
    before it: a file is then one of the two.
    """
    earlier = {"before": dict(before)} if before else {}
    document = {"about": _ABOUT, "build": _VERSION, "files": dict(files), **earlier, **record}
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


def add_to_record(folder: str, path: str, sha256: str) -> None:
    """Have the record name one file more, so that the next run takes it for ours."""
    record = read_record(folder)
    files = record.get("files") if record is not None else None
    if record is not None and isinstance(files, dict):
        write_record(folder, {**record, "files": {**files, path: sha256}}, {})


def record_of(folder: str) -> Mapping[str, object] | None:
    """The record of a folder, or of a fetch into it that has not ended."""
    return read_record(folder) or read_record(os.path.join(folder, KEPT))
