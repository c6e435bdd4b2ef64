"""Runs a few commands at the same time, and ends them all when we are ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

from envsnap.errors import ToolError

_AT_ONCE = 4
_GRACE_S = 2.0
_LONGEST_COMPLAINT = 256 * 1024


class Command(NamedTuple):
    """A command, and what is set in its environment beside ours."""

    argv: Sequence[str]
    variables: Mapping[str, str]
    output: str
    """The file for what it prints: an answer can be too long to be held."""


class Ended(NamedTuple):
    """A command that has ended."""

    status: int
    stderr: str


def run_together(commands: Sequence[Command], *, timeout_s: float) -> list[Ended]:
    """How each command ended, in their order; a few run at a time.

    Raises:
        ToolError: One cannot be started, or they did not all end in time.
    """
    found: list[Ended] = []
    for first in range(0, len(commands), _AT_ONCE):
        found += _run(commands[first : first + _AT_ONCE], timeout_s)
    return found


def _run(commands: Sequence[Command], timeout_s: float) -> list[Ended]:
    ends = time.monotonic() + timeout_s
    with contextlib.ExitStack() as opened:
        said = [opened.enter_context(tempfile.TemporaryFile()) for _ in commands]
        children: list[subprocess.Popen[bytes]] = []
        opened.callback(_end, children)
        outputs = [opened.enter_context(open(each.output, "wb")) for each in commands]
        for command, stdout, stderr in zip(commands, outputs, said, strict=True):
            children.append(_start(command, stdout, stderr))
        try:
            for child in children:
                _wait(child, max(ends - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            raise ToolError(
                f"{os.path.basename(commands[0].argv[0])} did not answer within {timeout_s:g} s",
                hint="See whether the package index can be reached, and lock again",
            ) from None
        return [
            Ended(child.returncode, _text(stderr))
            for child, stderr in zip(children, said, strict=True)
        ]


def _wait(child: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Wait until it has ended: where Linux tells that, at once, and not at the next look."""
    try:
        handle = os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        handle = None
    if handle is not None:
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll(timeout_s * 1000)
        finally:
            os.close(handle)
        timeout_s = 0.01
    child.wait(timeout_s)


def _start(command: Command, stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command.argv), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            env={**os.environ, "LC_ALL": "C.UTF-8", **command.variables}, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ToolError(f"{command.argv[0]} cannot be started: {error.strerror}") from error


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Nothing of what was started stays: interrupted first, then killed."""
    for number, grace_s in ((signal.SIGINT, _GRACE_S), (signal.SIGKILL, None)):
        running = [child for child in children if child.poll() is None]
        for child in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
        for child in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace_s)


def _text(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read(_LONGEST_COMPLAINT).decode("utf-8", "replace")
