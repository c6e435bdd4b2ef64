"""Images that a registry has: asked for over the network, its mirrors first."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from envsnap.engines._digest import as_digest
from envsnap.errors import UsageError
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.images._base import LayeredImage, unpacked_layer
from envsnap.images._http import Answer, Blob, Registry, RegistryError
from envsnap.images._mirrors import endpoints, own_host
from envsnap.images._model import Config, ImageError, Layer, Readable
from envsnap.images._names import Named, named
from envsnap.images._small import BUDGET
from envsnap.images._streams import Checked
from envsnap.images._texts import (
    ACCEPT,
    LARGEST_TEXT,
    Listed,
    choose,
    config_of,
    is_index,
    layers_of,
    listed,
    parse,
)
from envsnap.sections import Fact, Reason, Unknown

T = TypeVar("T")

_MOST_INDEXES = 4
_NOT_FOUND, _UNAUTHORIZED = 404, 401


def host_of(repository: str) -> str:
    """The host that has the images of a repository, as 'docker.io/library/python'.

    >>> host_of("docker.io/library/python"), host_of("127.0.0.1:5000/lab/paper")
    ('registry-1.docker.io', '127.0.0.1:5000')
    """
    return own_host(repository.partition("/")[0])


def hosts(reference: str) -> tuple[str, ...]:
    """The hosts that opening an image may talk to, sorted: its mirrors, and its own registry.

    Raises:
        UsageError: It is no reference.
    """
    return tuple(sorted({place.host for place in endpoints(named(reference))}))


def digest(repository: str, tag: str) -> Fact[str]:
    """The digest that a registry answers for a tag, all architectures together."""
    wanted = None
    try:
        wanted = named(f"{repository}:{tag}")
        return _anywhere(wanted, lambda place: _digest(place, tag), tries=1)
    except UsageError as error:
        return Unknown(Reason.UNPARSABLE, error.message)
    except RegistryError as error:
        if error.status == _UNAUTHORIZED:
            return Unknown(Reason.NO_PERMISSION, error.message)
        if not error.status:
            return Unknown(Reason.TIMED_OUT, error.message)
        name, host = (wanted.name, own_host(wanted.host)) if wanted else (repository, repository)
        says = f"{host} answers {error.status} for {name}:{tag}"
        is_gone = error.status == _NOT_FOUND
        return NoSuchTag(says) if is_gone else Unknown(Reason.NOT_RECORDED, says)
    except ImageError as error:
        return Unknown(Reason.UNPARSABLE, error.message)


def _digest(registry: Registry, tag: str) -> str:
    with registry.ask(f"manifests/{tag}", method="HEAD", headers={"Accept": ACCEPT}) as answer:
        found = as_digest(answer.headers.get("Docker-Content-Digest"))
    if found is None:
        found = f"sha256:{hashlib.sha256(manifest(registry, tag)).hexdigest()}"
    return found


def _anywhere(image: Named, ask: Callable[[Registry], T], *, tries: int) -> T:
    """What the first place that has an image answers; its own registry's error where none has."""
    *mirrors, own = endpoints(image)
    for place in mirrors:
        with contextlib.suppress(ImageError):  # the registry itself has the last word
            return ask(Registry(place, place.host, tries=min(tries, 2)))
    return ask(Registry(own, image.host, tries=tries))


def manifest(registry: Registry, wanted: str) -> bytes:
    """The text of a manifest or index; by its digest it is checked.

    Raises:
        ImageError: There is none, or another one came.
    """
    with registry.ask(f"manifests/{wanted}", headers={"Accept": ACCEPT}) as answer:
        raw = _whole(registry, answer)
    found = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    if as_digest(wanted) and found != wanted:
        raise ImageError(f"{registry.place.host} sends another manifest than {wanted}: {found}")
    return raw


def _whole(registry: Registry, answer: Answer) -> bytes:
    try:
        raw = answer.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise RegistryError(f"{registry.place.host} broke off: {error}", 0) from None
    registry.received += len(raw)
    return raw


class Opened:
    """One image of a registry: its texts, and the place that its blobs come from."""

    def __init__(self, registry: Registry, wanted: Named, platform: str | None) -> None:
        """Read the manifest and the configuration.

        Raises:
            ImageError: They are not there, or are not what they should be.
        """
        self.registry = registry
        at, self.media_type = wanted.wanted, ""
        for _ in range(_MOST_INDEXES):
            self.manifest = manifest(registry, at)
            text = parse(self.manifest, f"{wanted.shown}")
            self.media_type = text.text("mediaType") or self.media_type
            if not is_index(text):
                break
            chosen = choose(text, platform)
            at, self.media_type = chosen.digest, chosen.media_type
        else:
            raise ImageError(f"{wanted.shown} has indexes in indexes")
        self.digest = f"sha256:{hashlib.sha256(self.manifest).hexdigest()}"
        self.layers = layers_of(text)
        self.config_blob = listed(text.below("config"))
        self.config_text = self._config()
        self.config: Config = config_of(self.config_text, f"the configuration of {wanted.shown}")

    def _config(self) -> bytes:
        blob: Listed = self.config_blob
        if blob.size > LARGEST_TEXT:
            raise ImageError(f"The configuration is larger than {LARGEST_TEXT >> 20} MiB")
        shown = f"Blob {blob.digest} of {self.registry.place.host}"
        source = Blob(self.registry, blob.digest, blob.size)
        checked = Checked(source, blob.digest, blob.size, shown)
        pieces = []
        while piece := checked.read(LARGEST_TEXT):
            pieces.append(piece)
        return b"".join(pieces)


def opened(reference: str, platform: str | None, *, tries: int = 5) -> Opened:
    """An image of a registry, from the first place that has it.

    Raises:
        UsageError: It is no reference.
        ImageError: No place has it.
    """
    wanted = named(reference)
    return _anywhere(wanted, lambda place: Opened(place, wanted, platform), tries=tries)


class RegistryImage(LayeredImage):
    """An image whose layers come over the network as they are asked for."""

    budget: int | None = BUDGET

    def __init__(self, reference: str, platform: str | None) -> None:
        self.reference = f"docker://{reference}"
        self._opened = opened(reference, platform)
        self.digest, self.config = self._opened.digest, self._opened.config
        self.layers: tuple[Layer, ...] = self._opened.layers

    @property
    def received(self) -> int:
        """The bytes that came over the network for it so far."""
        return self._opened.registry.received

    @contextmanager
    def open_layer(self, index: int) -> Iterator[Readable]:
        """One layer as it comes, checked by the digest of its blob, and of what it unpacks to."""
        layer = self.layers[index]
        blob = Blob(self._opened.registry, layer.digest, layer.size)
        try:
            yield unpacked_layer(blob, self, index)
        finally:
            blob.close()

    def close(self) -> None:
        """Nothing is held between two layers."""
