r"""The digest of what a wheel put outside of its folder of packages: programs, data and headers.

`other`, known as envsnap-outside-1: SHA-256 over the lines `path NUL sha256-hex LF`, sorted as
bytes, of the files that RECORD names in the environment and outside of the folder that the package
lies in. The path is relative to the prefix: `bin/NAME` for programs (Windows' `Scripts` too),
`headers/REST` for `include/site/pythonX.Y/NAME/REST`, and data as they lie (`share/...`). Left out:
`*.pyc`, the programs that installers write for entry points, and rows that leave the prefix.

Where a wheel's script begins with `#!python`, an installer writes an interpreter there, and states
the hash of that. So of a program whose first line starts a Python, the hash is that of its text
with the line `#!python`. It must be the Python beside the program, or there is no digest: nobody
could tell who wrote that line. Whether a file may be run is not
in the digest. What does not begin with `#!` keeps the hash that RECORD states, and is not read;
what does must have it, or there is no digest.

Syntax for Python 3.6 and newer, standard library only. `main` answers for many RECORDs.
"""

import os
import posixpath
import sys
from hashlib import sha256

if __package__:
    from envsnap.inside import content
else:  # started on its own, beside the others: an envsnap of the environment's own is not asked
    import content  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from envsnap.inside.content import Refusal, Stated

    Read = Callable[[bytes, int], "bytes | Refusal"]
    """Gives a file's first bytes: at most one more than it is asked for; or why there are none."""
    Real = Callable[[bytes], bytes]

_MARK = b"#!"
_START = b"#!python\n"
_CODING = b"# coding: "
_EXEC, _GIVEN = b"'''exec' ", b' "$0" "$@"'
_BESIDE = b'"$(dirname -- "$(realpath -- "$0")")"/'
_PRINTF = b'"$(printf %b '
_PYTHONS = (b"python", b"pypy", b"graalpy")
_UNTOLD = "the folder of the package does not tell that of its environment"
_FOLDERS = (b"site-packages", b"dist-packages")
_VERSIONED = (b"pip", b"easy_install")
"""What pip names after the Python that it installs them for, too."""


def judge(
    answer: "Stated",
    site: bytes,
    wrappers: "Iterable[bytes]",
    read: "Read",
    *,
    real: "Real" = bytes,
) -> None:
    """Fill in the digest over what leaves the folder `site`, without these entry points' programs.

    The absolute path of the folder tells the prefix. `read` is asked for programs alone, `real`
    for the way to them without links.
    """
    answer.outside = 0
    if not (answer.leaving or answer.unstated):
        return
    prefix = prefix_of(site)
    if prefix is None:
        answer.other_refusal = answer.other_refusal or content.Refusal("not-supported", _UNTOLD)
        return
    names, found = frozenset(wrappers), {}  # type: frozenset[bytes], dict[bytes, bytes]
    refusal = None  # type: Refusal | None
    for path, inner, why in _inner(answer.unstated, site, prefix):
        if not _is_wrapper(inner, names):
            bad = [(each, said.decode()) for each, said in answer.unstated]
            refusal = refusal or content.refusal_of(path, why.decode(), bad)
    for path, inner, stated in _inner(answer.leaving, site, prefix):
        if _is_wrapper(inner, names):
            continue
        answer.covered.append(inner)
        digest = _digest_of(stated, inner, prefix, read, real=real)
        if isinstance(digest, content.Refusal):
            refusal = refusal or digest
        elif found.setdefault(b"\n" + content.from_prefix(inner), digest) != digest:
            two = content.TWO_HASHES + content.shown(path)
            refusal = refusal or content.Refusal("witnesses-disagree", two)
    answer.outside = len(answer.covered)
    answer.other_refusal = answer.other_refusal or refusal
    if found and answer.other_refusal is None:
        answer.other = content.digest_of(sorted(found.items()))


def prefix_of(site: bytes) -> "bytes | None":
    """The environment that a folder of packages lies in, as every installer lays them out.

    >>> prefix_of(b"/opt/env/lib/python3.11/site-packages")
    b'/opt/env'
    """
    parts = site.split(b"/")
    if parts[-1] not in _FOLDERS:
        return None
    if parts[-3:-2] and parts[-3].startswith(b"lib") and parts[-2].startswith(_PYTHONS):
        return b"/".join(parts[:-3])
    return b"/".join(parts[:-2]) if parts[-2:-1] == [b"Lib"] else None  # as on Windows


def _inner(
    rows: "Iterable[tuple[bytes, bytes]]", site: bytes, prefix: bytes
) -> "Iterator[tuple[bytes, bytes, bytes]]":
    """The rows of files in the prefix, each with its path there; bytecode is none of a wheel's."""
    start = prefix + b"/"
    up = b"\n" + b"../" * site[len(prefix) :].count(b"/")
    for path, said in rows:
        inner = path[len(up) :]
        if path.startswith(up) and not (b"./" in inner or b"//" in inner or inner[-1:] in b"./"):
            if not inner.endswith(b".pyc"):
                yield path, inner, said
            continue
        place = posixpath.normpath(posixpath.join(site, path[1:]))
        if place.startswith(start) and not place.endswith(b".pyc"):
            yield path, place[len(start) :], said


def _is_wrapper(inner: bytes, names: "frozenset[bytes]") -> bool:
    """Whether an installer writes a program of this name for an entry point."""
    folder, _, name = inner.rpartition(b"/")
    if folder not in (b"bin", b"Scripts"):
        return False
    if name in names:
        return True
    name = name.replace(b"-script.py", b"").replace(b".exe", b"")  # Windows has these
    plain = name.rstrip(b"0123456789.").rstrip(b"-")
    return name in names or (plain in _VERSIONED and plain in names)


def _digest_of(
    stated: bytes, inner: bytes, prefix: bytes, read: "Read", *, real: "Real"
) -> "bytes | Refusal":
    """The hash of a file as it is in its wheel; that is the stated one where nobody rewrites it."""
    if posixpath.dirname(inner) not in (b"bin", b"Scripts"):
        return stated
    place = prefix + b"/" + inner
    head = read(place, len(_MARK))
    if isinstance(head, content.Refusal) or head[: len(_MARK)] != _MARK:
        return head if isinstance(head, content.Refusal) else stated
    text = read(place, content.RECORD_LIMIT)
    if isinstance(text, content.Refusal):
        return text
    plain = as_in_wheel(text, posixpath.dirname(place) if prefix else None, real)
    code = why = ""
    if len(text) > content.RECORD_LIMIT:
        code, why = "not-supported", "is a script of too many bytes"
    elif sha256(text).hexdigest().encode() != stated:
        code, why = "witnesses-disagree", "is not the file that RECORD states"
    elif plain is None and starts_python(text):
        code, why = "unparsable", "is started by another Python than the one beside it"
    if why:
        said = ascii(inner.decode("utf-8", "backslashreplace"))
        return content.Refusal(code, "%s %s" % (said, why))
    return sha256(text if plain is None else plain).hexdigest().encode()


def as_in_wheel(text: bytes, folder: "bytes | None", real: "Real" = bytes) -> "bytes | None":
    r"""A script with `#!python` for the Python of this folder that an installer wrote there.

    None where another thing starts it. Of a script in its wheel there is no folder.

    >>> as_in_wheel(b"#!/opt/env/bin/python3.11\nimport sys\n", b"/opt/env/bin")
    b'#!python\nimport sys\n'
    >>> as_in_wheel(b"#!/usr/bin/env python3\n", b"/opt/env/bin") is None
    True
    """
    first, _, rest = text.partition(b"\n")
    if folder is None:
        return _START + rest if first.startswith(_START[:-1]) else None
    if first != b"#!/bin/sh":
        return _START + rest if _is_own(first[len(_MARK) :].rstrip(b"\r"), folder, real) else None
    if rest.startswith(_CODING):  # of uv, where the script has such a line
        rest = rest.partition(b"\n")[2]
    starts, _, rest = rest.partition(b"\n")
    ends, _, rest = rest.partition(b"\n")
    if not (starts.startswith(_EXEC) and starts.endswith(_GIVEN) and ends.rstrip() == b"' '''"):
        return None
    command = starts[len(_EXEC) : -len(_GIVEN)]
    if command.startswith(_BESIDE):
        command = b"'" + folder + b"/" + _unquoted(command[len(_BESIDE) :]) + b"'"
    return _START + rest if _is_own(_unquoted(command), folder, real) else None


def _is_own(command: bytes, folder: bytes, real: "Real") -> bool:
    """Whether a command is a Python of that folder, with options that let no other code in."""
    place, _, last = command.rpartition(b"/")
    if not place.startswith(b"/") or (place != folder and real(place) != real(folder)):
        return False
    name, *options = last.split(b" ")
    return name.rstrip(b"0123456789.t") in _PYTHONS and all(
        each[:1] == b"-" and each[1:] and not each[1:].strip(b"BEIOPqsSu") for each in options
    )


def _unquoted(word: bytes) -> bytes:
    """A word of the shell's, as installers write a path; empty where it is of another form."""
    if word[:1] in (b"'", b'"') and word[-1:] == word[:1] and not set(word[1:-1]) & set(b"\"'`$\\"):
        return word[1:-1]
    if word.startswith(_PRINTF) and word.endswith(b')"'):
        parts = word[len(_PRINTF) : -2].split(b" ")
        if all(each[:4] == b"'\\'0" and each[4:].isdigit() for each in parts):
            return bytes(
                int(each[4:], 8) & 255 for each in parts if not each[4:].strip(b"01234567")
            )
    return word if word[:1] == b"/" and not set(word) & set(b"\"'`$\\ ;&|<>()") else b""


def starts_python(text: bytes) -> bool:
    r"""Whether the path of a Python, or one for a shell, starts a script: an installer's, perhaps.

    >>> starts_python(b"#!/usr/bin/python3\n"), starts_python(b"#!/usr/bin/env python3\n")
    (True, False)
    """
    first, _, rest = text.partition(b"\n")
    if first == b"#!/bin/sh":
        return rest.startswith(_EXEC) or (rest.startswith(_CODING) and _EXEC in rest[:200])
    return first[len(_MARK) :].rpartition(b"/")[2].startswith(_PYTHONS)


def of_file(path: bytes, limit: int = content.RECORD_LIMIT) -> "Stated":
    """The digests that the RECORD at this path states, or why it has none."""
    folder, refusal = os.path.dirname(path), content.Refusal
    try:
        record = content.read_file(path, limit)
    except PermissionError:
        return content.Stated(refusal("no-permission", "RECORD may not be read"))
    except (FileNotFoundError, NotADirectoryError):
        return content.Stated(refusal("absent", "There is no RECORD"))
    except OSError as fault:
        return content.Stated(refusal("unparsable", "RECORD cannot be read: %s" % fault.strerror))
    answer = content.stated(record, os.path.basename(folder), limit)
    judge(
        answer,
        os.path.dirname(folder),
        wrappers_in(folder, limit),
        read_here,
        real=os.path.realpath,
    )
    return answer


def wrappers_in(folder: bytes, limit: int = content.RECORD_LIMIT) -> "Iterator[bytes]":
    """The names of a dist-info's own wrappers; the file is read when the first is asked for."""
    try:
        yield from content.scripts_of(
            content.read_file(os.path.join(folder, b"entry_points.txt"), limit)
        )
    except OSError:
        return  # then the wrappers count as scripts, and nothing claims them equal


def read_here(path: bytes, limit: int) -> "bytes | Refusal":
    """The first bytes of a file on this machine."""
    name = ascii(os.path.basename(path).decode("utf-8", "backslashreplace"))
    try:
        return content.read_file(path, limit)
    except PermissionError:
        return content.Refusal("no-permission", "%s may not be read" % name)
    except (FileNotFoundError, NotADirectoryError):
        return content.Refusal("witnesses-disagree", "%s, which RECORD names, is not there" % name)
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or "its name is none"
        return content.Refusal("unparsable", "%s cannot be read: %s" % (name, why))


def main() -> None:
    """Answer RECORD paths, NUL-separated on standard input, each by a line of JSON, in order."""
    import gc

    gc.disable()  # a hundred thousand small objects, none in a cycle, all gone soon
    for path in filter(None, sys.stdin.buffer.read().split(b"\0")):
        sys.stdout.write(_json_value(of_file(path)) + "\n")
        sys.stdout.flush()
    os._exit(0)  # nothing is left to flush, and taking the objects apart costs milliseconds


_TOLD = ("content", "files", "other", "other_refusal", "outside", "refusal")


def _json_value(value: "str | int | Refusal | Stated | None") -> str:
    """The value in JSON; to import `json` would double the start of this process."""
    if isinstance(value, (content.Refusal, content.Stated)):
        names = _TOLD if isinstance(value, content.Stated) else value.__slots__
        known = [(name, getattr(value, name)) for name in names]
        return "{%s}" % ", ".join('"%s": %s' % (name, _json_value(each)) for name, each in known)
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')  # printable ASCII all of it
