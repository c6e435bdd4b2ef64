"""Opens what `envsnap pack` wrote: one zip with a manifest and the wheels that no index has.

It came from somebody else. Its table of contents is bounded before it is read, each member while
it is read, and nothing is written under a name that is not a plain file's below a wheelhouse.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from envsnap.engines._archives import ZIP_FAULTS
from envsnap.errors import FileError, ManifestError
from envsnap.manifest import FILE_NAME
from envsnap.wheelhouse._store import LIST_NAME, open_wheelhouse

WHEELS = "wheels"
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_END_64 = struct.Struct("<4s36xQ8x4s16x")
"""The end of a zip of more than 4 GiB, and behind it what says where that end is."""
_MARK_64 = b"PK\x06\x07"
_TAIL_BYTES = 65536 + _END.size + _END_64.size
_TABLE_BYTES = 32 * 1024 * 1024
"""The table of contents; that of a thousand files has a tenth of a megabyte."""
_LIST_BYTES = 64 * 1024 * 1024
_PIECE = 1 << 20


def is_pack(path: str) -> bool:
    """Whether a path names a pack, by its ending."""
    return path.lower().endswith(".zip")


def manifest_of(path: str) -> bytes:
    """The bytes of the manifest inside a pack.

    Raises:
        ManifestError: There is no pack, or no manifest in it.
        FileError: It cannot be read.
    """
    with _opened(path) as pack:
        found = _read(pack, FILE_NAME, path)
    if found is None:
        raise ManifestError(f"{path} holds no {FILE_NAME}: it is no pack of envsnap's")
    return found


@contextmanager
def wheels_of(path: str) -> Iterator[str | None]:
    """A folder with the wheels of a pack while the block runs; None where it has none.

    Raises:
        FileError: A wheel in it has a name or size that its list does not say.
    """
    with tempfile.TemporaryDirectory(prefix="envsnap-pack-") as folder:
        with _opened(path) as pack:
            found = _unpacked(pack, path, folder)
        try:
            yield found  # outside: what the block raises is no fault of the zip's reader
        except FileError as error:
            if folder not in error.message:
                raise
            raise FileError(
                error.message.replace(folder, path),
                hint="Make it again where the environment is: envsnap pack",
            ) from error


def _unpacked(pack: zipfile.ZipFile, path: str, folder: str) -> str | None:
    """The folder, once it holds the pack's wheels; no more bytes than the pack itself has."""
    listed = _read(pack, f"{WHEELS}/{LIST_NAME}", path)
    if listed is None:
        return None
    with open(os.path.join(folder, LIST_NAME), "xb") as file:
        file.write(listed)
    files = open_wheelhouse(folder).files
    there = set(pack.namelist())
    infos = [pack.getinfo(name) for each in files if (name := f"{WHEELS}/{each.filename}") in there]
    size = os.path.getsize(path)
    if max(sum(each.size for each in files), sum(each.file_size for each in infos)) > size:
        raise FileError(
            f"{path} has fewer bytes than the wheels that its list names",
            hint="Unzip it, and name its folder wheels with --wheelhouse",
        )
    if len({each.filename for each in files}) < len(files):
        raise FileError(f"{path} names one file twice in its list of wheels")
    for each in files:
        _extract(pack, each.filename, os.path.join(folder, each.filename), each.size)
    return folder


@contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        with open(path, "rb") as file:
            _refuse_large_table(file.fileno(), path)
            with zipfile.ZipFile(file) as pack:
                _refuse_twice(pack.namelist(), path)
                yield pack
    except FileNotFoundError:
        raise ManifestError(f"No pack at {path}", hint="Make one: envsnap pack") from None
    except ZIP_FAULTS as error:
        raise ManifestError(f"{path} is no pack that can be read: {error}") from error
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error


def _refuse_twice(names: Sequence[str], path: str) -> None:
    """Two readers of a zip could take two members of one name for the manifest."""
    if len(set(names)) < len(names):
        name = next(each for each in names if names.count(each) > 1)
        raise ManifestError(f"{path} holds {name[:120]!a} twice: no pack of envsnap's does")


def _refuse_large_table(handle: int, path: str) -> None:
    """Look at the zip's last records: how much would have to be read to know what is in it."""
    size = os.fstat(handle).st_size
    tail = os.pread(handle, _TAIL_BYTES, max(size - _TAIL_BYTES, 0))
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) < at + _END.size:
        raise ManifestError(f"{path} is no zip: it may be cut short")
    table = _END.unpack_from(tail, at)[5]
    if (
        at >= _END_64.size
        and (found := _END_64.unpack_from(tail, at - _END_64.size))[2] == _MARK_64
    ):
        table = found[1]  # a large zip says it there, and this number does not count
    if table > _TABLE_BYTES:
        raise ManifestError(f"{path} has a table of contents of {table >> 20} MiB: no pack has")


def _read(pack: zipfile.ZipFile, name: str, path: str) -> bytes | None:
    """A member whole, if it is no larger than a list may be; None where there is none."""
    try:
        with pack.open(name) as member:
            found = member.read(_LIST_BYTES + 1)
    except KeyError:
        return None
    if len(found) > _LIST_BYTES:
        raise ManifestError(f"{name} in {path} is larger than {_LIST_BYTES >> 20} MiB")
    return found


def _extract(pack: zipfile.ZipFile, name: str, target: str, size: int) -> None:
    """Write one wheel, no more of it than its list says. One that is not there is asked for later.

    Its hash is compared where it is handed out.
    """
    left = size
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        with pack.open(f"{WHEELS}/{name}") as member, open(target, "xb") as file:
            while left > 0 and (piece := member.read(min(_PIECE, left))):
                left -= file.write(piece)
    except KeyError:
        return
