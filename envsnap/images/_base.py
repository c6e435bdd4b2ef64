"""What all images of layers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from envsnap._units import size_words
from envsnap.engines._digest import as_digest
from envsnap.images._model import ImageError
from envsnap.images._scan import scan
from envsnap.images._small import from_layers
from envsnap.images._streams import Checked, read_ahead, unpacked

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from typing_extensions import Self

    from envsnap.images._model import Config, Layer, Listen, Readable, Scan, Want
    from envsnap.images._streams import Source


class LayeredImage(Protocol):
    """An image whose layers can be opened one by one, in any order."""

    reference: str
    digest: str
    config: Config
    layers: tuple[Layer, ...]
    overlays: tuple[str, ...] = ()
    is_sif: bool = False
    budget: int | None
    """How many bytes one small file may cost; None where reading costs nothing."""

    def open_layer(self, index: int) -> AbstractContextManager[Readable]:
        """One layer as a plain tar stream."""

    def close(self) -> None:
        """Give back what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scans(self, want: Want, listen: Listen) -> Iterator[tuple[int, Scan]]:
        """What each layer holds, the base's first."""
        for index, layer in enumerate(self.layers):
            listen(f"Reading layer {index + 1} of {len(self.layers)}, {layer_words(layer.size)}")
            with self.open_layer(index) as stream, read_ahead(stream) as ahead:
                found = scan(ahead, index, want, f"Layer {index + 1} of {self.reference}")
            yield index, found

    def small_file(self, path: str) -> bytes | None:
        """One small file, from the last layer that has it."""
        return from_layers(self, path, self.budget)


def unpacked_layer(source: Source, image: LayeredImage, index: int) -> Readable:
    """A stored layer on its way, unpacked; held to the digest of either.

    The digests of unpacked layers are those that images are compared by: what the image's author
    states of them counts only where the bytes have them.
    """
    layer, shown = image.layers[index], f"Layer {index + 1} of {image.reference}"
    digests = unpacked_digests(image.config, len(image.layers), image.reference)
    plain = unpacked(Checked(source, layer.digest, layer.size, shown), shown)
    return Checked(plain, digests[index], -1, shown)


def unpacked_digests(config: Config, layers: int, shown: str) -> tuple[str, ...]:
    """The digest of each of so many layers when it is unpacked, as the configuration states it.

    Raises:
        ImageError: It states fewer or more, or what is no digest.
    """
    if len(config.diff_ids) != layers:
        raise ImageError(
            f"{shown} holds {layers} layers, and its configuration names {len(config.diff_ids)}"
        )
    bad = [each for each in config.diff_ids if as_digest(each) is None]
    if bad:
        raise ImageError(f"{shown} has a layer whose digest is none: {bad[0][:80]!a}")
    return config.diff_ids


def layer_words(size: int) -> str:
    """How large a layer is, for people; a size below nothing is none.

    >>> layer_words(1_500_000), layer_words(-1)
    ('1.5 MB', 'of unknown size')
    """
    return size_words(size) if size >= 0 else "of unknown size"
