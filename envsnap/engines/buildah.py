"""Buildah: builds the same recipes as Docker. What runs its images is Podman."""

from __future__ import annotations

from envsnap.engines._store_builder import StoreBuilder


class Buildah(StoreBuilder):
    """Buildah, by its command."""

    name = "buildah"
    oldest = (1, 24)
    options: tuple[str, ...] = ("--layers",)  # without it nothing is kept for the next build
