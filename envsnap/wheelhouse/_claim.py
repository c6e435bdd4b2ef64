"""A wheelhouse is one run's alone while it is filled, and no part of the project around it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from envsnap.errors import FileError
from envsnap.wheelhouse._store import IGNORE_NAME, LIST_NAME, LOCK_NAME


@contextmanager
def claimed(folder: str) -> Iterator[None]:
    """The folder, made where it is not there yet, and nobody else's until the block ends.

    Raises:
        FileError: Another run fills it, or it cannot be written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        held = set(os.listdir(folder))
        is_ours = LIST_NAME in held or held <= {LOCK_NAME}  # alone, of a run that was killed early
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(os.path.join(folder, LOCK_NAME), flags, 0o644)
    except OSError as error:
        raise FileError(f"Cannot write {folder}: {error.strerror}") from error
    try:
        _lock(handle, folder)
        if is_ours:  # in a folder of somebody else, it would hide their files
            _leave_out_of_git(folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: str) -> None:
    with suppress(OSError):  # some disks of networks know no locks
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(
                f"Another run fills {folder}", hint="Wait for it, or name another folder"
            ) from None


def _leave_out_of_git(folder: str) -> None:
    """Have git ignore the folder, so that filling it changes no project."""
    with suppress(FileExistsError), open(os.path.join(folder, IGNORE_NAME), "x") as file:
        file.write("*\n")
