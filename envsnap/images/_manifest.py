"""The manifest that an image carries, found without reading the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envsnap.images._model import Image

MANIFEST = "/opt/envsnap/manifest.json"
"""Where an image that envsnap built has its manifest."""
OBJECT = "envsnap.lock.json"
"""The data object of a SIF file that has the same text."""


def manifest_of(image: Image) -> bytes | None:
    """The text of the manifest inside; None where it has none.

    Of a registry's image the last small layers alone are read, from the last one back; of a SIF
    its data object, and the file in its partition only where it has none.

    Raises:
        ImageError: The image cannot be read.
    """
    return image.small_file(MANIFEST)
