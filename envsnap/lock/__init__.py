"""Asks a package index for the file behind every package: a door to the network, by commands."""

from __future__ import annotations

from envsnap.lock._ask import LOCKERS, LockOptions
from envsnap.lock._hosts import Indexes, hosts
from envsnap.lock._locate import Offered, locate
from envsnap.lock._lock import make_lock

__all__ = ["LOCKERS", "Indexes", "LockOptions", "Offered", "hosts", "locate", "make_lock"]
