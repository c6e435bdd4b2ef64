"""Asks a package index for the file behind every package: a door to the network, by commands."""

from __future__ import annotations

from envsnap.lock._hosts import hosts
from envsnap.lock._lock import LockOptions, make_lock

__all__ = ["LockOptions", "hosts", "make_lock"]
