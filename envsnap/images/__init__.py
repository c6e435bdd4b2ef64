"""Container images as files: read from a registry, an archive or a SIF file, and never started.

    with open_image("docker-archive:paper.tar") as image:
        image.config.labels
        found = tree(image, lambda path: path.endswith(".dist-info/RECORD"))
        found.entry("/opt/env/pyvenv.cfg"), found.content("/opt/env/pyvenv.cfg")

Whatever an image says of itself is a stranger's word: sizes are bounded, digests compared, no path
leads out, and nothing of it is written to this machine but what was asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.images._fetch import copy_image, fetch_image, write_archive
    from envsnap.images._manifest import MANIFEST, OBJECT, manifest_of
    from envsnap.images._model import (
        Config,
        Entry,
        Image,
        ImageError,
        ImageTree,
        Layer,
        LayerUsed,
        Want,
    )
    from envsnap.images._open import hosts_of, is_image, open_image
    from envsnap.images._sif import add_object
    from envsnap.images._tree import tree

_WHERE = {
    "Config": "_model",
    "Entry": "_model",
    "Image": "_model",
    "ImageError": "_model",
    "ImageTree": "_model",
    "Layer": "_model",
    "LayerUsed": "_model",
    "MANIFEST": "_manifest",
    "OBJECT": "_manifest",
    "Want": "_model",
    "add_object": "_sif",
    "copy_image": "_fetch",
    "fetch_image": "_fetch",
    "hosts_of": "_open",
    "is_image": "_open",
    "manifest_of": "_manifest",
    "open_image": "_open",
    "tree": "_tree",
    "write_archive": "_fetch",
}


def __getattr__(name: str) -> object:
    """Load what was asked for, and no more: few commands look into an image."""
    if name not in _WHERE:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


__all__ = [  # noqa: RUF022 - as they are read: the doors, then what comes out of them
    "is_image",
    "hosts_of",
    "open_image",
    "manifest_of",
    "MANIFEST",
    "OBJECT",
    "tree",
    "Want",
    "fetch_image",
    "copy_image",
    "write_archive",
    "add_object",
    "Image",
    "Config",
    "Layer",
    "LayerUsed",
    "ImageTree",
    "Entry",
    "ImageError",
]
