"""A job that is killed before one of its steps on disk."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGES = frozenset(
    {"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"}
)
"""Audit events of what changes a folder; `open` is one where it may write."""


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
        if event in CHANGES or is_write:
            path = arguments[0]
            if isinstance(path, (str, bytes)) and is_within(folder, path):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

    sys.addaudithook(hook)


def is_within(folder: str, path: str | bytes) -> bool:
    """Whether a path is the folder's own or leads into it."""
    return f"{os.path.abspath(os.fsdecode(path))}/".startswith(f"{folder}/")
