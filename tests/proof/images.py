"""An image as `docker save` writes it, made by hand: a base, an environment, and what follows."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from envsnap import __version__
from envsnap.images import ImageTree, open_image
from envsnap.inside import VERIFIER, source
from envsnap.manifest import Manifest, encode, environment_id
from envsnap.proof import Verified
from envsnap.sections import Artifact, Package
from tests import made
from tests.inside.rows import by_the_definition, row

if TYPE_CHECKING:
    from pathlib import Path

SITE = "/opt/env/lib/python3.11/site-packages"
LIBRARY = "/usr/local/lib/python3.11"
PYVENV = b"home = /usr/local/bin\ninclude-system-site-packages = false\nversion = 3.11.7\n"
RESULTS = ("CUBLAS_WORKSPACE_CONFIG=:4096:8",)
"""What the manifest has of the variables that change results, as our recipes set it."""
CORE, INIT = b"def encode(): ...\n", b"from .core import *\n"
TOOL = b"#!/opt/env/bin/python\nfrom idna.core import encode\n"


class Link(NamedTuple):
    """A symbolic link."""

    target: str


class Gone(NamedTuple):
    """A whiteout: what lower layers have here is not there."""


Layer = Mapping[str, "bytes | Link | Gone"]


def dist_info(name: str, version: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A distribution's files by their absolute path, with METADATA and RECORD."""
    folder = f"{name}-{version}.dist-info"
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
    own = {f"{folder}/METADATA": text.encode()}
    whole = {**files, **own}
    record = "".join(row(path, data) for path, data in whole.items()) + f"{folder}/RECORD,,\n"
    placed = {f"{SITE}/{path}": data for path, data in whole.items() if ".." not in path}
    return {**placed, f"{SITE}/{folder}/RECORD": record.encode()}


def digest(files: Mapping[str, bytes]) -> str:
    """envsnap-content-1 of such files, of which RECORD is none."""
    inner = {path.removeprefix(f"{SITE}/"): data for path, data in files.items()}
    return by_the_definition(
        {path: data for path, data in inner.items() if not path.endswith("/RECORD")}
    )


IDNA = dist_info("idna", "3.7", {"idna/__init__.py": INIT, "idna/core.py": CORE})
SOCKS = dist_info("PySocks", "1.7.1", {"socks.py": b"socks = 1\n"})
BASE: Layer = {
    "/usr/local/bin/python3.11": b"ELF",
    "/usr/local/bin/python3": Link("python3.11"),
    f"{LIBRARY}/os.py": b"import abc\n",
}
PYTHON: Layer = {
    "/opt/env/pyvenv.cfg": PYVENV,
    "/opt/env/bin/python": Link("/usr/local/bin/python3"),
    "/opt/env/bin/activate": b"PATH=x\n",
}


def package(name: str, version: str, files: Mapping[str, bytes]) -> Package:
    return made.package(name, version, content=digest(files))


def artifact(name: str, version: str) -> Artifact:
    return made.artifact(name.lower(), version, f"{name}-{version}-py3-none-any.whl")


PACKAGES = (package("idna", "3.7", IDNA), package("PySocks", "1.7.1", SOCKS))
ARTIFACTS = (artifact("idna", "3.7"), artifact("PySocks", "1.7.1"))


def manifest(packages: Sequence[Package] = PACKAGES) -> Manifest:
    return made.manifest(tuple(packages), ARTIFACTS)


def own_files(wanted: Manifest | None = None) -> Layer:
    """The small last layer: the manifest and the verifier."""
    found = {f"/opt/envsnap/{name}": source(name.removesuffix(".py")).encode() for name in VERIFIER}
    return {**found, "/opt/envsnap/manifest.json": encode(wanted or manifest()).encode()}


def labels(wanted: Manifest | None = None) -> dict[str, str]:
    text = encode(wanted or manifest()).encode()
    return {
        "io.envsnap.environment": str(environment_id(wanted or manifest())),
        "io.envsnap.manifest.sha256": hashlib.sha256(text).hexdigest(),
        "io.envsnap.version": __version__,
    }


GOOD: tuple[Layer, ...] = (BASE, {**PYTHON, **IDNA, **SOCKS}, own_files())


def image(
    folder: Path,
    *more: Layer,
    layers: Sequence[Layer] = GOOD,
    said: Mapping[str, str] | None = None,
    environ: Sequence[str] = ("PATH=/opt/env/bin:/usr/local/bin",),
    starts: Mapping[str, object] | None = None,
) -> str:
    """The good image, and these layers above it; the reference to open it by."""
    tars = [_tar(each) for each in (*layers, *more)]
    diff_ids = [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in tars]
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {
            "Env": [*environ, *RESULTS], "Labels": labels() if said is None else said,
            **(starts or {}),
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }).encode()  # fmt: skip
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{number}/layer.tar" for number in range(len(tars))]
    listed = json.dumps([{"Config": name, "RepoTags": ["a:1"], "Layers": names}]).encode()
    path = folder / "image.tar"
    with tarfile.open(path, "w") as archive:
        for each, data in (
            ("manifest.json", listed),
            (name, config),
            *zip(names, tars, strict=True),
        ):
            _add(archive, each, data)
    return f"docker-archive:{path}"


def _tar(layer: Layer) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, what in layer.items():
            name = path.lstrip("/")
            if isinstance(what, Link):
                member = tarfile.TarInfo(name)
                member.type, member.linkname = tarfile.SYMTYPE, what.target
                archive.addfile(member)
            elif isinstance(what, Gone):
                folder, _, last = name.rpartition("/")
                _add(archive, f"{folder}/.wh.{last}", b"")
            else:
                _add(archive, name, what)
    return file.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def verified(reference: str, **options: object) -> Verified:
    """What `envsnap verify` finds out."""
    return read(reference, **options)[0]


def read(reference: str, **options: object) -> tuple[Verified, ImageTree]:
    from envsnap._verify import VerifyOptions, verify

    with open_image(reference) as opened:
        return verify(opened, VerifyOptions(**options), lambda _: None)  # type: ignore[arg-type]


def told(found: Verified) -> list[tuple[str, str]]:
    """Every difference: its kind, and its words."""
    return [(each.kind, each.says) for each in found.tampered]
