"""Locks of files and folders that every process of a machine heeds which asks for them."""

from __future__ import annotations

import fcntl


def hold(handle: int) -> bool | None:
    """Lock an open file or folder until its handle is closed, without waiting.

    False where another process holds it; None where that cannot be told: some disks of networks
    know no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
