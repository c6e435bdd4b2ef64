"""Takes the manifest and the files that no index has out of an image again, to build from."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from envsnap._typing import NamedTuple
from envsnap.errors import FileError, ManifestError
from envsnap.images import ImageTree
from envsnap.manifest import FILE_NAME, Manifest, environment_id, save, write_whole
from envsnap.plan._model import HOME, WHEELS
from envsnap.sections import Artifact, Unknown
from envsnap.wheelhouse._store import Stored, Wheelhouse, is_plain, write_list


class Taken(NamedTuple):
    """What was taken out."""

    files: int
    left: tuple[str, ...]
    """Files that the manifest needs and no index has, with why each is not there."""


def extract(tree: ImageTree, manifest: Manifest, folder: str) -> Taken:
    """The manifest as a file, and beside it a wheelhouse of what the image carries.

    Every file is what the manifest's lock names by its SHA-256; another one is not written. Where
    that cannot be done whole, nothing of it stays.

    Raises:
        FileError: The folder is not empty, or cannot be written.
        ManifestError: The manifest has no lock to compare the files with.
    """
    if manifest.lock is None:
        raise ManifestError("The manifest has no lock, so no file inside is known to be right")
    try:
        if os.path.isdir(folder) and os.listdir(folder):
            raise FileError(f"{folder} is not empty", hint="Name another folder: --extract DIR")
        with _whole_or_none(folder):
            taken = _wheels(tree, manifest, os.path.join(folder, WHEELS))
            save(manifest, os.path.join(folder, FILE_NAME))
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error
    return taken


@contextmanager
def _whole_or_none(folder: str) -> Iterator[None]:
    """Whatever ends the block early, an empty or absent folder is again what it was."""
    was_there = os.path.isdir(folder)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
            if not was_there:
                os.rmdir(folder)
        raise


def _wheels(tree: ImageTree, manifest: Manifest, wheels: str) -> Taken:
    """The wheelhouse of what the image carries of the manifest's lock."""
    os.makedirs(wheels, exist_ok=True)
    stored, left = [], []
    for each in manifest.lock.artifacts if manifest.lock is not None else ():
        if each.url is not None or not is_plain(each.filename):
            continue
        raw = tree.content(f"{HOME}/{WHEELS}/{each.filename}")
        if raw is None or hashlib.sha256(raw).hexdigest() != each.sha256:
            why = "the image does not carry it" if raw is None else "it has other bytes"
            left.append(f"{each.filename}: {why}")
            continue
        target = os.path.join(wheels, *each.filename.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write_whole(target, raw)
        stored.append(_stored(each, len(raw)))
    environment = environment_id(manifest)
    named = "unknown" if isinstance(environment, Unknown) else environment
    write_list(Wheelhouse(wheels, named, tuple(stored)))
    return Taken(len(stored), tuple(left))


def _stored(each: Artifact, size: int) -> Stored:
    content = each.content if isinstance(each.content, str) else None
    return Stored(each.name, each.version, each.filename, each.sha256, size, each.how, content)
