"""What the Pythons of a watched command say of themselves, over a pipe that never holds them up.

Each finds `envsnap/inside/site/sitecustomize.py` first on its path, in a zip file in memory: a
folder would be written to, with the bytecode of each version of Python.
"""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Mapping
from contextlib import suppress

from envsnap import inside

VARIABLE = "ENVSNAP_RUN"
"""Names the runs that a process belongs to, whoever its parent is by now."""
_ROOM_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16
_PIECES_AT_ONCE = 64
_MOST = 20_000
_MOST_PYTHONS = 64


class Reports:
    """A pipe that the command's Pythons write to, and all that came out of it."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        """Files that were imported: of a package its first alone."""
        self.programs: set[str] = set()
        self.libraries: set[str] = set()
        self.pythons: dict[int, str] = {}
        """The executables of the Pythons that started, by process, the last of each."""
        self.peak_kib = 0
        """The most memory that one of them held, as it told at its end."""
        self.imports: dict[str, set[str]] = {}
        """The files that each of these executables told."""
        self._left = b""
        self.pipe, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._make_room()
            self._zip = os.memfd_create("envsnap", os.MFD_CLOEXEC)
        except OSError:
            os.close(self.pipe)
            os.close(self._writer)
            raise
        here = f"/proc/{os.getpid()}/fd"
        self.folder = f"{here}/{self._zip}"
        self.name = f"{os.getpid()}.{os.fstat(self.pipe).st_ino}"
        pipe = f"{here}/{self._writer}"
        call = f"start({pipe!r}, {os.fstat(self.pipe).st_ino}, {self.folder!r})\n"
        _write(self._zip, _zipped(inside.source("site/sitecustomize") + call))

    def _make_room(self) -> None:
        with suppress(OSError):  # 64 KiB do
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, _ROOM_BYTES)

    def variables(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of the command: its own, and how its Pythons find this."""
        path, runs = environ.get("PYTHONPATH"), environ.get(VARIABLE)
        return {
            **environ,
            "PYTHONPATH": f"{self.folder}:{path}" if path else self.folder,
            VARIABLE: f"{runs} {self.name}" if runs else self.name,
        }

    def read(self) -> None:
        """Take what has come; what comes too fast waits for the next turn."""
        for _ in range(_PIECES_AT_ONCE):
            try:
                piece = os.read(self.pipe, _PIECE_BYTES)
            except BlockingIOError:
                return
            *lines, self._left = (self._left + piece).split(b"\n")
            self._left = self._left[-_PIECE_BYTES:]
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        """One line: KIND PID PATH. Anybody can write it: it is a path or a number, or nothing."""
        kind, _, rest = line.partition(b" ")
        number, _, raw = rest.partition(b" ")
        if not number.isdigit() or len(number) > _LONGEST_NUMBER:
            return
        if kind == b"H" and raw.isdigit() and len(raw) <= _LONGEST_NUMBER:
            self.peak_kib = max(self.peak_kib, int(raw))
        if not raw.startswith(b"/"):
            return
        pid, path = int(number), os.fsdecode(raw)
        if kind == b"S" and len(self.pythons) < _MOST:
            self.pythons[pid] = path
            if len(self.imports) < _MOST_PYTHONS:
                self.imports.setdefault(path, set())
        kept = {b"M": self.modules, b"P": self.programs, b"L": self.libraries}.get(kind)
        if kept is not None and len(kept) < _MOST:
            kept.add(path)
            if kind == b"M":
                self.imports.get(self.pythons.get(pid, ""), set()).add(path)

    def close(self) -> None:
        """Listen no longer."""
        for each in (self.pipe, self._writer, self._zip):
            os.close(each)


_LONGEST_NUMBER = 10


def _zipped(text: str) -> bytes:
    """A zip file with that sitecustomize alone; stored, for a Python without zlib."""
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo("sitecustomize.py"), text)
    return held.getvalue()


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
