"""One small file of an image, found from the last layer back without reading the large ones."""

from __future__ import annotations

import os

from envsnap.images import _tar
from envsnap.images._model import LARGEST_CONTENT, Image, ImageError, Readable
from envsnap.images._scan import as_path
from envsnap.images._streams import Feed

BUDGET = 1_000_000
"""The bytes of layers that are asked from a registry for it, together with the rest of it."""


def from_layers(image: Image, path: str, budget: int | None) -> bytes | None:
    """The file at a path, from the last layer that has it; None where the layers read have none.

    With a budget the layers that would go over it are passed by. A layer that takes the file
    away, or has no plain file there, ends the search.

    Raises:
        ImageError: A layer is broken.
    """
    left = budget
    for index in reversed(range(len(image.layers))):
        size = max(image.layers[index].size, 0)
        if left is not None:
            if size > left:
                continue
            left -= size
        with image.open_layer(index) as stream:
            is_over, found = _looked(stream, path, f"Layer {index + 1} of {image.reference}")
        if is_over:
            return found
    return None


def _looked(stream: Readable, path: str, shown: str) -> tuple[bool, bytes | None]:
    """Whether this layer decides about the path, and the file if it has it."""
    feed = Feed(stream, shown)
    is_over, found = False, None
    for member in _tar.members(feed):
        here = as_path(member.name, shown)
        if here == path and member.kind == _tar.FILE:
            if member.size > LARGEST_CONTENT:
                raise ImageError(f"{path} in {shown} is larger than {LARGEST_CONTENT >> 20} MiB")
            is_over, found = True, feed.take(member.size)
            continue
        for _ in feed.pieces(member.size):
            pass
        if here == path and member.kind != _tar.FILE:
            is_over, found = True, None
        elif found is None and _takes_away(here, path, member.kind):
            is_over = True
    feed.drain()
    return is_over, found


def _takes_away(here: str, path: str, kind: bytes) -> bool:
    """Whether a member hides what the layers below have at a path, or a folder above it."""
    folder, name = os.path.split(here)
    if name == ".wh..wh..opq":
        return path.startswith(folder.rstrip("/") + "/")
    if name.startswith(".wh."):
        gone = os.path.join(folder, name.removeprefix(".wh."))
        return path == gone or path.startswith(f"{gone}/")
    return kind != _tar.FOLDER and path.startswith(f"{here}/")
