"""SIF files, by the layout that the public SIF sources give: header, descriptors, data objects.

The header stands in the first 128 bytes, the descriptors where it says, 585 bytes each, all numbers
little-endian. Reading needs no Apptainer; nor does adding a data object.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from typing import IO

from envsnap._typing import NamedTuple
from envsnap.errors import FileError
from envsnap.images._model import LARGEST_CONTENT, ImageError
from envsnap.images._stores import open_file

DEFINITION, LABELS, PARTITION, JSON = 0x4001, 0x4003, 0x4004, 0x4006
"""Kinds of data objects: the definition, Apptainer's labels, a file system, any JSON text."""
SQUASHFS, SYSTEM = 1, 2
"""The file system of a partition, and that it is the image's own."""
_HEADER = struct.Struct("<32s10s3s3s16sqqqqqqqq")
_DESCRIPTOR = struct.Struct("<i?IIIqqqqqqq128s384s")
_PARTITION = struct.Struct("<ii4s")
_MAGIC = b"SIF_MAGIC\0"
_VERSION = b"01\0"
_MOST_DESCRIPTORS = 4096
_GROUP_MASK = 0xF0000000
_FREE_FIELD, _SIZE_FIELD, _TIME_FIELD = 7, 12, 6


class Object(NamedTuple):
    """One descriptor that is in use."""

    slot: int
    kind: int
    id: int
    group: int
    offset: int
    size: int
    name: str
    extra: bytes

    @property
    def is_system(self) -> bool:
        """Whether it is the file system that the image starts with."""
        return self.kind == PARTITION and self.partition[1] == SYSTEM

    @property
    def partition(self) -> tuple[int, int]:
        """A partition's file system and its part; zeros for all others."""
        if self.kind != PARTITION:
            return 0, 0
        found = _PARTITION.unpack_from(self.extra)
        return int(found[0]), int(found[1])


class Sif:
    """The header and the descriptors of one file; it stays open until it is closed."""

    def __init__(self, path: str) -> None:
        """Read them.

        Raises:
            FileError: It cannot be read.
            ImageError: It is no SIF file of a version that we know.
        """
        self.path = path
        self.file = open_file(path)
        try:
            self.length = os.fstat(self.file.fileno()).st_size
            self.header = _header(self.file, path, self.length)
            self.slots = _descriptors(self.file, self.header, path, self.length)
        except BaseException:
            self.file.close()
            raise
        self.objects = [
            found for slot, raw in enumerate(self.slots) if (found := _object(slot, raw))
        ]
        for each in self.objects:
            if each.offset < 0 or each.size < 0 or each.offset + each.size > self.length:
                self.file.close()
                raise ImageError(f"{path} is cut short: its object {each.id} lies beyond its end")

    def bytes_of(self, found: Object) -> bytes:
        """The content of a small data object.

        Raises:
            ImageError: It is too large for one.
        """
        if found.size > LARGEST_CONTENT:
            raise ImageError(f"{found.name!a} in {self.path} is larger than 64 MiB")
        return os.pread(self.file.fileno(), found.size, found.offset)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _header(file: IO[bytes], path: str, length: int) -> tuple[object, ...]:
    raw = os.pread(file.fileno(), _HEADER.size, 0)
    if len(raw) < _HEADER.size or raw[32:42] != _MAGIC:
        raise ImageError(f"{path} is no SIF file")
    found = _HEADER.unpack(raw)
    if found[2] != _VERSION:
        raise ImageError(f"{path} is a SIF file of version {found[2]!a}, and we know 01")
    total, offset = found[8], found[9]
    if not 0 < total <= _MOST_DESCRIPTORS or not _HEADER.size <= offset <= length:
        raise ImageError(f"{path} is a SIF file whose header is broken")
    return found


def _descriptors(
    file: IO[bytes], header: tuple[object, ...], path: str, length: int
) -> list[tuple[object, ...]]:
    total, offset = _whole(header[8]), _whole(header[9])
    raw = os.pread(file.fileno(), total * _DESCRIPTOR.size, offset)
    if len(raw) < total * _DESCRIPTOR.size or offset + len(raw) > length:
        raise ImageError(f"{path} is a SIF file that is cut short")
    return list(_DESCRIPTOR.iter_unpack(raw))


def _object(slot: int, raw: tuple[object, ...]) -> Object | None:
    kind, used, identity, group, _, offset, size = raw[:7]
    name, extra = raw[12], raw[13]
    if not used or not isinstance(name, bytes) or not isinstance(extra, bytes):
        return None
    shown = name.partition(b"\0")[0].decode("utf-8", "replace")
    return Object(
        slot, _whole(kind), _whole(identity), _whole(group) & ~_GROUP_MASK, _whole(offset),
        _whole(size), shown, extra,
    )  # fmt: skip


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def add_object(path: str, name: str, data: bytes) -> None:
    """Add a JSON data object to a SIF file, or replace the one of that name; the image still runs.

    The bytes come first, then the descriptor, then the header: whoever is interrupted leaves an
    image that is what it was. Of one that is replaced the descriptor alone is, its bytes stay.

    Raises:
        FileError: It cannot be read or written.
        ImageError: It is no SIF file, or has no free descriptor.
    """
    raw_name = name.encode()
    if not data or not raw_name or len(raw_name) > 127:  # noqa: PLR2004 - the field has 128 bytes
        raise ImageError(f"No object of a SIF file can be called {name!a}, or be empty")
    sif = Sif(path)
    try:
        before = [each for each in sif.objects if each.kind == JSON and each.name == name]
        if before and sif.bytes_of(before[0]) == data:
            return
        free = [number for number, raw in enumerate(sif.slots) if not raw[1]]
        slots = [each.slot for each in before] or free
        if not slots:
            raise ImageError(f"{path} has no free descriptor for {name}")
        identity = before[0].id if before else 1 + max((each.id for each in sif.objects), default=0)
        _add(sif, slots[0], identity, (raw_name, data))
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}") from None
    finally:
        sif.close()


def _add(sif: Sif, slot: int, identity: int, named: tuple[bytes, bytes]) -> None:
    name, data = named
    now = int(time.time())
    with open(sif.path, "r+b", buffering=0) as file:
        with contextlib.suppress(OSError):  # some cluster file systems have no locks
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        offset = os.fstat(file.fileno()).st_size
        _write(file, offset, data)
        os.fsync(file.fileno())
        described = _DESCRIPTOR.pack(
            JSON, bool(data), identity, _GROUP_MASK | 1, 0, offset, len(data), len(data), now, now,
            0, 0, name, b"",
        )  # fmt: skip
        start = _whole(sif.header[9])
        _write(file, start + slot * _DESCRIPTOR.size, described)
        header = list(sif.header)
        header[_TIME_FIELD] = now
        header[_FREE_FIELD] = _whole(header[_FREE_FIELD]) - (not sif.slots[slot][1])
        header[_SIZE_FIELD] = offset + len(data) - _whole(header[11])
        _write(file, 0, _HEADER.pack(*header))
        os.fsync(file.fileno())


def _write(file: IO[bytes], offset: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        count = os.pwrite(file.fileno(), left, offset)
        offset += count
        left = left[count:]
