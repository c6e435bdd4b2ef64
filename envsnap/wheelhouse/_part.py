"""A file on its way: what of it is there already, how much may come, why it stopped."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Protocol

from envsnap.errors import FileError

if TYPE_CHECKING:
    import hashlib

LIMIT_BYTES = 16 * 1024**3
"""The most that is taken of a file, whatever its server says."""
UNSTATED_BYTES = 4 * 1024**3
"""The most that is taken where not even the server says how much will come."""
SPARE_BYTES = 256 * 1024**2
"""What a disk keeps free."""
_CHUNK_BYTES = 1 << 20
_DIGITS = 19


class _Headers(Protocol):
    def get(self, key: str, default: str, /) -> str: ...


def hash_part(part: str, digest: hashlib._Hash) -> int:
    """How much of the file an earlier run has left, hashed again."""
    if not os.path.isfile(part) or os.path.islink(part):
        return 0
    size = 0
    with open(part, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size


def remove(part: str) -> None:
    """Remove what is there of a file, or nothing."""
    if os.path.lexists(part):
        os.unlink(part)


def stated_length(headers: _Headers) -> int | None:
    """How many bytes a server says that it sends; None where it does not say it in a usable way."""
    said = headers.get("Content-Length", "")
    return int(said) if said.isdecimal() and len(said) < _DIGITS else None


def judge_room(folder: str, wanted: int = 0) -> None:
    """Refuse what would fill the disk of a folder.

    Raises:
        FileError: It would.
    """
    try:
        free = shutil.disk_usage(folder or ".").free
    except OSError:
        return  # who writes there says why that fails
    if wanted + SPARE_BYTES > free:
        what = f"the files that are fetched have {wanted >> 20} MiB" if wanted else "that is little"
        raise FileError(
            f"{folder} has {free >> 20} MiB free, and {what}",
            hint="Make room there, or name a folder on a larger disk",
        )


def told(error: Exception) -> str:
    """A fault of the network in a few words. Its own text has addresses in it, queries and all."""
    name = type(error).__name__
    known = {
        "ConnectTimeout": "nobody answers there", "ReadTimeout": "the server says nothing",
        "ReadTimeoutError": "the server stopped sending", "ProxyError": "the proxy refuses",
        "SSLError": "its certificate is not trusted", "ConnectionError": "no connection to it",
        "IncompleteRead": "the connection broke", "ProtocolError": "the connection broke",
    }  # fmt: skip
    return known.get(name, name)
