"""How much memory of each NVIDIA GPU a watched command holds, asked in a child beside it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

from envsnap._typing import Any
from envsnap.host._children import Children, kill_group
from envsnap.host._nvml_start import start
from envsnap.sections import Fact, Reason, Unknown

_PIECE_BYTES = 1 << 16
_LONGEST_LINE = 1 << 22
_LEAST_RISE_BYTES = 1 << 24
"""A card's used memory moves by a little without anybody's doing."""
_LATE = Unknown(Reason.TIMED_OUT, "the command ended before NVML answered")


class Cards:
    """The memory that processes hold on each card, by PCI bus id."""

    def __init__(self) -> None:
        self._peaks: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._rises: dict[str, int] = {}
        self._told_apart: set[str] = set()
        """Cards on which every process that NVML names is one that we see, too."""
        self._why: Unknown | None = _LATE
        self._left = b""
        self._child: subprocess.Popen[bytes] | None = None
        try:
            self._child = start(Children(), "_watch_gpu_child")
        except (OSError, ValueError) as error:
            self._why = Unknown(Reason.CRASHED, f"NVML could not be asked: {error}")

    @property
    def pipe(self) -> int | None:
        """What to wait for; None where nothing more will come."""
        stdout = None if self._child is None else self._child.stdout
        return None if stdout is None else stdout.fileno()

    def read(self, pids: set[int]) -> None:
        """Take what has come; `pids` are those of the command."""
        if self.pipe is None:
            return
        piece = os.read(self.pipe, _PIECE_BYTES)
        if not piece or len(self._left) > _LONGEST_LINE:
            if self._why is _LATE or not self._why:
                self._why = Unknown(Reason.CRASHED, "NVML's process ended before the command")
            self.close()
            return
        *lines, self._left = (self._left + piece).split(b"\n")
        for line in lines:
            said = _object(line)
            if said is not None:
                self._take(said, pids)

    def _take(self, said: Mapping[str, Any], pids: set[int]) -> None:
        if "error" in said:
            self._why = Unknown(Reason.TOOL_MISSING, f"NVML: {said['error']}")
            return
        self._why = None
        for bus, card in said["cards"].items():
            held = {int(pid): size for pid, size in card["held"].items()}
            ours = [size for pid, size in held.items() if pid in pids]
            if ours and None not in ours:
                self._peaks[bus] = max(self._peaks.get(bus, 0), sum(ours))
            if card["used"] is not None:
                rise = card["used"] - self._first.setdefault(bus, card["used"])
                self._rises[bus] = max(self._rises.get(bus, 0), rise)
            strangers = held.keys() - pids
            if None not in ours and held and all(map(_is_seen, strangers)):
                self._told_apart.add(bus)

    def close(self) -> None:
        """Ask no longer; the library may hang inside the kernel, and is not waited for."""
        child, self._child = self._child, None
        if child is not None:
            kill_group(child)
            if child.stdout is not None:
                child.stdout.close()
            try:
                child.wait(timeout=1)
            except subprocess.TimeoutExpired:
                child.returncode = -9  # nobody asks again, and Popen warns of no zombie

    def peaks(self) -> tuple[Fact[Mapping[str, int]], bool]:
        """The most bytes on each card by bus id, and whether they are a card's change as a whole.

        Inside a container NVML may name no process, or by numbers of another one's.
        """
        if self._why is not None:
            return self._why, False
        if self._peaks:
            return self._peaks, False
        risen = {
            bus: rise
            for bus, rise in self._rises.items()
            if rise >= _LEAST_RISE_BYTES and bus not in self._told_apart
        }
        return risen, bool(risen)


def _object(line: bytes) -> Mapping[str, Any] | None:
    """What a line says; None for what the library wrote into it, whatever it closed and opened."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.keys() & {"cards", "error"} else None


def _is_seen(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")
