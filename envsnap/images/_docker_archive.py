"""What `docker save` and `podman save` write: manifest.json, a configuration, a tar per layer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from envsnap.images import _stores
from envsnap.images._base import LayeredImage, unpacked_digests
from envsnap.images._model import ImageError, Layer, Readable
from envsnap.images._oci import docker_list, of_layout, refuse_others
from envsnap.images._stores import Store, TarStore
from envsnap.images._streams import Checked, unpacked
from envsnap.images._texts import Text, config_of

_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def open_docker_archive(path: str, tag: str | None) -> DockerArchive:
    """The image in an archive; of several the one of that tag.

    Raises:
        FileError: It cannot be read.
        ImageError: It holds no image, or several and no tag was given.
    """
    with _stores.closing(TarStore(path)) as store:
        return DockerArchive(store, tag)


class DockerArchive(LayeredImage):
    """One image of such an archive; its layers are checked by what they unpack to."""

    budget: int | None = None

    def __init__(self, store: Store, tag: str | None) -> None:
        self._store = store
        self.reference = f"docker-archive:{store.shown}{':' + tag if tag else ''}"
        found = _chosen(_manifests(store), tag, store.shown)
        raw = _stores.text(store, found.text("Config"))
        self.digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.config_text = raw
        self.config = config_of(raw, f"the configuration in {store.shown}")
        if store.has("index.json"):
            refuse_others(store, self.digest, of_layout(store, self.config.platform, tag))
        self._names = found.strings("Layers")
        digests = unpacked_digests(self.config, len(self._names), store.shown)
        self.layers = tuple(
            Layer(digest, store.size(name), _LAYER)
            for digest, name in zip(digests, self._names, strict=True)
        )

    @contextmanager
    def open_layer(self, index: int) -> Iterator[Readable]:
        """One layer, checked by the digest of what it unpacks to."""
        shown = f"Layer {index + 1} of {self.reference}"
        stored = self._store.open(self._names[index])
        yield Checked(unpacked(stored.source, shown), self.layers[index].digest, -1, shown)

    stored_layer = open_layer
    """Its digest is that of what it unpacks to, so that is what is kept of it."""

    def close(self) -> None:
        """Close the archive."""
        self._store.close()


def _manifests(store: Store) -> list[Text]:
    if not store.has("manifest.json"):
        raise ImageError(
            f"{store.shown} has no manifest.json, so docker save did not write it",
            hint=f"Try oci-archive:{store.shown}" if store.has("index.json") else None,
        )
    return docker_list(store)


def _chosen(found: list[Text], tag: str | None, shown: str) -> Text:
    names = [name for each in found for name in each.strings("RepoTags")]
    if tag is not None:
        wanted = {tag, f"{tag}:latest"}
        found = [each for each in found if wanted & set(each.strings("RepoTags"))]
    if len(found) == 1:
        return found[0]
    if not found:
        of = f" {tag!r}" if tag else ""
        raise ImageError(f"{shown} has no image{of}; it has: {', '.join(names[:12]) or 'none'}")
    raise ImageError(
        f"{shown} holds {len(found)} images",
        hint=f"Name one: docker-archive:{shown}:{names[0] if names else 'NAME:TAG'}",
    )
