"""Manifests on disk: the only place that reads and writes them."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable

from envsnap.errors import FileError, ManifestError
from envsnap.manifest._encode import encode
from envsnap.manifest._model import FILE_NAME, Manifest

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
    """Put bytes into a file by way of a temporary one beside it: whole or not at all.

    Raises:
        FileError: The folder or file cannot be written, or the disk is full.
    """
    try:
        target = os.path.realpath(path)  # a link stays a link
        temporary = part_of(target)
        if os.path.isdir(target):
            raise FileError(f"Cannot write {path}: it is a folder", hint="Name a file with -o")
        if os.path.exists(target) and not os.path.isfile(target):
            _write_through(target, raw)  # /dev/stdout, a pipe: there is nothing to replace
            return
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        _guarded(lambda: _write_and_sync(handle, raw), temporary)
        if os.path.exists(target):  # a file that others may not read stays one
            _guarded(lambda: os.chmod(temporary, os.stat(target).st_mode & 0o7777), temporary)
        _guarded(lambda: os.replace(temporary, target), temporary)
    except OSError as error:
        import shlex

        hint = "Name another place with -o"
        folder = os.path.dirname(path)
        if isinstance(error, FileNotFoundError) and folder and not os.path.isdir(folder):
            hint = f"Make its folder: mkdir -p {shlex.quote(folder)}"
        raise FileError(f"Cannot write {path}: {error.strerror}", hint=hint) from error


def part_of(target: str) -> str:
    """A new path beside a file for what is not yet whole: it takes the file's place at once."""
    return f"{target}.{os.urandom(_PART_BYTES).hex()}{_PART_END}"


def whole_of(part: str) -> str | None:
    """What a file would have become whose path is as `part_of` gives it; None for any other."""
    target, dot, middle = part.removesuffix(_PART_END).rpartition(".")
    is_ours = part.endswith(_PART_END) and dot and len(middle) == 2 * _PART_BYTES
    return target if is_ours and set(middle) <= _HEX else None


def _write_through(target: str, raw: bytes) -> None:
    with open(target, "wb") as file:
        file.write(raw)


def _write_and_sync(handle: int, raw: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(handle)


def _guarded(step: Callable[[], None], temporary: str) -> None:
    """Do a step; whatever ends it early, the temporary file does not stay."""
    try:
        step()
    except BaseException:
        os.unlink(temporary)
        raise


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
