"""The processes that run for one host, so that none is left when a capture is given up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence


class Children:
    """Starts processes, each in a group of its own, and can end them all from another thread."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []
        self._stopped = False

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        stdin: int = subprocess.DEVNULL,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        """A process without a terminal; its output is a pipe.

        Raises:
            OSError: It could not be started, or the capture was given up.
        """
        if self.is_stopped():
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        child = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=env,
            start_new_session=sys.platform != "win32",
        )
        self._started.append(child)
        if self.is_stopped():  # while it was being started
            kill_group(child)
        return child

    def is_stopped(self) -> bool:
        """Whether the capture was given up. Another thread may do so at any time."""
        return self._stopped

    def stop(self) -> None:
        """End every process that still runs; none is started after it."""
        self._stopped = True
        for child in list(self._started):
            if child.returncode is None:  # not waited for: its number is still its own
                kill_group(child)


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    try:
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()  # does nothing where it has ended
