"""A file that is read, changed and written back: what another run writes meanwhile is not lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from envsnap.errors import FileError

_LONGEST_S = 30.0
_PAUSE_S = 0.02
_TRIES = 100


def rewritten(
    path: str, read: Callable[[], bytes | None], change: Callable[[bytes | None], bytes]
) -> bytes:
    """What `change` makes of what a file holds, written into it. None is a file to be made.

    Its folder is locked meanwhile: a lock beside it would stay there. Where that cannot be, as on
    disks of networks, a file that has changed in between is read again.

    Raises:
        FileError: It is no file, it cannot be written, or others do not leave it alone.
    """
    from envsnap.manifest import write_whole

    if os.path.lexists(path) and not os.path.isfile(path):
        raise FileError(f"Cannot change {path}: it is no regular file", hint="Name a file")
    for _ in range(_TRIES):
        with _alone(path):
            before = read()
            after = change(before)
            if read() == before:
                write_whole(path, after)
                return after
        time.sleep(_PAUSE_S)
    raise _others(path)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Nobody else rewrites a file of that folder until the block ends."""
    from envsnap.engines._locks import hold

    try:
        folder = os.path.dirname(os.path.realpath(path))
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # what is wrong with it, reading and writing say
        handle = -1
    try:
        until = time.monotonic() + _LONGEST_S
        while handle >= 0 and hold(handle) is False:
            if time.monotonic() > until:
                raise _others(path)
            time.sleep(_PAUSE_S)
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _others(path: str) -> FileError:
    return FileError(f"Cannot change {path}: another run writes in its folder",
                     hint="Try again once it has ended")  # fmt: skip
