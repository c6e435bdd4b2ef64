"""An image read once, whose lowest layers can be merged again on their own.

A merged file system shows what is there, and nothing of what a layer took away from those below it.
That is told by the files of the lower layers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from envsnap.images import tree
from envsnap.images._base import LayeredImage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from envsnap.images import Image, ImageTree, Want
    from envsnap.images._model import Listen, Readable, Scan

Lowest = Callable[[int], "ImageTree"]
"""Gives the files of so many layers, the base's first: as they were before the next was made."""


def read(image: Image, want: Want, listen: Listen) -> tuple[ImageTree, Lowest]:
    """All files, and the way to those of the lowest layers, for which nothing is read again.

    Raises:
        ImageError: A layer is broken, or its bytes are not those that the image states.
    """
    kept = _Kept(image)
    whole = tree(kept, want, listen=listen)
    return whole, lambda count: tree(_Lowest(kept, count), lambda _: False)


class _Kept(LayeredImage):
    """An image of which each layer's scan is kept."""

    budget: int | None = None

    def __init__(self, image: Image) -> None:
        self._image = image
        self.reference, self.digest, self.config = image.reference, image.digest, image.config
        self.layers, self.overlays, self.is_sif = image.layers, image.overlays, image.is_sif
        self.found: dict[int, Scan] = {}

    def open_layer(self, index: int) -> AbstractContextManager[Readable]:
        return self._image.open_layer(index)

    def scans(self, want: Want, listen: Listen) -> Iterator[tuple[int, Scan]]:
        for index, scan in self._image.scans(want, listen):
            self.found.setdefault(index, scan)
            yield index, scan

    def close(self) -> None:
        self._image.close()


class _Lowest(_Kept):
    """The lowest layers of an image that was read."""

    def __init__(self, whole: _Kept, count: int) -> None:
        super().__init__(whole)
        self.layers, self.found = whole.layers[:count], whole.found

    def scans(self, _: Want, __: Listen) -> Iterator[tuple[int, Scan]]:
        for index in range(len(self.layers)):
            yield index, self.found[index]
