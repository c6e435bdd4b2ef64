"""Starts other programs, and ends them with everything they started when we are ended."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import ToolError

Listener = Callable[[bytes], None]
"""Gets what a program says while it says it."""

_GRACE_S = 5.0
"""How long an interrupted program may take to clean up after itself."""
_LAST_WORDS_S = 0.5
"""How long a program that has ended is listened to where others still have its output."""
_LOOK_S = 0.1


class Done(NamedTuple):
    """A program that has ended."""

    status: int
    stdout: str
    stderr: str


class Mess(NamedTuple):
    """What a program leaves that does not come to its end."""

    argv: Sequence[str] = ()
    """What takes it away; empty where paths are all."""
    paths: Sequence[str] = ()
    """Removed where we are killed: otherwise whoever made them does it."""


NO_MESS = Mess()


def run(
    argv: Sequence[str], *, timeout_s: float, variables: Mapping[str, str | None] | None = None
) -> Done:
    """Run a program to its end, without a terminal. A variable that is None is not set for it.

    Raises:
        ToolError: It is not there, or did not end in time.
    """
    child = _start(argv, subprocess.PIPE, variables, None)
    try:
        with _guarded(child, NO_MESS):
            out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{_name(argv)} did not answer within {timeout_s:g} s") from None
    return Done(child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def stream(
    argv: Sequence[str],
    *,
    cwd: str,
    listen: Listener,
    variables: Mapping[str, str | None] | None = None,
    mess: Mess = NO_MESS,
) -> int:
    """Run a program that takes its time, both its outputs to the listener; its exit status.

    What it leaves where it does not come to its end goes after it: also where we are killed.
    """
    child = _start(argv, subprocess.STDOUT, variables, cwd)
    with _guarded(child, mess):
        _hear(child, listen)
        status = child.wait()
        if status:
            _tidy(mess.argv)
    if child.stdout is not None:
        child.stdout.close()
    return status


@contextlib.contextmanager
def _guarded(child: subprocess.Popen[bytes], mess: Mess) -> Iterator[None]:
    """End a program, and take its mess away, where the block does not come to its end.

    The guard goes last: where the ending is interrupted once more, it does what is left to do.
    """
    guard: subprocess.Popen[bytes] | None = None
    try:
        guard = _guard(child.pid, mess)
        yield
    except BaseException:
        _end(child)
        _tidy(mess.argv)
        _dismiss(guard)
        raise
    _dismiss(guard)


def _hear(child: subprocess.Popen[bytes], listen: Listener) -> None:
    """Hand on what a program says until it ends, though what it left running may still speak."""
    if child.stdout is None:
        return
    pipe = child.stdout.fileno()
    news = select.poll()
    news.register(pipe, select.POLLIN)
    ends = float("inf")
    while time.monotonic() < ends:
        if news.poll(_LOOK_S * 1000):
            piece = os.read(pipe, 65536)
            if not piece:
                return
            listen(piece)
        if ends == float("inf") and child.poll() is not None:
            ends = time.monotonic() + _LAST_WORDS_S


_GUARD = r"""
read -r word && exit
kill -s INT -- "-$1"
left=50
while [ "$left" -gt 0 ] && kill -s 0 -- "-$1"; do sleep 0.1; left=$((left - 1)); done
kill -s KILL -- "-$1"
eval "$2"
shift 2
for path; do
    chmod -R u+rwx -- "$path"
    rm -rf -- "$path"
done
"""
"""Waits for a word. Where its pipe closes without one, whoever started it was killed."""


_TIDY_S = 60.0


def _tidy(argv: Sequence[str]) -> None:
    if argv:
        with contextlib.suppress(ToolError):  # what was to be told is told already
            run(argv, timeout_s=_TIDY_S)


def _guard(group: int, mess: Mess) -> subprocess.Popen[bytes]:
    words = [str(group), shlex.join(mess.argv), *mess.paths]
    path = os.environ.get("PATH", "")
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "envsnap-guard", *words],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, cwd="/", env={**os.environ, "PATH": f"{path}:/usr/bin:/bin"},
        close_fds=False,  # a lock that we let it have is held until it is done
    )  # fmt: skip


def _dismiss(guard: subprocess.Popen[bytes] | None) -> None:
    if guard is not None:  # None where it was just being started
        with contextlib.suppress(BrokenPipeError):
            guard.communicate(b"done\n")


def _start(
    argv: Sequence[str], stderr: int, variables: Mapping[str, str | None] | None, cwd: str | None
) -> subprocess.Popen[bytes]:
    asked = {**os.environ, "LC_ALL": "C.UTF-8", **(variables or {})}
    environ = {name: value for name, value in asked.items() if value is not None}
    try:
        return subprocess.Popen(
            list(argv), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
            env=environ, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise ToolError(f"{argv[0]} is not on PATH") from None
    except OSError as error:
        raise ToolError(f"{argv[0]} cannot be started: {error.strerror}") from error


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt a program, then kill what is left of all it started.

    The first lets it clean up; the second reaches what ignores interrupts, as a shell's
    background jobs do.
    """
    try:
        _signal(child, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_S)
    finally:  # also where a second Ctrl-C ends the waiting
        _signal(child, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        pass  # the whole group has ended
    except PermissionError:
        child.send_signal(number)


def _name(argv: Sequence[str]) -> str:
    return os.path.basename(argv[0])
