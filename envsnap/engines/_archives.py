"""Somebody else's archive: what reading one raises, how large it may be, what its names may be.

Python's zip module hands on what its parts raise. All who read a stranger's archive name the same
faults, so that none of them ends as one of envsnap's own.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import lzma
import os
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable

ZIP_FAULTS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, csv.Error,
    EOFError, NotImplementedError, RuntimeError, OverflowError, ValueError,
)  # fmt: skip
"""All that an archive can raise that is no zip, cut short, encrypted or packed in another way.

OSError is not among them: it is the disk's. Some are what a mistake of our own raises, too, so no
more than the reading itself stands in such a `try`.
"""
_PIECE = 1 << 20
_SWELLING = 100
"""How many times its own size an archive may unpack to; text gets to a tenth of that."""
_SPARE_BYTES = 256 * 1024 * 1024


def leads_out(name: str) -> bool:
    """Whether a member's path is not plainly one below its folder.

    >>> [leads_out(each) for each in ("a/b", "../a", "/a", "a/../b", "./a", "a//b", "")]
    [False, True, True, True, True, True, True]
    """
    is_plain = name == posixpath.normpath(name) and "\0" not in name
    return not is_plain or name.startswith("/") or name.partition("/")[0] in {"", ".", ".."}


def bad_name(name: str) -> bool:
    r"""Whether a wheel's or source's member leads out, here or by another system's rules.

    >>> [bad_name(each) for each in ("a/b", "a\\..\\b", "C:/b")]
    [False, True, True]
    """
    return leads_out(name) or "\\" in name or ":" in name.partition("/")[0]


def is_plain_file(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a file: no link, device or folder. Some tools write no kind at all."""
    return not info.is_dir() and stat.S_IFMT(info.external_attr >> 16) in {0, stat.S_IFREG}


def swells(infos: Iterable[zipfile.ZipInfo], size: int) -> bool:
    """Whether an archive of this size says that it unpacks to more than honest ones do.

    No member gives more bytes than the archive says of it: the zip module stops there.
    """
    return sum(each.file_size for each in infos) > size * _SWELLING + _SPARE_BYTES


def file_hash(path: str, algorithm: str = "sha256") -> str:
    """A regular file's hash, hex; no pipe is waited for.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        digest = hashlib.new(algorithm, usedforsecurity=False)
        buffer = bytearray(_PIECE)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()
