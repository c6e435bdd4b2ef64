"""Somebody else's archive: what reading one raises, how large it may be, what its names may be.

Python's zip module hands on what its parts raise. All who read a stranger's archive name the same
faults, so that none of them ends as one of envsnap's own.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from envsnap.inside.unpack import ZIP_FAULTS, bad_name, is_plain_file, leads_out, swells

_PIECE = 1 << 20


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


__all__ = ["ZIP_FAULTS", "bad_name", "file_hash", "is_plain_file", "leads_out", "swells"]
