"""Answers questions about the machine it runs on: one JSON line each, until its input ends.

envsnap starts it inside an image, where it answers exactly what `envsnap.host.LocalHost` answers
where envsnap itself runs. Standard library alone; syntax good for Python 3.6 and newer.

A line asks `{"ask": NAME, ...}`; a line answers `{"value": ...}` or `{"unknown": CODE, ...}`.
Paths are text: UTF-8, bytes that are none as surrogate escapes, whatever the locale inside says.
"""

import base64
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import types

try:
    from envsnap.inside.output import FloodError, output_of
except ImportError:  # inside an image, where it came with this text
    from output import FloodError, output_of  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

HELLO = "envsnap-agent-1"

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
_PIECE = 1 << 20


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """There is no answer, for a reason from the manifest's closed list."""

    def __init__(self, code: str, detail: "str | None" = None) -> None:
        Exception.__init__(self, code, detail)
        self.code = code
        self.detail = detail


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _refusal(error: OSError) -> None:
    """Return where the path is not there; what else the system says is why there is no answer."""
    if error.errno in _NOT_THERE:
        return
    if error.errno in _NOT_ALLOWED:
        raise Refused("no-permission")
    raise Refused("not-supported", os.strerror(error.errno or 0))


def read(path: str, limit: int) -> "str | None":
    """The start of a regular file, base64. A pipe or device is never waited for."""
    handle = os.open(_bytes(path), os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("not-supported", "not a regular file")
        parts = []
        while limit:
            part = os.read(handle, min(limit, _PIECE))
            if not part:
                break
            parts.append(part)
            limit -= len(part)
        return base64.b64encode(b"".join(parts)).decode("ascii")
    finally:
        os.close(handle)


def names(path: str) -> "list[str]":
    """The names in a folder."""
    return [_text(name) for name in os.listdir(_bytes(path))]


def status(path: str) -> "list[object]":
    """Kind, size, time of change and owner, links followed."""
    found = os.stat(_bytes(path))
    kind = "other"
    if stat.S_ISREG(found.st_mode):
        kind = "file"
    elif stat.S_ISDIR(found.st_mode):
        kind = "folder"
    return [kind, found.st_size, int(found.st_mtime), found.st_uid]


def link(path: str) -> "str | None":
    """Where a link points, as written; None if it is no link."""
    try:
        return _text(os.readlink(_bytes(path)))
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise


def real(path: str) -> str:
    """The path with all links resolved. `strict` came with 3.10, so stat asks first."""
    os.stat(_bytes(path))
    return _text(os.path.realpath(_bytes(path)))


def run(argv: "list[str]", timeout_s: float) -> "list[object]":
    """A command's status, output and errors, in the C locale and a group of its own."""
    name = argv[0].rpartition("/")[2]
    environment = dict(os.environb)
    environment.update({b"LC_ALL": b"C.UTF-8", b"LANGUAGE": b""})
    try:
        child = subprocess.Popen(
            [_bytes(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise Refused("tool-missing", name) from None
    except OSError as error:
        _refusal(error)
        raise Refused("crashed", "%s: %s" % (name, error.strerror)) from None
    except ValueError as error:
        raise Refused("crashed", "%s: %s" % (name, error)) from None
    try:
        out, err = output_of(child, timeout_s)
    except subprocess.TimeoutExpired:
        _kill_group(child)
        raise Refused("timed-out", "%s did not answer within %g s" % (name, timeout_s)) from None
    except FloodError:
        _kill_group(child)
        raise Refused("not-supported", "%s wrote more than is kept of an answer" % name) from None
    return [child.returncode, _text(out), _text(err)]


def _kill_group(child: "subprocess.Popen[bytes]") -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    child.wait()


def environ(name: str) -> "str | None":
    """One environment variable."""
    found = os.environb.get(_bytes(name))
    return None if found is None else _text(found)


def uname() -> "list[str]":
    """The kernel's own words, without the host's name."""
    found = os.uname()
    return [found.sysname, found.release, found.version, found.machine]


def user() -> "list[object]":
    """The user's name and number."""
    import pwd

    number = os.getuid()
    try:
        return [pwd.getpwuid(number).pw_name, number]
    except KeyError:  # usual in a container: the number is all there is
        return [str(number), number]


def home() -> "str | None":
    """The user's home folder."""
    found = os.path.expanduser("~")
    return _text(os.fsencode(found)) if os.path.isabs(found) else None


def cwd() -> str:
    """The folder that the agent stands in."""
    try:
        return _text(os.getcwdb())
    except OSError as error:
        _refusal(error)
        raise Refused("not-supported", "the folder was deleted") from None


def capacity(path: str) -> int:
    """The size of the file system that holds a folder, MiB."""
    found = os.statvfs(_bytes(path))
    return found.f_blocks * found.f_frsize // (1024 * 1024)


def files(asked: str, paths: "list[str]", sources: "list[list[str]]") -> "list[object]":
    """What ELF files say of themselves, or their digests, by a program that came for it."""
    for name, text in sources:
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(text, name, "exec"), module.__dict__)  # noqa: S102 - envsnap's own
    answers = sys.modules["binary"].answers
    found = dict(answers(asked, [_bytes(path) for path in paths]))
    return [found.get(index) for index in range(len(paths))]


_ANSWERS: "dict[str, Callable[..., object]]" = {
    "read": read, "list": names, "stat": status, "link": link, "real": real, "run": run,
    "environ": environ, "uname": uname, "user": user, "home": home, "cwd": cwd,
    "capacity": capacity, "files": files,
}  # fmt: skip


def answer(question: "dict[str, object]") -> "dict[str, object]":
    """One question's answer."""
    function = _ANSWERS[str(question.pop("ask"))]
    try:
        return {"value": function(**question)}
    except Refused as refused:
        return {"unknown": refused.code, "detail": refused.detail}
    except ValueError:  # a NUL in a path
        return {"value": None}
    except OSError as error:
        try:
            _refusal(error)
        except Refused as refused:
            return {"unknown": refused.code, "detail": refused.detail}
        return {"value": None}


def main() -> None:
    """Answer until the input ends: then whoever asked is gone."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints by accident does not print among the answers
    _say(out, {"agent": HELLO, "python": "%d.%d.%d" % sys.version_info[:3]})
    for line in sys.stdin.buffer:
        _say(out, answer(json.loads(line.decode("ascii"))))


def _say(out: "BinaryIO", said: "dict[str, object]") -> None:
    out.write(json.dumps(said).encode("ascii") + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
