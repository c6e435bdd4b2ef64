"""A wheelhouse is one run's alone while it is filled, and no part of the project around it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from envsnap.engines._locks import hold
from envsnap.errors import FileError
from envsnap.manifest._file import whole_of
from envsnap.wheelhouse._store import IGNORE_NAME, LIST_NAME, LOCK_NAME

MAKING = ".envsnap-making-"
"""How the folder begins in which a wheel is made."""
_LEFT = re.compile(rf"\A(?:{re.escape(MAKING)}[a-z0-9_]{{8}}|.+\.whl\.[0-9a-f]{{8}}\.made\.part)\Z")
"""Where a run that was killed made a wheel."""


@contextmanager
def claimed(folder: str) -> Iterator[None]:
    """The folder, made where it is not there yet, and nobody else's until the block ends.

    Raises:
        FileError: Another run fills it, or it cannot be written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(os.path.join(folder, LOCK_NAME), flags, 0o644)
    except OSError as error:
        raise FileError(f"Cannot write {folder}: {error.strerror}") from error
    try:
        is_locked = hold(handle)
        if is_locked is False:
            raise FileError(
                f"Another run fills {folder}", hint="Wait for it, or name another folder"
            )
        if is_locked:
            _sweep(folder)
        if _is_ours(folder):  # in a folder of somebody else, it would hide their files
            _leave_out_of_git(folder)
        yield
    finally:
        os.close(handle)


def _sweep(folder: str) -> None:
    """Remove what runs have left that were killed: only names that envsnap itself gives."""
    for name in filter(_is_left, os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.startswith(MAKING):
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                os.unlink(path)


def _is_left(name: str) -> bool:
    """Whether a file is what a run leaves that was killed, and no later one goes on with."""
    return whole_of(name) == LIST_NAME or _LEFT.match(name) is not None


def _is_ours(folder: str) -> bool:
    """Whether a folder has nothing but what a run leaves that is killed early.

    A list is no sign of that: a folder of downloads has one, too, once it was filled.
    """
    own = {LOCK_NAME, IGNORE_NAME}
    return all(name in own or _is_left(name) for name in os.listdir(folder))


def _leave_out_of_git(folder: str) -> None:
    """Have git ignore the folder, so that filling it changes no project."""
    path = os.path.join(folder, IGNORE_NAME)
    with suppress(IsADirectoryError), open(path, "a") as file:
        if not file.tell():  # a run that was killed just then has left it empty
            file.write("*\n")
