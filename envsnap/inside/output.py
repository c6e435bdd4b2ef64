"""What a command writes, up to a limit: one that never stops must not fill the memory.

Standard library alone; syntax good for Python 3.6 and newer: the agent inside an image has it, too.
"""

import os
import selectors
import subprocess
import sys
import time

STDOUT_LIMIT_BYTES = 16 << 20
STDERR_LIMIT_BYTES = 1 << 20
_PIECE = 1 << 16


class FloodError(Exception):
    """A command wrote more than is kept of it; it still runs."""


def output_of(child: "subprocess.Popen[bytes]", timeout_s: float) -> "tuple[bytes, bytes]":
    """All that a process writes to its two pipes until it ends.

    Raises:
        TimeoutExpired: It did not end in time.
        FloodError: It wrote more than the limits.
    """
    if sys.platform == "win32":
        return child.communicate(timeout=timeout_s)  # pipes cannot be polled there
    end = time.monotonic() + timeout_s
    kept = ((child.stdout, STDOUT_LIMIT_BYTES), (child.stderr, STDERR_LIMIT_BYTES))
    limits = {each.fileno(): limit for each, limit in kept if each is not None}
    told = {pipe: bytearray() for pipe in limits}
    with selectors.DefaultSelector() as selector:
        for pipe in limits:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(_left(child, end)):
                part = os.read(key.fd, _PIECE)
                told[key.fd] += part
                if len(told[key.fd]) > limits[key.fd]:
                    raise FloodError
                if not part:
                    selector.unregister(key.fd)
    out, err = (bytes(told[each.fileno()]) if each is not None else b"" for each, _ in kept)
    child.wait(timeout=_left(child, end))
    for each, _ in kept:
        if each is not None:
            each.close()
    return out, err


def _left(child: "subprocess.Popen[bytes]", end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise subprocess.TimeoutExpired(child.args, 0)
    return left
