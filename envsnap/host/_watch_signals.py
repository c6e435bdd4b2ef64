"""The signals of a watcher: each reaches the command once, whoever sent it and to whom.

The command stays in the watcher's process group, as a part of the pipeline and of the terminal's
foreground that it would be in without it, and as what `timeout --kill-after` ends. So a signal to
the group has reached the command already, and one to the watcher alone has not. The system does
not tell them apart; a witness does: a process of the group that takes no signal but keeps it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from typing_extensions import Self

_IS_LINUX = sys.platform == "linux"
_NAMES = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_PASSED_ON = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_OF_A_TERMINAL = _PASSED_ON[:2]
_PIECE_BYTES = 256
_AT_ONCE_S = 0.02
"""What signals a process and its group one after the other has done both by then."""
_PATIENCE_S = 1
_WITNESS = """
import os, signal
while asked := os.read(0, 1):
    kept = asked[0] in signal.sigpending()
    if kept:
        signal.sigwait(list(asked))
    os.write(1, b"%d" % kept)
"""


class Signals:
    """Signals wake the watcher; those that the command cannot have got go on to it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._came: list[int] = []
        self._is_asking = False
        self._before: dict[int, object] = {}
        self._witness = _Witness()

    def __enter__(self) -> Self:
        self.pipe, self._writer = os.pipe()
        if _IS_LINUX:
            os.set_blocking(self.pipe, False)
            os.set_blocking(self._writer, False)
            self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        self._witness.start()
        for number in _PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def go_to(self, child: subprocess.Popen[bytes]) -> None:
        """Name the command; it gets what came while it was being started.

        Only now is heard what we were started to ignore, as below nohup: it began to ignore it,
        too, but may have its own mind about it.
        """
        for number in set(_PASSED_ON) - self._before.keys():
            self._before[number] = signal.signal(number, self._take)
        while self._came:
            number = self._came.pop(0)
            self._witness.has_got(number)  # and has it no more
            _send(child, number)
        self._child = child
        self._go_on()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)
        self._go_on()

    def _go_on(self) -> None:
        while self._came and self._child is not None and not self._is_asking:
            self._is_asking = True  # what comes meanwhile waits for this turn's end
            try:
                self._pass_on(self._child, self._came.pop(0))
            finally:
                self._is_asking = False

    def _pass_on(self, child: subprocess.Popen[bytes], number: int) -> None:
        """Send it to the command, as often as it came, unless the group has got it."""
        time.sleep(_AT_ONCE_S)
        times = 1 + self._came.count(number)
        self._came[:] = [each for each in self._came if each != number]
        if not self._witness.has_got(number):
            for _ in range(times):
                _send(child, number)

    def read(self) -> None:
        """Empty the pipe: it has woken us."""
        with suppress(BlockingIOError):
            os.read(self.pipe, _PIECE_BYTES)

    def __exit__(self, *_: object) -> None:
        # One that came in between two handlers would be told as an error that nobody can catch.
        # Another thread may get SIGCHLD all the same: that keeps a handler, which does nothing.
        if _IS_LINUX and self._before[signal.SIGCHLD] == signal.SIG_DFL:
            del self._before[signal.SIGCHLD]
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as getsignal gave it
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if _IS_LINUX:
            signal.set_wakeup_fd(self._wakeup)
        self._witness.close()
        os.close(self.pipe)
        os.close(self._writer)


def _send(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):  # one that another user's rights were given to takes none of ours
        child.send_signal(number)


class _Witness:
    """A process of our group in which each signal waits until it is asked for.

    A program of its own, not a copy of this one: `pkill -f` that names envsnap is to meet us alone.
    It ends when nobody can ask any more, however we ended.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to keep signals, from the first moment of that process on."""
        if not sys.executable or sys.platform == "win32":
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _WITNESS],
                bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:
            pass  # without it, see has_got
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def has_got(self, number: int) -> bool:
        """Whether the whole group was sent this signal since it was last asked for.

        Without the witness, as a terminal's keys are: to the whole group.
        """
        answer = self._answer(number)
        return number in _OF_A_TERMINAL if answer is None else answer

    def _answer(self, number: int) -> bool | None:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return None
        try:
            process.stdin.write(bytes([number]))
            poll = select.poll()
            poll.register(process.stdout, select.POLLIN)
            if poll.poll(_PATIENCE_S * 1000):
                answer = process.stdout.read(1)
                if answer:
                    return answer == b"1"
        except OSError:
            pass
        self.close()  # it was stopped or ended by somebody: a late answer would be another's
        return None

    def close(self) -> None:
        """Keep no more signals."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
