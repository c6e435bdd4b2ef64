"""The running machine, looked at through its own files and commands."""

from __future__ import annotations

import contextlib
import errno
import os
import stat as stat_module
import subprocess
from collections.abc import Callable, Sequence

from envsnap.host._children import Children, kill_group
from envsnap.host._protocol import (
    FILE_LIMIT_BYTES,
    Binary,
    Listen,
    NvmlAnswer,
    PlainHost,
    Ran,
    Stat,
    StatedDigest,
    ToVerify,
    Uname,
    Verified,
)
from envsnap.inside.output import FloodError, output_of
from envsnap.sections import Fact, Reason, Unknown

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM}
_PIECE = 1 << 16
_TO_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def refused(error: OSError) -> Unknown | None:
    """What an operating system's error says of a path: None means it is not there."""
    if error.errno in _NOT_THERE:
        return None
    if error.errno in _NOT_ALLOWED:
        return Unknown(Reason.NO_PERMISSION)
    return Unknown(Reason.NOT_SUPPORTED, os.strerror(error.errno or 0))


def read_regular(path: str, limit: int, *, flags: int = 0) -> Fact[bytes | None]:
    """The start of a regular file. A pipe or device is never waited for."""
    try:
        handle = os.open(path, flags | _TO_READ)
    except (OSError, ValueError) as error:
        return refused(error) if isinstance(error, OSError) else None
    try:
        found = os.fstat(handle)
        if not stat_module.S_ISREG(found.st_mode):
            return Unknown(Reason.NOT_SUPPORTED, "not a regular file")
        return _read_up_to(handle, limit, found.st_size)
    except OSError as error:
        return refused(error)
    finally:
        os.close(handle)


def _read_up_to(handle: int, limit: int, size: int) -> bytes:
    # To ask for more than there is makes Python fetch and give back that much memory.
    first = os.read(handle, min(limit, size + 1 if size else _PIECE))
    if not first or len(first) in {limit, size}:
        return first
    parts = [first]
    left = limit - len(first)
    while left and (part := os.read(handle, min(left, _PIECE))):  # /proc has no size, in pieces
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def stat_of(path: str) -> Fact[Stat | None]:
    """What a path is, links followed; None if it leads nowhere."""
    try:
        return as_stat(os.stat(path))
    except (OSError, ValueError) as error:
        return refused(error) if isinstance(error, OSError) else None


def as_stat(found: os.stat_result) -> Stat:
    """What the operating system says of a path, in our words."""
    kind = "other"
    if stat_module.S_ISREG(found.st_mode):
        kind = "file"
    elif stat_module.S_ISDIR(found.st_mode):
        kind = "folder"
    owner = found.st_uid if hasattr(os, "getuid") else None  # Windows says 0 of everybody's
    return Stat(kind, found.st_size, int(found.st_mtime), owner)


class LocalHost(PlainHost):
    """This machine, live."""

    def __init__(self) -> None:
        self._children = Children()

    def stop(self) -> None:
        """End every command that still runs; none is started after it."""
        self._children.stop()

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a regular file; None if there is no such file."""
        return read_regular(path, limit)

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""
        try:
            return tuple(sorted(os.listdir(path)))
        except (OSError, ValueError) as error:
            return refused(error) if isinstance(error, OSError) else None

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""
        return stat_of(path)

    def link(self, path: str) -> Fact[str | None]:
        """Where a symbolic link points, as written; None if it is no link."""
        try:
            return os.readlink(path)
        except OSError as error:
            return None if error.errno == errno.EINVAL else refused(error)
        except ValueError:
            return None

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved; None if it leads nowhere."""
        try:
            return os.path.realpath(path, strict=True)
        except (OSError, ValueError) as error:
            return refused(error) if isinstance(error, OSError) else None

    def run(self, argv: Sequence[str], *, timeout_s: float = 5.0) -> Fact[Ran]:
        """A command's answer in the C locale; `tool-missing` when it is not on PATH."""
        return run_command(argv, self._children, timeout_s=timeout_s)

    def environ(self, name: str) -> Fact[str | None]:
        """One environment variable; None if it is not set."""
        return os.environ.get(name)

    def uname(self) -> Fact[Uname]:
        """The kernel's own words."""
        if hasattr(os, "uname"):
            found = os.uname()
            return Uname(found.sysname, found.release, found.version, found.machine)
        import platform

        asked = platform.uname()
        return Uname(asked.system, asked.release, asked.version, asked.machine)

    def user(self) -> Fact[tuple[str, int]]:
        """The user's name and number. Never recorded in a manifest."""
        if not hasattr(os, "getuid"):
            return Unknown(Reason.NOT_SUPPORTED, "users have no numbers here")
        import pwd

        number = os.getuid()
        try:
            return pwd.getpwuid(number).pw_name, number
        except KeyError:  # usual in a container: the number is all there is, also to /etc/subuid
            return str(number), number

    def home(self) -> Fact[str | None]:
        """The user's home folder."""
        found = os.path.expanduser("~")
        return found if os.path.isabs(found) else None

    def cwd(self) -> Fact[str]:
        """The folder that the user stands in."""
        try:
            return os.getcwd()
        except OSError as error:
            return refused(error) or Unknown(Reason.NOT_SUPPORTED, "the folder was deleted")

    def capacity_mib(self, path: str) -> Fact[int | None]:
        """The size of the folder's file system, MiB; None if there is no such folder."""
        if not hasattr(os, "statvfs"):
            return Unknown(Reason.NOT_SUPPORTED, "this system has no statvfs")
        try:
            found = os.statvfs(path)
        except (OSError, ValueError) as error:
            return refused(error) if isinstance(error, OSError) else None
        return found.f_blocks * found.f_frsize // (1024 * 1024)

    def nvml(self) -> Fact[NvmlAnswer]:
        """What NVIDIA's management library says, asked in a child that can be killed."""
        from envsnap.host._nvml import ask

        return ask(self._children)

    def stated_digests(self, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
        """Start reading RECORD files in a second process; call the result for their digests."""
        from envsnap.host._digests import start

        return start(records)

    def verified(
        self, asked: Sequence[ToVerify], listen: Listen
    ) -> Callable[[], Sequence[Fact[Verified]]]:
        """Start hashing all files of these in two processes; call the result for the answers."""
        from envsnap.host._hashes import start

        return start(asked, self._children, listen)

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """What each ELF file says of itself, in their order; None where it is no ELF file."""
        from envsnap.host._binaries import binaries

        return binaries(paths, self._children)

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """The SHA-256 of each file, hex, in their order; None where there is no such file."""
        from envsnap.host._binaries import contents

        return contents(paths, self._children)


def run_command(argv: Sequence[str], children: Children, *, timeout_s: float) -> Fact[Ran]:
    """Start a command, without a terminal and in a group of its own, and wait for its answer."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    try:
        child = children.start(argv, environment)
    except FileNotFoundError:
        return Unknown(Reason.TOOL_MISSING, argv[0].rpartition("/")[2])
    except OSError as error:  # its own words hold the path, which may name somebody
        why = f"{argv[0].rpartition('/')[2]}: {error.strerror}"
        return refused(error) or Unknown(Reason.CRASHED, why)
    except ValueError as error:
        return Unknown(Reason.CRASHED, f"{argv[0].rpartition('/')[2]}: {error}")
    try:
        out, err = output_of(child, timeout_s)
    except subprocess.TimeoutExpired:
        _give_up(child)
        name = argv[0].rpartition("/")[2]
        return Unknown(Reason.TIMED_OUT, f"{name} did not answer within {timeout_s:g} s")
    except FloodError:
        _give_up(child)
        name = argv[0].rpartition("/")[2]
        return Unknown(Reason.NOT_SUPPORTED, f"{name} wrote more than is kept of an answer")
    except BaseException:
        _give_up(child)
        raise
    return Ran(child.returncode, _decode(out), _decode(err))


def _decode(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def _give_up(child: subprocess.Popen[bytes]) -> None:
    """End a command and what it started; its pipes close, so that nothing waits for them."""
    kill_group(child)
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=1)  # one that is stuck in the kernel cannot be waited for
