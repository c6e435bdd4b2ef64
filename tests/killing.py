"""A job that is killed before one of its steps on disk."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGES = {
    "os.chmod": ((0, 2),), "os.link": ((1, 3),), "os.mkdir": ((0, 2),), "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)), "os.rmdir": ((0, 1),), "os.symlink": ((1, 2),),
}  # fmt: skip
"""Audit events of what changes a folder: where each has the paths that it changes, and the number
of the open folder that each is relative to, if any. `open` is one, too, where it may write."""


def each_step_killed(
    job: Callable[[], object], prepare: Callable[[], object], within: str = ".", every: int = 1
) -> Iterator[int]:
    """Kill the job before its first step within a folder, then before one of the next, ...

    Each time after `prepare`.
    """
    steps = 0
    prepare()
    while killed_at(steps, job, within):
        yield steps
        prepare()
        steps += every
    assert steps > 5, "the job was hardly ever killed"


def killed_at(step: int, job: Callable[[], object], within: str = ".") -> bool:
    """Whether a process that does a job was killed after so many steps; else it came to its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the test do not go on
        child = os.fork()
    if child == 0:
        kill_before(step, within)
        try:
            job()
        except BaseException:  # noqa: BLE001 - the test's process alone may go on from here
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def kill_before(step: int, within: str) -> None:
    """Have the kernel end this process after so many of its changes within the folder."""
    left, folder = step, os.path.abspath(within)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        flags = arguments[2] if event == "open" else None
        is_write = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        changed = [_path(arguments[at], arguments[base]) for at, base in CHANGES.get(event, ())]
        changed += [_path(arguments[0], -1)] if is_write else []
        if any(path is not None and is_within(folder, path) for path in changed):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(hook)


def _path(path: object, base: object) -> str | None:
    """A path as it is from here; None for what has none: a number of an open file."""
    if not isinstance(path, (str, bytes)):
        return None
    if isinstance(base, int) and base >= 0:  # as rmtree goes down
        return os.path.join(os.readlink(f"/proc/self/fd/{base}"), os.fsdecode(path))
    return os.fsdecode(path)


def is_within(folder: str, path: str | bytes) -> bool:
    """Whether a path is the folder's own or leads into it."""
    return f"{os.path.abspath(os.fsdecode(path))}/".startswith(f"{folder}/")
