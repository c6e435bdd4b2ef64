"""OCI layouts, as a folder or as one archive: an index, and every blob by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
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
    parse_json,
)

_TAG = "org.opencontainers.image.ref.name"
_NAME = "io.containerd.image.name"
"""The whole name, where Docker and containerd write the tag alone into the other one."""
_DEFAULTS = ("docker.io/", "index.docker.io/", "localhost/", "library/")
"""In front of a name that has none of them engines try these."""
_MOST_INDEXES = 4
_ATTESTATION = "unknown/unknown"
_MACHINES = {"386", "amd64", "arm", "arm64", "loong64", "ppc64le", "riscv64", "s390x"}
"""The names of which no engine takes one for another; `x86_64` is amd64 to some."""


def open_oci(scheme: str, path: str, tag: str | None, platform: str | None) -> OciImage:
    """The image in a layout; of several the one of that tag, else of the platform.

    Raises:
        FileError: It cannot be read.
        ImageError: It holds no such image.
    """
    made: Store = TarStore(path) if scheme == "oci-archive" else FolderStore(path)
    with _stores.closing(made) as store:
        reference = f"{scheme}:{path}{':' + tag if tag else ''}"
        image = OciImage(store, reference, _top(store, tag, platform), platform)
        if scheme == "oci-archive" and store.has("manifest.json"):
            refuse_others(store, image.config_digest, _of_docker(store, _wanted(store, tag)))
        return image


def refuse_others(store: Store, config: str, found: set[str] | None) -> None:
    """Refuse an archive that another engine would load another image from.

    Docker has written both lists since version 25; what it loads is by its store, and podman looks
    for an OCI layout first. None is found in a list without any entry: Docker 25 writes such an
    index.json for an image that it saves by ID, and engines then have the one list alone.

    Raises:
        ImageError: What its other list names is not the image of this configuration alone.
    """
    if found is not None and found != {config}:
        names = ", ".join(sorted(found - {config})[:4]) or "none"
        raise ImageError(
            f"{store.shown} is an archive of Docker's and an OCI layout, and not of the same image "
            f"for every engine: beside {config} it holds {names}",
            hint="Save the image alone: docker save -o image.tar NAME:TAG",
        )


def docker_list(store: Store) -> list[Text]:
    """The images that manifest.json lists, as `docker save` writes it.

    Raises:
        ImageError: It is no such list.
    """
    shown = f"manifest.json in {store.shown}"
    found = parse_json(_stores.text(store, "manifest.json"), shown)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ImageError(f"{shown} is no JSON list of objects")
    return [Text(each, shown) for each in found]


def _of_docker(store: Store, wanted: frozenset[str]) -> set[str] | None:
    every = docker_list(store)
    if not every:
        return None
    meant = []
    for each in every:
        names = each.strings("RepoTags")
        if _may_mean([*names, *map(_tag_in, names)], wanted):
            meant.append(each)
    texts = (_stores.text(store, each.text("Config")) for each in meant)
    return {f"sha256:{hashlib.sha256(each).hexdigest()}" for each in texts}


def of_layout(store: Store, platform: str, tag: str | None) -> set[str] | None:
    """The digests of all configurations that an engine may load by index.json, under that tag.

    What index.json itself lists counts for whatever platform it is: podman takes it if it is alone.
    Of an index below it that is all but what stands there for other machines than the platform's.

    Raises:
        ImageError: It cannot be read.
    """
    every = _index(store).each("manifests")
    if not every:
        return None
    wanted = frozenset() if tag is None else frozenset([_whole(tag), _tag_in(tag)])
    meant = [each for each in every if _may_mean(_names_of(each), wanted)]
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [(each, 1) for each in map(listed, meant)]
    while waiting:
        blob, depth = waiting.pop()
        if blob.digest in seen:
            continue
        seen.add(blob.digest)
        text = _document(store, blob)
        if not is_index(text):
            found.add(listed(text.below("config")).digest)
        elif depth > _MOST_INDEXES:
            raise ImageError(f"{store.shown} has indexes in indexes")
        else:
            below = map(listed, text.each("manifests"))
            waiting += [(each, depth + 1) for each in below if _may_load(each, platform)]
    return found


def _may_mean(names: Sequence[str], wanted: frozenset[str]) -> bool:
    """Whether an engine that is asked for one of these may load it; what has no name, for any.

    A tag alone may be part of any name.
    """
    return not names or not wanted or any({each, _whole(each)} & wanted for each in names)


def _whole(name: str) -> str:
    """A name with its tag, and without what engines put in front of one themselves.

    >>> _whole("docker.io/library/paper"), _whole("localhost:5000/paper@sha256:ab")
    ('paper:latest', 'localhost:5000/paper:latest')
    """
    name = name.partition("@")[0]
    for each in _DEFAULTS:
        name = name.removeprefix(each)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _tag_in(name: str) -> str:
    return _whole(name).rpartition(":")[2]


def _names_of(entry: Text) -> list[str]:
    """What engines may call an image of index.json: a tag alone is part of the whole name."""
    name, tag = entry.below("annotations").text(_NAME), _tag_of(entry)
    is_part = bool(name) and not {*"/:"} & {*tag}
    return [each for each in (name, "" if is_part else tag) if each]


def _wanted(store: Store, tag: str | None) -> frozenset[str]:
    """What Docker may call the image that index.json has under a tag."""
    if tag is None:
        return frozenset()
    names = [each.below("annotations").text(_NAME) for each in _tagged(_index(store), tag)]
    return frozenset([tag, *(_whole(each) for each in (tag, *names) if each)])


def _may_load(blob: Listed, platform: str) -> bool:
    """Whether an engine on this platform may take it out of an index."""
    if blob.platform == _ATTESTATION:
        return False
    (system, machine), (wanted, own) = (
        (*each.split("/"), "", "")[:2] for each in (blob.platform, platform)
    )
    known = system == wanted == "linux" and {machine, own} <= _MACHINES
    return not known or machine == own


class OciImage(LayeredImage):
    """One image of a layout; every blob is checked by its digest."""

    budget: int | None = None

    def __init__(self, store: Store, reference: str, top: Listed, platform: str | None) -> None:
        self._store, self.reference = store, reference
        found = top
        for _ in range(_MOST_INDEXES):
            text = _document(store, found)
            if not is_index(text):
                break
            found = choose(text, platform)
        else:
            raise ImageError(f"{store.shown} has indexes in indexes")
        self.digest = found.digest
        self.layers = layers_of(text)
        config = listed(text.below("config"))
        self.config_digest = config.digest
        raw = _blob(store, config)
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


def _document(store: Store, blob: Listed) -> Text:
    """An index or a manifest; engines take what is both for either (CVE-2021-41190)."""
    text = parse(_blob(store, blob), f"blob {blob.digest} in {store.shown}")
    if "manifests" in text.fields and text.fields.keys() & {"layers", "config", "fsLayers"}:
        raise ImageError(f"{text.shown} is an index and a manifest")
    return text


def _top(store: Store, tag: str | None, platform: str | None) -> Listed:
    text = _index(store)
    if tag is None:
        return choose(text, platform)
    tagged = _tagged(text, tag)
    if not tagged:
        known = ", ".join(filter(None, map(_tag_of, text.each("manifests")[:12])))
        raise ImageError(f"{store.shown} has no image {tag!r}; it has: {known or 'no names'}")
    return choose(text._replace(fields={"manifests": [each.fields for each in tagged]}), platform)


def _index(store: Store) -> Text:
    return parse(_stores.text(store, "index.json"), f"index.json in {store.shown}")


def _tagged(index: Text, tag: str) -> list[Text]:
    return [each for each in index.each("manifests") if _tag_of(each) == tag]


def _tag_of(text: Text) -> str:
    return text.below("annotations").text(_TAG)
