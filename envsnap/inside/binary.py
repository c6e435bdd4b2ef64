"""What ELF files say of themselves, or the SHA-256 of files, read in two processes.

`python -I -S -c SOURCE binaries` (or `contents`) reads paths, NUL-separated, on standard input, and
writes `INDEX JSON` on a line as each is known: `{"value": ...}` or
`{"unknown": CODE, "detail": ...}`.

A file is mapped into memory, not read into it, so that one of some gigabytes costs little. Where it
is cut short meanwhile, the system ends whoever looks at it: that is a process of ours which no
other file waits for. Pipes and devices are never waited for, either. Syntax for Python 3.6 and
newer, standard library only.
"""

import errno
import itertools
import json
import mmap
import os
import re
import select
import signal
import stat
import struct
import sys
from hashlib import sha256

try:
    from envsnap.inside import elf, gpu_code, texts
except ImportError:  # started on its own, beside the others
    import elf  # type: ignore[import-not-found, no-redef]
    import gpu_code  # type: ignore[import-not-found, no-redef]
    import texts  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envsnap.inside.elf import Data, Elf

    Answer = dict[str, object]

SILENCE_S = 120.0
"""How long both processes may say nothing: a network's disk can hang."""
LONGEST_ANSWER = 1 << 20
"""Bytes of what one file says of itself; the largest known libraries say some 20 KiB."""
_PROCESSES = 2
_OPENING = 1 << 18  # what opening a file costs, as so many bytes of it
_PIECE = 1 << 20
_COMPAT = re.compile(rb"NVIDIA Corporation\0{1,16}(?=\{)")  # the note's name, filled up
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}\Z")
_INITS = (b"PyInit", b"PyModExport_")
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_CUT_SHORT = "it was cut short while it was read"
_ENDED = "the process that read it ended"
_SILENT = "the disk gave nothing for %g s" % SILENCE_S


def facts(path: bytes) -> "dict[str, object] | None":
    """What an ELF file says of itself, by the names of `envsnap.host.Binary`; None for another.

    One that the linker refuses is none, either: nobody loads it, and so it needs nothing.

    Raises:
        ElfError: It is a broken one.
        OSError: It cannot be opened.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        return None  # to open a device can do something
    handle = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode) or os.read(handle, 4) != elf.MAGIC:
            return None
        data = mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
        try:
            return _facts(data, os.fsdecode(path.rpartition(b"/")[2]))
        except elf.RefusedError:
            return None
        except (struct.error, OverflowError) as error:  # a number that no file can hold
            raise elf.ElfError(str(error)) from None
        finally:
            data.close()
    finally:
        os.close(handle)


def _facts(data: "Data", name: str) -> "dict[str, object]":
    file = elf.Elf(data)
    found = file.dynamic()
    found.update(gpu_code.targets(data, file))
    found.update(
        machine=file.machine,
        bits=file.bits,
        interpreter=file.interpreter(),
        versions=sorted(file.versions().items()),
        imports=_imports(file, name),
        compat=_compat(file),
        texts=texts.told(data, file, [str(each) for each in (name, found["soname"]) if each]),
    )
    return found


def _imports(file: "Elf", name: str) -> bool:
    """Whether Python can import it: Python 2's functions are named after the file."""
    return any(map(file.defines, _INITS)) or file.defines(
        os.fsencode("init" + name.partition(".")[0])
    )


def _compat(file: "Elf") -> "list[object] | None":
    """CUDA version and driver branches that a cuda-compat libcuda states in a note, as JSON.

    NVIDIA's container toolkit reads it, and takes the names in capitals and in small letters.
    """
    for part in file.notes():
        name = _COMPAT.search(part)
        if name is not None:
            try:
                text = part[name.end() :].decode("utf-8", "replace")
                said = json.JSONDecoder().raw_decode(text)[0]
            except (ValueError, RecursionError):
                return None
            said = {name.lower(): value for name, value in said.items()}
            version, branches = said.get("cuda version"), said.get("driver", [])
            if not (isinstance(version, str) and _VERSION.match(version)):
                return None
            if isinstance(branches, list):
                return [version, [each for each in branches if type(each) is int]]
    return None


def digest(path: bytes) -> "str | None":
    """The SHA-256 of a regular file, hex; None for what is none.

    Raises:
        OSError: It cannot be read.
    """
    handle = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        hasher, memory = sha256(), bytearray(_PIECE)
        view = memoryview(memory)
        with os.fdopen(handle, "rb", 0, closefd=False) as file:
            while True:
                size = file.readinto(memory)
                if not size:
                    return hasher.hexdigest()
                hasher.update(view[:size])
    finally:
        os.close(handle)


_ASKED = {"binaries": facts, "contents": digest}


def answer(asked: str, path: bytes) -> "Answer":
    """One file's answer, or why there is none."""
    try:
        found = {"value": _ASKED[asked](path)}  # type: Answer
    except elf.TooMuchError as error:
        return {"unknown": "not-supported", "detail": "an ELF file beyond our bounds: %s" % error}
    except elf.ElfError as error:
        return {"unknown": "unparsable", "detail": "a broken ELF file: %s" % error}
    except OSError as error:
        return _refused(error.errno or 0)
    except ValueError:  # a NUL in a path, or a file that is empty by now
        return {"value": None}
    if len(json.dumps(found)) > LONGEST_ANSWER:
        return {"unknown": "not-supported", "detail": "its headers say too much"}
    return found


def _refused(number: int) -> "Answer":
    """What the system's error says of a path."""
    if number in _NOT_THERE:
        return {"value": None}
    if number in _NOT_ALLOWED:
        return {"unknown": "no-permission", "detail": None}
    return {"unknown": "not-supported", "detail": os.strerror(number)}


def answers(asked: str, paths: "Sequence[bytes]") -> "Iterator[tuple[int, Answer]]":
    """The answer of every path, by its index, as soon as it is known."""
    if not hasattr(os, "fork"):
        for index, path in enumerate(paths):
            yield index, answer(asked, path)
        return
    work = [_Process(asked, paths, part) for part in _parts(paths)]
    try:
        while work:
            ready, _, _ = select.select([each.pipe for each in work], [], [], SILENCE_S)
            if not ready:
                for index in itertools.chain.from_iterable(each.left for each in work):
                    yield index, {"unknown": "timed-out", "detail": _SILENT}
                return
            for each in [each for each in work if each.pipe in ready]:
                yield from each.read()
                if each.ended:
                    work.remove(each)
                    yield from each.lost()
                    work += [_Process(asked, paths, each.left)] if each.left else []
    finally:
        for each in work:
            each.end()


def _parts(paths: "Sequence[bytes]") -> "list[list[int]]":
    """The indices in two parts of about the same work, large files first."""
    sizes = [(_size(path) + _OPENING, index) for index, path in enumerate(paths)]
    parts = [(0, []) for _ in range(_PROCESSES)]  # type: list[tuple[int, list[int]]]
    for size, index in sorted(sizes, reverse=True):
        done, part = min(parts, key=lambda each: each[0])
        parts[parts.index((done, part))] = done + size, [*part, index]
    return [part for _, part in parts if part]


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0


class _Process:
    """A fork of this process that answers some of the paths, in their order."""

    def __init__(self, asked: str, paths: "Sequence[bytes]", part: "list[int]") -> None:
        self.left = list(part)
        self.ended = False
        self._line = b""
        self.pipe, writing = os.pipe()
        self._number = os.fork()
        if self._number:
            os.close(writing)
            return
        try:
            os.close(self.pipe)
            for index in part:
                said = json.dumps(answer(asked, paths[index])).encode("ascii")
                _write(writing, said + b"\n")
        finally:
            os._exit(0)  # whatever happened: what stands below is the other process's

    def read(self) -> "Iterator[tuple[int, Answer]]":
        """What it has said since the last time."""
        said = os.read(self.pipe, _PIECE)
        self.ended = not said
        lines = (self._line + said).split(b"\n")
        self._line = lines.pop()
        for line in lines:
            yield self.left.pop(0), json.loads(line.decode("ascii"))

    def lost(self) -> "Iterator[tuple[int, Answer]]":
        """Of a process that has ended: the file that it was at, if it was at one."""
        why = _CUT_SHORT if self.end() == signal.SIGBUS else _ENDED
        if self.left:
            yield self.left.pop(0), {"unknown": "crashed", "detail": why}

    def end(self) -> int:
        """End it, if it has not ended; the answer is the signal that did."""
        os.close(self.pipe)
        os.kill(self._number, signal.SIGKILL)  # its number is its own until it is waited for
        return os.waitpid(self._number, 0)[1] & 127


def _write(handle: int, text: bytes) -> None:
    left = memoryview(text)
    while left:
        left = left[os.write(handle, left) :]


def main() -> None:
    """Answer the paths on standard input."""
    asked = []  # type: list[bytes]
    while not asked or asked[-1]:
        asked.append(os.read(0, _PIECE))
    for index, said in answers(sys.argv[1], b"".join(asked).split(b"\0")):
        _write(1, b"%d %s\n" % (index, json.dumps(said).encode("ascii")))


if __name__ == "__main__":
    main()
