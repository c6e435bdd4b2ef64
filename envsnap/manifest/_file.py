"""Manifests on disk: the only place that reads and writes them."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable

from envsnap.errors import FileError, ManifestError
from envsnap.manifest._encode import encode
from envsnap.manifest._model import FILE_NAME, Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

LIMIT_BYTES = 64 * 1024 * 1024
"""A larger file is refused before it is parsed; a real one with 5,000 packages has 4 MiB."""

_PART_BYTES = 4
_PART_END = ".tmp"
_HEX = frozenset("0123456789abcdef")


def load(path: str) -> Manifest:
    """The manifest in a file; `-` is standard input.

    Raises:
        ManifestError: There is none, or it cannot be used.
        FileError: It cannot be read.
    """
    return parse(read_bytes(path), path)


def parse(raw: bytes, path: str) -> Manifest:
    """The manifest in these bytes; `path` is for messages alone."""
    from envsnap.manifest._decode import decode
    from envsnap.manifest._rows import rows_of

    try:
        rows = rows_of(raw, _Decoder())
        if rows is None:
            return decode(parse_json(raw), raw)
        found = decode(rows.tree, raw, is_as_written=True)
    except ManifestError as error:
        error.args = (f"{_name(path)}: {error.message}",)
        error.message = error.args[0]
        raise
    rows.remember(found)
    return found


def read_bytes(path: str) -> bytes:
    """A file whole, if it is no larger than a manifest may be."""
    too_large = False
    try:
        if path == "-":
            raw = from_standard_input(LIMIT_BYTES + 1)
        else:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                too_large = size > LIMIT_BYTES
                # To make room for the largest takes longer than to read a usual one.
                raw = b"" if too_large else file.read(size) + file.read(LIMIT_BYTES + 1 - size)
    except FileNotFoundError:
        raise ManifestError(f"No manifest at {path}", hint=_where_to_look(path)) from None
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    if too_large or len(raw) > LIMIT_BYTES:  # a pipe has no size beforehand
        raise ManifestError(f"{_name(path)}: Larger than {LIMIT_BYTES >> 20} MiB: not a manifest")
    return raw


def _where_to_look(path: str) -> str:
    """What to do where a name was typed: it is a slip more often than a manifest to be made."""
    from shlex import quote

    folder = os.path.dirname(path)
    return f"Look what is there: ls {quote(folder) + '/' if folder else ''}*.json"


def from_standard_input(limit: int) -> bytes:
    """So many bytes of standard input, at most.

    Raises:
        FileError: It is closed.
    """
    if sys.stdin is None:
        raise FileError("Standard input is closed", hint="Pipe something into it, or name a file")
    return sys.stdin.buffer.read(limit)


def parse_json(raw: bytes) -> object:
    """JSON without its extensions: no NaN, no doubled keys, nothing too deep.

    Raises:
        ManifestError: It is no JSON; the message has line and column.
    """
    try:
        return json.loads(raw.decode("utf-8-sig"), cls=_Decoder)
    except UnicodeDecodeError as error:
        raise ManifestError(f"Not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ManifestError(
            f"Not JSON at line {error.lineno}, column {error.colno}: {error.msg}",
            hint="The file may be cut short; fetch or capture it again",
        ) from None
    except RecursionError:
        raise ManifestError("Nested too deep") from None
    except ValueError as error:  # a number of thousands of digits
        raise ManifestError(f"Not usable JSON: {error}") from None


class _Decoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__(parse_constant=_no_constant, object_pairs_hook=_no_doubles)


def _no_constant(name: str) -> object:
    raise ManifestError(f"{name} is no JSON value")


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        number = Counter(key for key, _ in pairs)
        double = next(key for key, times in number.items() if times > 1)
        raise ManifestError(f"The key {double!a} stands twice in one object")
    return found


def save(manifest: Manifest, path: str) -> int:
    """Write the manifest whole or not at all; its size in bytes.

    Raises:
        FileError: The folder or file cannot be written, or the disk is full.
    """
    raw = encode(manifest).encode()
    if path == "-":
        to_standard_output(raw)
    else:
        write_whole(path, raw)
    return len(raw)


def to_standard_output(raw: bytes) -> None:
    """Write bytes to standard output, now.

    Raises:
        FileError: It is closed, or its disk is full. A reader that left early is no FileError.
    """
    if sys.stdout is None:
        raise FileError("Standard output is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"Cannot write to standard output: {error.strerror}") from error


def write_whole(path: str, raw: bytes, *, mode: int = 0o644) -> None:
    """Put bytes into a file as `fill_whole` does: whole or not at all.

    Raises:
        FileError: The file cannot be written.
    """
    fill_whole(path, lambda file: file.write(raw), mode=mode)


def fill_whole(path: str, fill: Callable[[BinaryIO], object], *, mode: int = 0o644) -> None:
    """Have a file written by way of a temporary one beside it: whole or not at all.

    A link stays a link. The new file has the owner, group and mode of the one that it replaces,
    as far as this user may give them; no group gets the rights that another had.

    Raises:
        FileError: The folder or file cannot be written, the disk is full, or the file is another
            user's, who could not read the new one.
    """
    try:
        target = os.path.realpath(path)
        before = _stat(target)
        if before is None or stat.S_ISREG(before.st_mode):
            _replace(target, before, fill, mode)
            return
        if stat.S_ISDIR(before.st_mode):
            raise FileError(f"Cannot write {path}: it is a folder", hint="Name a file with -o")
        with open(target, "wb") as file:  # /dev/stdout, a pipe: there is nothing to replace
            fill(file)
    except OSError as error:
        import shlex

        hint = "Name another place with -o"
        folder = os.path.dirname(path)
        if isinstance(error, FileNotFoundError) and folder and not os.path.isdir(folder):
            hint = f"Make its folder: mkdir -p {shlex.quote(folder)}"
        raise FileError(f"Cannot write {path}: {error.strerror}", hint=hint) from error


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _replace(
    target: str, before: os.stat_result | None, fill: Callable[[BinaryIO], object], mode: int
) -> None:
    """Write the temporary file and put it in place; whatever ends that early, it does not stay."""
    part = part_of(target)
    # What others may not read they may not read meanwhile either.
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if before else mode)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(handle)
        if before:
            _hand_on(before, part)
        os.replace(part, target)
    except BaseException:
        from contextlib import suppress

        with suppress(FileNotFoundError):  # Ctrl-C while it was put in place
            os.unlink(part)
        raise


def _hand_on(before: os.stat_result, part: str) -> None:
    """Give a new file the owner, group and mode of the one that it will replace.

    Only root gives a file to another, and a member alone gives it to a group. With another group
    it is open to that and to everybody as far as it was open to both.

    Raises:
        PermissionError: The owner could not read it any more.
    """
    mode = stat.S_IMODE(before.st_mode)
    now = os.stat(part)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        now = _given(part, before)
        if now.st_gid != before.st_gid:
            common = mode >> 3 & mode & stat.S_IRWXO
            mode = mode & ~(stat.S_IRWXG | stat.S_IRWXO) | common << 3 | common
        if now.st_uid != before.st_uid:
            mode &= ~(stat.S_ISUID | stat.S_ISGID)  # they would act as somebody else
            if not mode & (stat.S_IRGRP | stat.S_IROTH):
                raise PermissionError(
                    errno.EACCES, "it is another user's, who could not read it any more"
                )
    os.chmod(part, mode)


def _given(part: str, before: os.stat_result) -> os.stat_result:
    """The new file once it has that owner and group, or that group, where one may give them."""
    for owner in (before.st_uid, -1):
        try:
            os.chown(part, owner, before.st_gid)
            break
        except OSError:  # not allowed, or not on this disk
            continue
    return os.stat(part)


def part_of(target: str) -> str:
    """A new path beside a file for what is not yet whole: it takes the file's place at once."""
    return f"{target}.{os.urandom(_PART_BYTES).hex()}{_PART_END}"


def whole_of(part: str) -> str | None:
    """What a file would have become whose path is as `part_of` gives it; None for any other."""
    target, dot, middle = part.removesuffix(_PART_END).rpartition(".")
    is_ours = part.endswith(_PART_END) and dot and len(middle) == 2 * _PART_BYTES
    return target if is_ours and set(middle) <= _HEX else None


def find(start: str = ".") -> str:
    """The manifest here or upward, as far as the repository's root.

    Raises:
        ManifestError: There is none.
        FileError: The current folder is gone.
    """
    try:
        folder = os.path.abspath(start)
    except OSError as error:
        raise FileError(
            f"Cannot look into the current folder: {error.strerror}", hint="Change to another one"
        ) from error
    first = folder
    while True:
        candidate = os.path.join(folder, FILE_NAME)
        if os.path.isfile(candidate):
            return os.path.relpath(candidate, first)
        parent = os.path.dirname(folder)
        if os.path.exists(os.path.join(folder, ".git")) or parent == folder:
            raise ManifestError(
                f"No {FILE_NAME} here or upward", hint="Make one with: envsnap capture"
            )
        folder = parent


def _name(path: str) -> str:
    return "standard input" if path == "-" else path
