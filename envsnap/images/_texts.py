"""The JSON texts of an image: index, manifest, configuration. A stranger's, so all is looked at."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from typing import cast

from envsnap._typing import NamedTuple
from envsnap.engines._digest import as_digest
from envsnap.images._model import Config, ImageError, Layer

LARGEST_TEXT = 8 << 20
"""More than this no index, manifest or configuration has."""
_MOST_LAYERS = 1000
_MOST_ITEMS = 100_000
_LARGEST_BLOB = 1 << 44
_LISTS = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*sorted(_LISTS), *MANIFESTS))
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Text(NamedTuple):
    """A JSON object of an image, and what to call it in an error.

    Engines are written in Go, whose reader takes a key in any case for the field that it knows.
    What two readers could take for two things is refused: such a key, a field of another type.
    """

    fields: dict[str, object]
    shown: str

    def value(self, key: str) -> object:
        """Whatever stands there; None where nothing does.

        Raises:
            ImageError: The key stands there in other letters, too, or alone.
        """
        folded = key.casefold()
        for each in self.fields:
            if each != key and each.casefold() == folded:
                raise ImageError(f"{self.shown} has a key {each!a}, which engines take for {key!r}")
        return self.fields.get(key)

    def text(self, key: str) -> str:
        """A string; empty where there is none."""
        found = self.value(key)
        if found is not None and not isinstance(found, str):
            raise self._wrong(key, "text")
        return found or ""

    def below(self, key: str) -> Text:
        """An object; an empty one where there is none."""
        found = self.value(key)
        if found is not None and not isinstance(found, dict):
            raise self._wrong(key, "an object")
        return Text(cast("dict[str, object]", found or {}), f"{self.shown}.{key}")

    def each(self, key: str) -> list[Text]:
        """The objects of a list."""
        found = self._items(key)
        if not all(isinstance(each, dict) for each in found):
            raise self._wrong(key, "a list of objects")
        return [
            Text(cast("dict[str, object]", each), f"{self.shown}.{key}[{number}]")
            for number, each in enumerate(found)
        ]

    def strings(self, key: str) -> tuple[str, ...]:
        """The strings of a list."""
        found = self._items(key)
        if not all(isinstance(each, str) for each in found):
            raise self._wrong(key, "a list of texts")
        return tuple(cast("list[str]", found))

    def pairs(self, key: str) -> dict[str, str]:
        """The strings of an object."""
        found = self.below(key).fields.items()
        return {name: value for name, value in found if isinstance(value, str)}

    def _items(self, key: str) -> list[object]:
        found = self.value(key)
        if found is not None and not isinstance(found, list):
            raise self._wrong(key, "a list")
        if found and len(found) > _MOST_ITEMS:
            raise ImageError(f"{self.shown}.{key} has {len(found)} entries, more than any image")
        return found or []

    def _wrong(self, key: str, wanted: str) -> ImageError:
        return ImageError(f"{self.shown}.{key} is not {wanted}")


class Listed(NamedTuple):
    """A blob as an index or a manifest lists it."""

    digest: str
    size: int
    media_type: str
    platform: str


def parse(raw: bytes, shown: str) -> Text:
    """A JSON object.

    Raises:
        ImageError: It is none.
    """
    found = parse_json(raw, shown)
    if not isinstance(found, dict):
        raise ImageError(f"{shown} is no JSON object")
    return Text(cast("dict[str, object]", found), shown)


def parse_json(raw: bytes, shown: str) -> object:
    """Any JSON value; None where it is no JSON.

    Raises:
        ImageError: It is too long, or a key stands twice in one object: of two values readers take
            the first, the last, or both.
    """
    if len(raw) > LARGEST_TEXT:
        raise ImageError(f"{shown} is larger than {LARGEST_TEXT >> 20} MiB")

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ImageError(f"{shown} has one key twice in an object")
        return found

    try:
        return cast("object", json.loads(raw, object_pairs_hook=once))
    except (ValueError, RecursionError):
        return None


def is_index(text: Text) -> bool:
    """Whether it lists images, one a platform, and is none itself."""
    return text.text("mediaType") in _LISTS or (
        isinstance(text.value("manifests"), list) and "layers" not in text.fields
    )


def listed(text: Text) -> Listed:
    """One descriptor.

    Raises:
        ImageError: It has no digest or size that can be used.
    """
    digest, size = as_digest(text.text("digest")), text.value("size")
    if digest is None:
        raise ImageError(f"{text.shown} has no digest of SHA-256")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_BLOB:
        raise ImageError(f"{text.shown} states a size that no blob has")
    return Listed(digest, size, text.text("mediaType"), _platform(text.below("platform")))


def choose(text: Text, platform: str | None) -> Listed:
    """The image of a platform, of all that an index lists.

    Raises:
        ImageError: It lists none for it.
    """
    known = {each.digest: each for each in map(listed, text.each("manifests")) if _is_image(each)}
    images = list(known.values())
    wanted = platform or own_platform()
    for each in images:
        if each.platform == wanted or each.platform.startswith(f"{wanted}/"):
            return each
    alone = [each for each in images if not each.platform] or images
    if len(alone) == 1 and (platform is None or not alone[0].platform):
        return alone[0]
    if len([each for each in images if not each.platform]) > 1:
        raise ImageError(f"{text.shown} lists {len(images)} images and not what they are for")
    names = ", ".join(sorted({each.platform for each in images if each.platform})[:12])
    raise ImageError(f"{text.shown} has no image for {wanted}; it has: {names or 'none'}")


def _is_image(each: Listed) -> bool:
    """Whether it is no attestation, which BuildKit lists beside images."""
    return each.platform != "unknown/unknown" and (
        not each.media_type or each.media_type in _LISTS or each.media_type in MANIFESTS
    )


def own_platform() -> str:
    """This machine's, as container engines name it."""
    machine = platform.machine()
    return f"linux/{_MACHINES.get(machine, machine)}"


def _platform(text: Text) -> str:
    parts = (text.text("os"), text.text("architecture"), text.text("variant"))
    return "/".join(each for each in parts if each)


def layers_of(text: Text) -> tuple[Layer, ...]:
    """The layers that a manifest lists, the base's first.

    Raises:
        ImageError: It is no manifest of an image, or of the first form, which has no digests.
    """
    if text.value("schemaVersion") == 1:
        raise ImageError(f"{text.shown} is in Docker's first form, which states no digests")
    if not isinstance(text.value("layers"), list):
        raise ImageError(f"{text.shown} is no manifest of an image")
    found = tuple(Layer(*listed(each)[:3]) for each in text.each("layers"))
    if len(found) > _MOST_LAYERS:
        raise ImageError(f"{text.shown} lists {len(found)} layers, more than any image has")
    return found


def config_of(raw: bytes, shown: str) -> Config:
    """What an image's configuration says.

    Raises:
        ImageError: It is no configuration.
    """
    text = parse(raw, shown)
    return configured(
        text.below("config"), platform=_platform(text), created=text.text("created"),
        history=tuple(each.text("created_by") for each in text.each("history")),
        diff_ids=text.below("rootfs").strings("diff_ids"),
    )  # fmt: skip


def configured(
    inner: Text,
    *,
    platform: str,
    created: str,
    history: tuple[str, ...],
    diff_ids: tuple[str, ...],
) -> Config:
    """What an image says of itself: `inner` is about the containers that are started from it."""
    return Config(
        platform=platform, created=created, labels=inner.pairs("Labels"),
        environ=environ_of(inner.strings("Env"), inner.shown), user=inner.text("User"),
        history=history, diff_ids=diff_ids,
        entrypoint=inner.strings("Entrypoint"), command=inner.strings("Cmd"),
        health=inner.below("Healthcheck").strings("Test"), folder=inner.text("WorkingDir"),
        on_build=inner.strings("OnBuild"),
    )  # fmt: skip


def environ_of(lines: Sequence[str], shown: str) -> dict[str, str]:
    """The variables of lines of the form NAME=VALUE.

    >>> environ_of(["A=1", "B"], "x")
    {'A': '1', 'B': ''}

    Raises:
        ImageError: One has two values: programs take the first or the last.
    """
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition("=")
        if found.setdefault(name, value) != value:
            raise ImageError(f"{shown} gives the variable {name!a} two values")
    return found
