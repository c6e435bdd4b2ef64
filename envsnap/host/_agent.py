"""The child that answers from inside an image: its start, its lines, its end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
import typing
from collections.abc import Mapping, Sequence
from typing import IO, Any

from envsnap.errors import ToolError
from envsnap.inside import source
from envsnap.sections import Reason, Unknown

START_S = 120.0
"""How long an engine may take to start the image: a large one is unpacked first."""
END_S = 10.0
"""How long the engine may take to remove the container."""

_LONGEST_LINE = 256 * 1024 * 1024
_NO_PYTHON = 97
_FIND_PYTHON = f"""
for python in /opt/env/bin/python python3 python; do
  if command -v "$python" >/dev/null 2>&1 &&
     "$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' >/dev/null 2>&1; then
    exec "$python" -I -S -u -c "$1"
  fi
done
exit {_NO_PYTHON}
"""


def _program() -> str:
    """The agent's text, behind that of the module that it needs."""
    return (
        "import sys, types\n"
        "output = sys.modules['output'] = types.ModuleType('output')\n"
        f"exec({source('output')!r}, output.__dict__)\n{source('agent')}"
    )


class Agent:
    """One running agent. It is asked by one thread at a time."""

    def __init__(self, prefix: Sequence[str], name: str) -> None:
        """Start it behind the prefix; `name` is the image's in messages.

        Raises:
            ToolError: It does not start; the message has the engine's last words.
        """
        self._name = name
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._buffer = bytearray()
        self._lost: Unknown | None = None
        command = [*prefix, "sh", "-c", _FIND_PYTHON, "sh", _program()]
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                start_new_session=True,  # Ctrl-C is ours to handle: the container is removed then
            )
        except OSError as error:
            self._words.close()
            raise ToolError(f"Cannot look into {name}: {command[0]}: {error.strerror}") from error
        self._input = typing.cast("IO[bytes]", self._child.stdin)
        self._output = typing.cast("IO[bytes]", self._child.stdout)
        try:
            self._hello()
        except BaseException:
            self.close()
            raise

    def _hello(self) -> None:
        """Wait for its first line; what an entry point prints before is passed over."""
        deadline = time.monotonic() + START_S
        while (line := self._line(deadline)) is not None:
            if line.startswith(b'{"agent": "envsnap-agent-1"'):
                return
        if self._end() == _NO_PYTHON:
            raise ToolError(
                f"Cannot look into {self._name}: it has no Python 3.6 or newer",
                hint="An image is read by its own Python; use one that has an environment in it",
            )
        why = f"it did not start within {START_S:g} s" if time.monotonic() > deadline else None
        raise ToolError(f"Cannot look into {self._name}: {why or self._last_words()}")

    def ask(self, question: Mapping[str, object], within_s: float) -> dict[str, Any] | Unknown:
        """The answer's line as JSON. Once it is lost, every answer is unknown."""
        if self._lost is not None:
            return self._lost
        try:
            self._input.write(json.dumps(question).encode() + b"\n")
            self._input.flush()
        except OSError:
            return self._lose(Reason.CRASHED, "ended")
        line = self._line(time.monotonic() + within_s)
        if line is None:
            ended = self._child.poll() is not None
            reason = Reason.CRASHED if ended else Reason.TIMED_OUT
            return self._lose(reason, "ended" if ended else "did not answer")
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return self._lose(Reason.UNPARSABLE, "gave an answer that is no JSON")
        return said if isinstance(said, dict) else self._lose(Reason.UNPARSABLE, "gave no object")

    def close(self) -> None:
        """End the child: it stops when its input ends, and is killed if it does not."""
        if not self._words.closed:
            self._lost = self._lost or Unknown(Reason.CRASHED, "the image is closed")
            self._end()
            self._words.close()

    def _line(self, deadline: float) -> bytes | None:
        """The next line; None when the child ends, is too slow or says too much."""
        seen = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while (end := self._buffer.find(b"\n", seen)) < 0:
                seen = len(self._buffer)
                left = deadline - time.monotonic()
                if seen > _LONGEST_LINE or left <= 0 or not selector.select(left):
                    return None
                piece = os.read(self._output.fileno(), 1 << 20)
                if not piece:
                    self._child.wait(END_S)
                    return None
                self._buffer += piece
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _lose(self, reason: Reason, what: str) -> Unknown:
        self._lost = Unknown(reason, f"the process inside the image {what}")
        self._end()
        return self._lost

    def _end(self) -> int:
        """The child's exit status, after it was asked to end and, if need be, made to."""
        with contextlib.suppress(BrokenPipeError):  # it ended before it was told to
            self._input.close()
        self._output.close()
        try:
            return self._child.wait(END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            return self._child.wait()

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read(1 << 20).decode("utf-8", "replace").strip().splitlines()
        status = f"it ended with status {self._child.returncode}"
        told = [line for line in lines if line.strip() and "--help" not in line]
        return told[-1].strip()[:300] if told else status
