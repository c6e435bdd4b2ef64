"""Images made by hand: honest ones, and such as nobody should believe."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Json = object
EPOCH = 1_700_000_000


class Made(NamedTuple):
    """One member of a layer."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644


def folder(name: str) -> Made:
    return Made(name, kind=tarfile.DIRTYPE, mode=0o755)


def link(name: str, target: str) -> Made:
    return Made(name, kind=tarfile.SYMTYPE, link=target)


def hard_link(name: str, target: str) -> Made:
    return Made(name, kind=tarfile.LNKTYPE, link=target)


def layer(*members: Made, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A layer's tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for each in members:
            info = tarfile.TarInfo(each.name)
            info.type, info.linkname, info.mode = each.kind, each.link, each.mode
            info.size, info.mtime = len(each.data), EPOCH
            archive.addfile(info, io.BytesIO(each.data))
    return stream.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def config(layers: Sequence[bytes], labels: dict[str, str] | None = None) -> bytes:
    return dumped(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {
                "Labels": labels or {},
                "Env": ["PATH=/opt/env/bin", "A=b=c"],
                "User": "10001",
            },
            "history": [{"created_by": f"step {number}"} for number in range(len(layers))],
            "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]},
        }
    )


def dumped(value: Json) -> bytes:
    return json.dumps(value).encode()


def docker_archive(path: object, layers: Sequence[bytes], *, stated: bytes | None = None) -> str:
    """What docker save would write of these layers; its reference."""
    raw = config(layers) if stated is None else stated
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["lab/paper:1"], "Layers": names}]
    files = [Made("config.json", raw), Made("manifest.json", dumped(manifest))]
    files += [Made(name, data) for name, data in zip(names, layers, strict=True)]
    write(path, layer(*files))
    return f"docker-archive:{path}"


class Blob(NamedTuple):
    """A descriptor."""

    digest: str
    size: int
    media_type: str

    def document(self) -> dict[str, Json]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def blob(data: bytes, media_type: str) -> Blob:
    return Blob(digest(data), len(data), media_type)


GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def blobs_of(layers: Sequence[bytes], stored: Iterable[bytes] | None = None) -> dict[str, bytes]:
    """Every blob of an image by its digest, the manifest under the name `manifest` as well."""
    kept = [packed(each) for each in layers] if stored is None else list(stored)
    raw = config(layers)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(raw, "application/vnd.oci.image.config.v1+json").document(),
        "layers": [blob(each, GZIP).document() for each in kept],
    }
    manifest = dumped(document)
    return {"manifest": manifest, **{digest(each): each for each in [raw, manifest, *kept]}}


def oci_layout(folder: str, blobs: dict[str, bytes]) -> str:
    """An OCI layout folder of these blobs; its reference."""
    os.makedirs(os.path.join(folder, "blobs", "sha256"))
    for name, data in blobs.items():
        if name != "manifest":
            write(os.path.join(folder, "blobs", "sha256", name.removeprefix("sha256:")), data)
    entry = blob(blobs["manifest"], MANIFEST).document()
    write(os.path.join(folder, "index.json"), dumped({"schemaVersion": 2, "manifests": [entry]}))
    write(os.path.join(folder, "oci-layout"), b'{"imageLayoutVersion":"1.0.0"}')
    return f"oci:{folder}"


def write(path: object, data: bytes) -> None:
    with open(str(path), "wb") as file:
        file.write(data)
