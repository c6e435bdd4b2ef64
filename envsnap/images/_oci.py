"""OCI layouts, as a folder or as one archive: an index, and every blob by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from envsnap.images import _stores
from envsnap.images._base import LayeredImage, unpacked_layer
from envsnap.images._model import ImageError, Readable
from envsnap.images._stores import FolderStore, Store, TarStore
from envsnap.images._streams import Checked
from envsnap.images._texts import (
    LARGEST_TEXT,
    Listed,
    Text,
    choose,
    config_of,
    is_index,
    layers_of,
    listed,
    parse,
)

_TAG = "org.opencontainers.image.ref.name"
_MOST_INDEXES = 4


def open_oci(scheme: str, path: str, tag: str | None, platform: str | None) -> OciImage:
    """The image in a layout; of several the one of that tag, else of the platform.

    Raises:
        FileError: It cannot be read.
        ImageError: It holds no such image.
    """
    made: Store = TarStore(path) if scheme == "oci-archive" else FolderStore(path)
    with _stores.closing(made) as store:
        reference = f"{scheme}:{path}{':' + tag if tag else ''}"
        return OciImage(store, reference, _top(store, tag, platform), platform)


class OciImage(LayeredImage):
    """One image of a layout; every blob is checked by its digest."""

    budget: int | None = None

    def __init__(self, store: Store, reference: str, top: Listed, platform: str | None) -> None:
        self._store, self.reference = store, reference
        found = top
        for _ in range(_MOST_INDEXES):
            text = parse(_blob(store, found), f"blob {found.digest} in {store.shown}")
            if not is_index(text):
                break
            found = choose(text, platform)
        else:
            raise ImageError(f"{store.shown} has indexes in indexes")
        self.digest = found.digest
        self.layers = layers_of(text)
        raw = _blob(store, listed(text.below("config")))
        self.config_text = raw
        self.config = config_of(raw, f"the configuration in {store.shown}")

    @contextmanager
    def open_layer(self, index: int) -> Iterator[Readable]:
        """One layer, checked by the digest of the blob, and of what it unpacks to."""
        source = self._store.open(blob_name(self.layers[index].digest)).source
        yield unpacked_layer(source, self, index)

    @contextmanager
    def stored_layer(self, index: int) -> Iterator[Readable]:
        """One layer as it is stored, checked by its digest."""
        layer, shown = self.layers[index], f"Layer {index + 1} of {self.reference}"
        source = self._store.open(blob_name(layer.digest)).source
        yield Checked(source, layer.digest, layer.size, shown)

    def close(self) -> None:
        """Close what is open."""
        self._store.close()


def blob_name(digest: str) -> str:
    """Where a layout has a blob; the digest was checked to be one."""
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _blob(store: Store, blob: Listed) -> bytes:
    if blob.size > LARGEST_TEXT:
        raise ImageError(f"A text in {store.shown} is larger than {LARGEST_TEXT >> 20} MiB")
    shown = f"Blob {blob.digest} in {store.shown}"
    checked = Checked(store.open(blob_name(blob.digest)).source, blob.digest, blob.size, shown)
    pieces = []
    while piece := checked.read(LARGEST_TEXT):
        pieces.append(piece)
    return b"".join(pieces)


def _top(store: Store, tag: str | None, platform: str | None) -> Listed:
    text = parse(_stores.text(store, "index.json"), f"index.json in {store.shown}")
    if tag is None:
        return choose(text, platform)
    tagged = [each for each in text.each("manifests") if _tag_of(each) == tag]
    if not tagged:
        known = ", ".join(filter(None, map(_tag_of, text.each("manifests")[:12])))
        raise ImageError(f"{store.shown} has no image {tag!r}; it has: {known or 'no names'}")
    return choose(text._replace(fields={"manifests": [each.fields for each in tagged]}), platform)


def _tag_of(text: Text) -> str:
    return text.below("annotations").text(_TAG)
