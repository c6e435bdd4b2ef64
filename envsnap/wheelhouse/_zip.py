"""Writes a wheel whose bytes depend on its files alone.

Members are sorted, RECORD is last, times are those that zip begins with, permissions are one of
two, and the compression level is zlib's own default, 6. What becomes of a level is the matter of
zlib: machines with other builds of it may write other bytes for the same files.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple

from envsnap.engines._archives import ZIP_FAULTS
from envsnap.errors import FileError
from envsnap.wheelhouse._member import FILE_LIMIT_BYTES, Member

_BEGINNING = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 1 << 20
_UNIX = 3


class Written(NamedTuple):
    """What a wheel was written of."""

    hexes: Mapping[str, str]
    """The SHA-256 of every member as it was read, by its name."""
    edited: tuple[str, ...]
    """Members whose file is not as RECORD states it."""


def write_wheel(path: str, members: Sequence[Member], dist_info: str) -> Written:
    """Write the members and their RECORD, whole or not at all.

    Raises:
        FileError: A file cannot be read, or the wheel not be written.
    """
    part = f"{path}.{os.urandom(4).hex()}.made.part"
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as wheel:
            rows = [_add(wheel, each) for each in sorted(members, key=_order(dist_info))]
            wheel.writestr(_info(f"{dist_info}/RECORD", 0o644), _record(rows, dist_info))
        os.chmod(part, 0o644)
        os.replace(part, path)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror or error}") from error
    finally:
        if os.path.exists(part):
            os.unlink(part)
    stated = {each.name: each.stated for each in members if each.stated}
    hexes = {name: digest for name, digest, _ in rows}
    edited = [name for name, digest in hexes.items() if stated.get(name, digest) != digest]
    return Written(hexes, tuple(sorted(edited)))


def _order(dist_info: str) -> Callable[[Member], tuple[bool, str]]:
    """By name, the package's own metadata after everything else, as wheels have it."""
    return lambda member: (member.name.startswith(f"{dist_info}/"), member.name)


def _add(wheel: zipfile.ZipFile, member: Member) -> tuple[str, str, int]:
    """One member, written; its name, SHA-256 and size."""
    if member.inner:
        return _add_inner(wheel, member)
    if not member.source:
        wheel.writestr(_info(member.name, _mode_of_data(member)), member.data)
        return member.name, hashlib.sha256(member.data).hexdigest(), len(member.data)
    with _opened(member.source) as file:
        status = os.fstat(file.fileno())
        info = _info(member.name, 0o755 if status.st_mode & 0o100 else 0o644)
        info.file_size = status.st_size  # large ones need the longer form from the start
        return _pour(wheel, info, file, member)


def _add_inner(wheel: zipfile.ZipFile, member: Member) -> tuple[str, str, int]:
    """One member that lies in a zip, which is never whole in memory."""
    info = _info(member.name, _mode_of_data(member))
    try:
        with zipfile.ZipFile(member.source) as egg, egg.open(member.inner) as file:
            info.file_size = egg.getinfo(member.inner).file_size
            return _pour(wheel, info, file, member)
    except (KeyError, *ZIP_FAULTS) as error:
        raise FileError(f"Cannot read {member.inner} in {member.source}: {error}") from error


def _pour(
    wheel: zipfile.ZipFile, info: zipfile.ZipInfo, file: IO[bytes], member: Member
) -> tuple[str, str, int]:
    """A file into the wheel, hashed while it goes."""
    digest, size = hashlib.sha256(), 0
    with wheel.open(info, "w") as out:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            size += len(chunk)
            if size > FILE_LIMIT_BYTES:
                raise FileError(f"{member.source} grows while it is read")
    return member.name, digest.hexdigest(), size


def _mode_of_data(member: Member) -> int:
    return 0o755 if "/scripts/" in member.name and ".data/" in member.name else 0o644


def _opened(path: str) -> IO[bytes]:
    """A regular file, opened; no pipe is waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileError(f"{path} is no regular file")
    return open(handle, "rb", buffering=0)


def _info(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _BEGINNING)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFREG | mode) << 16
    return info


def _record(rows: Sequence[tuple[str, str, int]], dist_info: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for name, digest, size in rows:
        coded = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        writer.writerow((name, f"sha256={coded}", size))
    writer.writerow((f"{dist_info}/RECORD", "", ""))
    return text.getvalue().encode()
