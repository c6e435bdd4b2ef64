"""Podman: builds the same recipes as Docker, without a daemon, as a plain user too."""

from __future__ import annotations

from envsnap.engines._store_builder import StoreBuilder


class Podman(StoreBuilder):
    """Podman, by its command."""

    name = "podman"
    oldest = (4, 0)
