"""Brings an image from its registry, or its archive, into a folder; writes such a folder as one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import IO, Protocol

from envsnap.errors import FileError, UsageError
from envsnap.images import _stores
from envsnap.images._docker_archive import open_docker_archive
from envsnap.images._http import Blob
from envsnap.images._model import Config, ImageError, Layer, Readable
from envsnap.images._names import split
from envsnap.images._oci import blob_name, open_oci
from envsnap.images._stores import FolderStore
from envsnap.images._streams import PIECE
from envsnap.images._texts import layers_of, listed, parse
from envsnap.images.registry import Opened, opened

Progress = Callable[[str, int, int], None]
"""Gets a blob's digest, the bytes of it that are here, and all of its bytes."""

FROM = "io.envsnap.registry.digest"
"""The annotation of index.json that has the digest by which the registry knows the image."""
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_FORMS = {
    "application/vnd.docker.image.rootfs.diff.tar": _LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{_LAYER}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": f"{_LAYER}+zstd",
}


def fetch_image(reference: str, platform: str, folder: str, progress: Progress) -> str:
    """The image as an OCI layout in a folder (blobs/sha256/, index.json, oci-layout); its digest.

    What an earlier run left is gone on with: finished blobs are compared by digest and kept, a
    partial one (`blobs/sha256/HEX.part`) is asked for from where it ends. index.json comes last,
    so a folder that has it is whole. A manifest of Docker's form is written in OCI's, and the
    digest is the one that the registry knows.

    Raises:
        UsageError: The reference is none of a registry's.
        FileError: The folder cannot be written.
        ImageError: The registry fails, or sends other bytes than it promised.
    """
    parts = split(reference)
    if parts is not None and parts.scheme != "docker":
        raise UsageError(f"{reference} is no image of a registry", hint="Name it as docker://NAME")
    image = opened(parts.place if parts is not None else reference, platform)
    refuse_strange(image.layers)
    has = image.config.platform
    if has and has != platform and not has.startswith(f"{platform}/"):
        raise ImageError(f"{reference} is an image for {has}, and {platform} is wanted")
    manifest = _as_oci(image)
    digest = _digest(manifest)
    with _writing(folder):
        os.makedirs(os.path.join(folder, "blobs", "sha256"), exist_ok=True)
        index = _index(digest, len(manifest), platform, image.digest)
        _drop_other(os.path.join(folder, "index.json"), index)
        _put(folder, blob_name(image.config_blob.digest), image.config_text)
        for layer in dict.fromkeys(image.layers):
            progress(layer.digest, 0, layer.size)  # so that the whole is known from the start
        for layer in dict.fromkeys(image.layers):
            _bring(image, layer, folder, progress)
        _put(folder, blob_name(digest), manifest)
        _put(folder, "oci-layout", _LAYOUT)
        _put(folder, "index.json", index)
    return image.digest


class _Filed(Protocol):
    """An image in an archive on this machine."""

    digest: str
    config: Config
    config_text: bytes
    layers: tuple[Layer, ...]

    def stored_layer(self, index: int) -> AbstractContextManager[Readable]: ...

    def close(self) -> None: ...


def copy_image(reference: str, platform: str, folder: str, progress: Progress) -> str:
    """The image of a docker-archive or an oci-archive as an OCI layout in a folder; its digest.

    Every layer is compared with its digest on the way; one that is here already is kept.

    Raises:
        UsageError: The reference is none of such an archive.
        FileError: The archive cannot be read, or the folder not be written.
        ImageError: It holds no such image, or other bytes than it states.
    """
    with closing(_filed(reference, platform)) as image:
        refuse_strange(image.layers)
        has = image.config.platform
        if has and has != platform and not has.startswith(f"{platform}/"):
            raise ImageError(f"{reference} is an image for {has}, and {platform} is wanted")
        with _writing(folder):
            os.makedirs(os.path.join(folder, "blobs", "sha256"), exist_ok=True)
            layers = [_copied(image, index, folder, progress) for index in range(len(image.layers))]
            text = image.config_text
            config = {"mediaType": _CONFIG, "digest": _digest(text), "size": len(text)}
            manifest = _manifest(config, layers)
            _put(folder, blob_name(_digest(text)), text)
            _put(folder, blob_name(_digest(manifest)), manifest)
            _put(folder, "oci-layout", _LAYOUT)
            index = _index(_digest(manifest), len(manifest), platform, image.digest)
            _put(folder, "index.json", index)
    return _digest(manifest)


def _filed(reference: str, platform: str) -> _Filed:
    parts = split(reference)
    if parts is not None and parts.scheme == "docker-archive":
        return open_docker_archive(parts.place, parts.tag)
    if parts is not None and parts.scheme == "oci-archive":
        return open_oci(parts.scheme, parts.place, parts.tag, platform)
    raise UsageError(f"{reference} is no archive of an image",
                     hint="Name it as docker-archive:FILE.tar or oci-archive:FILE.tar")  # fmt: skip


def _copied(image: _Filed, index: int, folder: str, progress: Progress) -> Layer:
    """One layer's blob in the folder, with its true size."""
    layer = image.layers[index]
    path = os.path.join(folder, blob_name(layer.digest))
    if not _has_digest(path, layer.digest):
        count = 0
        with image.stored_layer(index) as source, open(f"{path}.part", "wb") as file:
            while piece := source.read(PIECE):
                file.write(piece)
                count += len(piece)
                progress(layer.digest, count, max(count, layer.size))
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.part", path)
    return layer._replace(size=os.path.getsize(path))


def _has_digest(path: str, digest: str) -> bool:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return f"sha256:{_hashed(file)}" == digest
    return False


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def refuse_strange(layers: tuple[Layer, ...]) -> None:
    """Refuse an image whose layers are no tar archives: an artifact that is none, as a chart.

    Raises:
        ImageError: It has one.
    """
    for layer in layers:
        kind = _FORMS.get(layer.media_type, layer.media_type)
        if not kind.startswith(_LAYER):
            raise ImageError(f"A layer is of the kind {kind[:100]!a}, which no engine unpacks")


@contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = f"Make room in {folder}, then run it again" if error.errno == errno.ENOSPC else None
        raise FileError(f"Cannot write {folder}: {error.strerror}", hint=hint) from None


def _as_oci(image: Opened) -> bytes:
    """The manifest in OCI's form; one that has it already keeps its bytes."""
    text = parse(image.manifest, "the manifest")
    if text.text("mediaType") in {_MANIFEST, ""}:
        return image.manifest
    config = {"mediaType": _CONFIG, "digest": image.config_blob.digest,
              "size": image.config_blob.size}  # fmt: skip
    return _manifest(config, image.layers)


def _manifest(config: Mapping[str, object], found: Iterable[Layer]) -> bytes:
    layers = [
        {"mediaType": _FORMS.get(each.media_type, each.media_type), "digest": each.digest,
         "size": each.size} for each in found
    ]  # fmt: skip
    return _json({"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers})


def _index(digest: str, size: int, platform: str, known: str) -> bytes:
    system, _, machine = platform.partition("/")
    machine, _, variant = machine.partition("/")
    place = {"architecture": machine, "os": system, **({"variant": variant} if variant else {})}
    entry = {"mediaType": _MANIFEST, "digest": digest, "size": size, "platform": place,
             "annotations": {FROM: known}}  # fmt: skip
    return _json({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                  "manifests": [entry]})  # fmt: skip


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _drop_other(path: str, wanted: bytes) -> None:
    """Take away an index of another image: until ours is whole there is none."""
    with contextlib.suppress(FileNotFoundError):
        with open(path, "rb") as file:
            if file.read(len(wanted) + 1) == wanted:
                return
        os.unlink(path)


def _put(folder: str, name: str, data: bytes) -> None:
    path = os.path.join(folder, name)
    with open(f"{path}.part", "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.part", path)


def _bring(image: Opened, layer: Layer, folder: str, progress: Progress) -> None:
    """One layer's blob, whole and checked; what is here of it is not fetched again."""
    path = os.path.join(folder, blob_name(layer.digest))
    if _is_whole(path, layer):
        progress(layer.digest, layer.size, layer.size)
        return
    digest, is_fresh = _append(image, layer, f"{path}.part", progress)
    if digest != layer.digest and not is_fresh:  # what an earlier run left was another's
        os.unlink(f"{path}.part")
        digest, _ = _append(image, layer, f"{path}.part", progress)
    if digest == layer.digest:
        os.replace(f"{path}.part", path)
        return
    os.unlink(f"{path}.part")
    host = image.registry.place.host
    raise ImageError(f"{host} sends other bytes than {layer.digest}: {digest}")


def _is_whole(path: str, layer: Layer) -> bool:
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == layer.size:
            return f"sha256:{_hashed(file)}" == layer.digest
    return False


def _hashed(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _append(image: Opened, layer: Layer, path: str, progress: Progress) -> tuple[str, bool]:
    """The digest of the part after all is there, and whether none of it was there before."""
    digest = hashlib.sha256()
    with open(path, "a+b") as file:
        if os.fstat(file.fileno()).st_size > layer.size:
            file.truncate(0)
        file.seek(0)
        while piece := file.read(PIECE):
            digest.update(piece)
        start = file.tell()
        blob = Blob(image.registry, layer.digest, layer.size, start)
        try:
            progress(layer.digest, start, layer.size)
            while piece := blob.read(PIECE):
                file.write(piece)
                digest.update(piece)
                progress(layer.digest, blob.at, layer.size)
        finally:
            blob.close()
        file.flush()
        os.fsync(file.fileno())
    return f"sha256:{digest.hexdigest()}", start == 0


def write_archive(folder: str, path: str, epoch: int, name: str | None = None) -> None:
    """An OCI layout folder as one oci-archive, the same bytes each time; renamed into place whole.

    Of the folder's blobs those go in that its index names, compared by their digest on the way.
    With a name, as 'base:1', `docker load` takes it too, those of before OCI's archives included.

    Raises:
        FileError: It cannot be read or written.
        ImageError: The folder is no layout, or a blob of it is missing.
    """
    store = FolderStore(folder)
    texts = _loadable(store, name) if name is not None else {}
    names = sorted({"index.json", "oci-layout", *_blobs(store)} - texts.keys())
    part = f"{path}.{os.getpid()}.part"
    try:
        with _writing(os.path.dirname(path) or "."):
            with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as archive:
                for place in ("blobs", "blobs/sha256"):
                    info = tarfile.TarInfo(place)
                    info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, epoch
                    archive.addfile(info)
                for each, text in sorted(texts.items()):
                    archive.addfile(_member(each, len(text), epoch), io.BytesIO(text))
                for each in names:
                    _add(archive, store, each, epoch)
            os.replace(part, path)
    finally:
        store.close()
        with contextlib.suppress(OSError):
            os.unlink(part)


def _loadable(store: FolderStore, name: str) -> Mapping[str, bytes]:
    """What tells `docker load` of the image's name: Docker's own list, and OCI's with it."""
    index = json.loads(_stores.text(store, "index.json"))
    entry = parse(_stores.text(store, "index.json"), "index.json").each("manifests")[0]
    digest = listed(entry).digest
    text = parse(_stores.text(store, blob_name(digest)), digest)
    known = index["manifests"][0]
    known["annotations"] = {
        **known.get("annotations", {}), "io.containerd.image.name": f"docker.io/library/{name}",
    }  # fmt: skip
    own = {"Config": blob_name(listed(text.below("config")).digest), "RepoTags": [name],
           "Layers": [blob_name(each.digest) for each in layers_of(text)]}  # fmt: skip
    return {"index.json": _json(index), "manifest.json": _json([own])}


def _member(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, epoch
    return info


def _add(archive: tarfile.TarFile, store: FolderStore, name: str, epoch: int) -> None:
    stored = store.open(name)
    digest = hashlib.sha256()

    class Hashing:
        def read(self, size: int = -1) -> bytes:
            piece = stored.source.read(min(size, PIECE) if size >= 0 else PIECE)
            digest.update(piece)
            return piece

    archive.addfile(_member(name, stored.size, epoch), Hashing())
    if name.startswith("blobs/") and digest.hexdigest() != os.path.basename(name):
        raise ImageError(f"{store.shown} has other bytes in {name}: run the fetch again")


def _blobs(store: FolderStore) -> set[str]:
    found: set[str] = set()
    for each in parse(_stores.text(store, "index.json"), "index.json").each("manifests"):
        digest = listed(each).digest
        text = parse(_stores.text(store, blob_name(digest)), digest)
        blobs = [digest, listed(text.below("config")).digest]
        found |= {blob_name(one) for one in [*blobs, *(one.digest for one in layers_of(text))]}
    return found
