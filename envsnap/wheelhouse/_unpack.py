"""Unpacks a source archive that somebody else made: nothing leaves the folder, nothing is run."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Iterator
from typing import IO

from envsnap.engines._archives import ZIP_FAULTS, is_plain_file
from envsnap.errors import FileError
from envsnap.wheelhouse._member import is_member_name

_LIMIT_BYTES = 4 * 1024**3
_MOST_FILES = 200_000
_CHUNK_BYTES = 1 << 20
_FAULTS = (OSError, tarfile.TarError, *ZIP_FAULTS)


def unpack_source(path: str, target: str) -> str:
    """The one folder at the archive's top, unpacked below the target.

    Links are left out: what they lead to is in the archive itself, or nobody's business.

    Raises:
        FileError: It is no archive, is too large, or names a file outside itself.
    """
    tops: set[str] = set()
    total = count = 0
    try:
        for name, is_program, file in _members(path):
            count += 1
            if not is_member_name(name) or count > _MOST_FILES:
                raise FileError(f"{path} has an unusable file: {name[:120]!a}")
            tops.add(name.partition("/")[0])
            place = os.path.join(target, name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "xb") as out:
                while chunk := file.read(_CHUNK_BYTES):
                    total += len(chunk)
                    if total > _LIMIT_BYTES:
                        raise FileError(f"{path} is larger than {_LIMIT_BYTES >> 30} GiB unpacked")
                    out.write(chunk)
            os.chmod(place, 0o755 if is_program else 0o644)
    except _FAULTS as error:
        raise FileError(f"Cannot unpack {path}: {error}") from error
    if len(tops) != 1:
        raise FileError(f"{path} has {len(tops)} folders at its top; a source has one")
    return os.path.join(target, tops.pop())


def _members(path: str) -> Iterator[tuple[str, bool, IO[bytes]]]:
    """Every regular file: its name, whether it is a program, and its bytes."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                if is_plain_file(info):
                    with packed.open(info) as file:
                        yield info.filename, bool(info.external_attr >> 16 & 0o100), file
        return
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name.removeprefix("./"), bool(member.mode & 0o100), content
