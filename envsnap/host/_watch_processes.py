"""The processes of a watched command, as /proc shows them from one look to the next."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from envsnap._typing import NamedTuple

_LIMIT_BYTES = 16 * 1024 * 1024
_MOST = 20_000
_PARTS_OF_A_MAPPING = 6
_NO_FILES = ("/memfd:", "/dev/", "/SYSV", "/anon_hugepage")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Processes:
    """A process and all that came from it, also those whose parents have ended."""

    def __init__(self, mark: str) -> None:
        """`mark` is what the command's environment holds and no other's."""
        self.libraries: set[str] = set()
        """Every file that one of them had mapped to execute, its program too."""
        self.programs: set[str] = set()
        self.peak_kib = 0
        """The most memory of all together; pages that several share count once, where told."""
        self.ever: set[int] = set()
        self._mark = os.fsencode(mark)
        self._alive: dict[int, _Known] = {}
        self._seen = set(_numbers())

    def add(self, pid: int) -> None:
        """Name the first of them."""
        self._alive[pid] = _Known("", "")
        self.ever.add(pid)

    def look(self) -> int:
        """See who is there, what they have mapped, how much memory they hold; how many they are."""
        self._find()
        sizes: dict[int, int] = {}
        for pid, known in list(self._alive.items()):
            found = _status(pid)
            if found is None:
                del self._alive[pid]
                continue
            sizes[pid] = found.get("VmRSS", 0)
            self.peak_kib = max(self.peak_kib, found.get("VmHWM", 0))
            self._alive[pid] = self._mapped(pid, known, str(found.get("VmLib", "")))
        if sum(sizes.values()) > self.peak_kib:  # shares make it less, never more
            whole = sum(_shared(pid, size) for pid, size in sizes.items())
            self.peak_kib = max(self.peak_kib, whole)
        return sum(map(bool, sizes.values()))

    def _find(self) -> None:
        """Take in who is new and ours: by the parent, or else by what its environment holds."""
        now = set(_numbers())
        parents = {pid: parent for pid in now - self._seen if (parent := _parent(pid)) is not None}
        self._seen = now
        while parents:
            children = {pid for pid, parent in parents.items() if parent in self._alive}
            if not children:
                told = {pid: _read(f"/proc/{pid}/environ") for pid in parents}
                children = {pid for pid, text in told.items() if self._mark in (text or b"")}
                if not children:  # amid an exec a process has no environment: it is asked again
                    self._seen -= {pid for pid, text in told.items() if text == b""}
                    return
            for pid in children:
                del parents[pid]
                self._alive[pid] = _Known("", "")
            self.ever |= children

    def _mapped(self, pid: int, known: _Known, size: str) -> _Known:
        """Note its program and its libraries, if they are others than at the last look."""
        try:
            program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        except OSError:
            return known
        now = _Known(program, size)
        if now != known:
            if len(self.programs) < _MOST and program.startswith("/"):
                self.programs.add(program)
            if len(self.libraries) < _MOST:
                self.libraries.update(mapped(_read(f"/proc/{pid}/maps") or b""))
        return now


class _Known(NamedTuple):
    """What a process was at the last look."""

    program: str
    size: str
    """Of its mappings that are executed, KiB: it changes when a library comes or goes."""


def mapped(text: bytes) -> Iterator[str]:
    r"""The files in a process's maps that it can execute from.

    >>> list(mapped(b"7f00-7f01 r-xp 00000000 08:01 42    /usr/lib/libm.so.6\n"))
    ['/usr/lib/libm.so.6']
    """
    for line in text.split(b"\n"):
        parts = line.split(None, _PARTS_OF_A_MAPPING - 1)
        if len(parts) == _PARTS_OF_A_MAPPING and b"x" in parts[1] and parts[5].startswith(b"/"):
            raw = _ESCAPED.sub(lambda each: bytes([int(each[1], 8) & 0xFF]), parts[5])
            path = os.fsdecode(raw.removesuffix(b" (deleted)"))
            if not path.startswith(_NO_FILES):
                yield path


def _numbers() -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _parent(pid: int) -> int | None:
    raw = _read(f"/proc/{pid}/stat")
    parts = (raw or b"").rpartition(b")")[2].split()  # a name may hold anything, a bracket too
    return int(parts[1]) if len(parts) > 1 else None


def _status(pid: int) -> dict[str, int] | None:
    """The figures of a process, KiB; None when it has ended. One that was not waited for has none.

    >>> _status(os.getpid())["VmRSS"] > 0
    True
    """
    raw = _read(f"/proc/{pid}/status")
    return None if raw is None else _figures(raw)


def _figures(raw: bytes) -> dict[str, int]:
    found = {}
    for line in raw.split(b"\n"):
        if line.startswith(b"Vm") and line.endswith(b" kB"):
            name, _, value = line.partition(b":")
            found[name.decode("ascii", "replace")] = int(value.split()[0])
    return found


def _shared(pid: int, size: int) -> int:
    """What a process holds, KiB, its part alone of the pages that others hold, too."""
    for line in (_read(f"/proc/{pid}/smaps_rollup") or b"").split(b"\n"):
        if line.startswith(b"Pss:"):
            return int(line.split()[1])
    now = _status(pid)  # one that is ending says nothing of its share, and holds nothing more
    return size if now and now.get("VmRSS") else 0


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            found = bytearray()
            while len(found) < _LIMIT_BYTES and (piece := file.read(1 << 16)):
                found += piece  # /proc gives a page at a time
            return bytes(found)
    except OSError:
        return None
