"""lock: a manifest gets the address and hash of every package's file."""

from __future__ import annotations

from envsnap.lock import LockOptions, make_lock
from envsnap.manifest import Manifest


def lock(manifest: Manifest, options: LockOptions = LockOptions()) -> Manifest:  # noqa: B008 - frozen
    """The same manifest with a lock of its environment. Talks to the package index.

    Raises:
        PlanError: The manifest does not say which packages of which Python to ask for.
        ToolError: The locker or the network failed.
    """
    return manifest.with_lock(make_lock(manifest, options))
