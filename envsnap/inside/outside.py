r"""The digest of what a wheel put outside of its folder of packages: programs, data and headers.

`other`, known as envsnap-outside-1: SHA-256 over the lines `path NUL sha256-hex LF`, sorted as
bytes, of the files that RECORD names in the environment and outside of the folder that the package
lies in. The path is relative to the prefix: `bin/NAME` for programs (Windows' `Scripts` too),
`headers/REST` for `include/site/pythonX.Y/NAME/REST` where NAME is the package's own, and data as
they lie (`share/...`). Left out: `*.pyc`, the programs that installers write for entry points, and
rows that leave the prefix.

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
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_CODING_LETTERS = 40
_OCTAL = len(b"'\\'0057")
_PATH_BYTES = 4096
"""As many as the kernel takes; to look for the links in a path of more takes the square of them."""
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
    folder = b"Scripts" if site.split(b"/")[-2] == b"Lib" else b"bin"
    names, found = frozenset(wrappers), {}  # type: frozenset[bytes], dict[bytes, bytes]
    refusal = _unstated(answer, _inner(answer.unstated, site, prefix), folder, names)
    for path, inner, stated in _inner(answer.leaving, site, prefix):
        if _is_wrapper(inner, folder, names):
            continue
        answer.covered.append(inner)
        is_program = posixpath.dirname(inner) == folder
        digest = _program(stated, inner, prefix, read, real=real) if is_program else stated
        if isinstance(digest, content.Refusal):
            refusal = _weightier(refusal, digest)
            continue
        travels = content.from_prefix(inner, folder, answer.name)
        if found.setdefault(b"\n" + travels, digest) != digest:
            two = content.TWO_HASHES + content.shown(path)
            refusal = _weightier(refusal, content.Refusal("witnesses-disagree", two))
    answer.outside = len(answer.covered)
    answer.other_refusal = answer.other_refusal or refusal
    if found and answer.other_refusal is None:
        answer.other = content.digest_of(sorted(found.items()))


def _unstated(
    answer: "Stated",
    rows: "Iterable[tuple[bytes, bytes, bytes]]",
    folder: bytes,
    names: "frozenset[bytes]",
) -> "Refusal | None":
    """Why rows without a SHA-256 cost the digest, where one is of another file than a wrapper."""
    for path, inner, why in rows:
        if not _is_wrapper(inner, folder, names):
            bad = [(each, said.decode()) for each, said in answer.unstated]
            return content.refusal_of(path, why.decode(), bad)
    return None


def _weightier(first: "Refusal | None", second: "Refusal") -> "Refusal":
    """The first of two that is about RECORD itself: a file that cannot be read hides none."""
    if first is None or (first.is_of_reading and not second.is_of_reading):
        return second
    return first


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
        place = content.place_of(site, path[1:])
        if place.startswith(start) and not place.endswith(b".pyc"):
            yield path, place[len(start) :], said


def _is_wrapper(inner: bytes, folder: bytes, names: "frozenset[bytes]") -> bool:
    """Whether an installer writes a program of this name for an entry point."""
    above, _, name = inner.rpartition(b"/")
    if above != folder:
        return False
    if name in names:
        return True
    name = name.replace(b"-script.py", b"").replace(b".exe", b"")  # Windows has these
    plain = name.rstrip(b"0123456789.").rstrip(b"-")
    return name in names or (plain in _VERSIONED and plain in names)


def _program(
    stated: bytes, inner: bytes, prefix: bytes, read: "Read", *, real: "Real"
) -> "bytes | Refusal":
    """The hash of one as it is in its wheel; that is the stated one where nobody rewrites it."""
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
        is_other = code == "witnesses-disagree"
        return content.Refusal(code, "%s %s" % (said, why), is_of_reading=is_other)
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
    found = _own_python(text, folder, real)
    return _START + found[1] if found else None


def python_of(text: bytes, folder: bytes, real: "Real" = bytes) -> "bytes | None":
    """The name of the Python of this folder that starts a script; None where another thing does."""
    found = _own_python(text, folder, real)
    return found[0] if found else None


def _own_python(text: bytes, folder: bytes, real: "Real") -> "tuple[bytes, bytes] | None":
    """The name of the Python of this folder that starts a script, and the text after that line."""
    first, _, rest = text.partition(b"\n")
    if first != b"#!/bin/sh":
        command = first[len(_MARK) :].rstrip(b"\r")
        place = command.rpartition(b"/")[0]
        if place != folder and set(place) & set(b" \t"):
            return None  # the kernel ends the path there; pip writes its own folder with one so
        name, *options = command[len(place) + 1 :].split(b" ")
        are_plain = all(
            each[:1] == b"-" and each[1:] and not each[1:].strip(b"BEIOPqsSu") for each in options
        )
        is_own = are_plain and _is_own(place, name, folder, real)
        return (name, rest) if is_own else None
    found = handed(text, folder)
    place, _, name = found[0].rpartition(b"/") if found else (b"", b"", b"")
    return (name, found[1]) if found and _is_own(place, name, folder, real) else None


def handed(text: bytes, folder: bytes) -> "tuple[bytes, bytes] | None":
    """What starts a script that is handed to /bin/sh, as installers do, and the text after that."""
    first, _, rest = text.partition(b"\n")
    coding = None  # type: bytes | None
    if rest.startswith(_CODING):  # of uv, where the script has such a line
        line, _, rest = rest.partition(b"\n")
        coding = line[len(_CODING) :]
    starts, _, rest = rest.partition(b"\n")
    ends, _, rest = rest.partition(b"\n")
    is_one = starts.startswith(_EXEC) and starts.endswith(_GIVEN) and ends.rstrip() == b"' '''"
    if first != b"#!/bin/sh" or not is_one:
        return None
    if coding is not None and not coding == _coding_of(rest.partition(b"\n")[0]) != b"":
        return None  # Python would read the text in another way than that of its wheel
    return _unquoted(starts[len(_EXEC) : -len(_GIVEN)], folder), rest


def _coding_of(line: bytes) -> bytes:
    """The coding that a comment names, as Python finds it (PEP 263); empty where it is none."""
    for part in line.split(b"coding")[1:] if line.lstrip(b" \t\f").startswith(b"#") else ():
        word = part[1:].lstrip(b" \t")
        name = word[: len(word) - len(word.lstrip(_LETTERS))]
        if part[:1] in (b":", b"=") and name:
            return name if len(name) <= _CODING_LETTERS else b""
    return b""


def _is_own(place: bytes, name: bytes, folder: bytes, real: "Real") -> bool:
    """Whether a folder is that one, and a program in it is by its name a Python."""
    if len(place) > _PATH_BYTES or b"\0" in place or not place.startswith(b"/"):
        return False
    is_python = name.rstrip(b"0123456789.t") in _PYTHONS
    return is_python and (place == folder or real(place) == real(folder))


def _unquoted(word: bytes, folder: bytes) -> bytes:
    """A word of the shell's, as installers write a path; no Python's where it is of another form.

    `folder` is where the script lies, for a path that begins there.
    """
    start = folder + b"/" if word.startswith(_BESIDE) else b""
    word = word[len(_BESIDE) :] if start else word
    if word[:1] in (b"'", b'"') and word[-1:] == word[:1] and not set(word[1:-1]) & set(b"\"'`$\\"):
        return start + word[1:-1]
    if word.startswith(_PRINTF) and word.endswith(b')"'):
        parts = word[len(_PRINTF) : -2].split(b" ")
        digits = [each[4:] for each in parts]
        are_three = all(each[:4] == b"'\\'0" and len(each) == _OCTAL for each in parts)
        if are_three and not b"".join(digits).strip(b"01234567"):  # so many does the shell take
            return start + bytes(int(each, 8) & 255 for each in digits)
    is_plain = word[:1] == b"/" and not set(word) & set(b"\"'`$\\ ;&|<>()")
    return word if is_plain and not start else b""


def starts_python(text: bytes) -> bool:
    r"""Whether the path of a Python, or one for a shell, starts a script: an installer's, perhaps.

    >>> starts_python(b"#!/usr/bin/python3\n"), starts_python(b"#!/usr/bin/env python3\n")
    (True, False)
    """
    first, _, rest = text.partition(b"\n")
    if first == b"#!/bin/sh":
        rest = rest.partition(b"\n")[2] if rest.startswith(_CODING) else rest
        return rest.startswith(_EXEC)
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
    """The first bytes of a file on this machine; of a link none: what it leads to lies elsewhere.

    What such a program finds beside itself is in no digest.
    """
    name = ascii(os.path.basename(path).decode("utf-8", "backslashreplace"))
    try:
        if not os.path.islink(path):
            return content.read_file(path, limit)
        code, why = "not-supported", "%s is a link" % name
    except PermissionError:
        code, why = "no-permission", "%s may not be read" % name
    except (FileNotFoundError, NotADirectoryError):
        code, why = "witnesses-disagree", "%s, which RECORD names, is not there" % name
    except (OSError, ValueError) as fault:
        said = getattr(fault, "strerror", None) or "its name is none"
        code, why = "unparsable", "%s cannot be read: %s" % (name, said)
    return content.Refusal(code, why, is_of_reading=True)


def main() -> None:
    """Answer RECORD paths, NUL-separated on standard input, each by a line of JSON, in order."""
    import gc

    gc.disable()  # a hundred thousand small objects, none in a cycle, all gone soon
    for path in filter(None, sys.stdin.buffer.read().split(b"\0")):
        sys.stdout.write(_json_value(of_file(path)) + "\n")
        sys.stdout.flush()
    os._exit(0)  # nothing is left to flush, and taking the objects apart costs milliseconds


_TOLD = ("content", "files", "other", "other_refusal", "outside", "refusal")
_WHY = ("code", "detail")


def _json_value(value: "str | int | Refusal | Stated | None") -> str:
    """The value in JSON; to import `json` would double the start of this process."""
    if isinstance(value, (content.Refusal, content.Stated)):
        names = _TOLD if isinstance(value, content.Stated) else _WHY
        known = [(name, getattr(value, name)) for name in names]
        return "{%s}" % ", ".join('"%s": %s' % (name, _json_value(each)) for name, each in known)
    if not isinstance(value, str):
        return "null" if value is None else str(value)
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')  # printable ASCII all of it
