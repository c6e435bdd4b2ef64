"""Wheels made by hand, a wheelhouse of them, and the manifest of the environment they install."""

from __future__ import annotations

import base64
import hashlib
import io
import platform
import sysconfig
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from envsnap.inside.content import digests_of
from envsnap.manifest import Manifest, environment_id
from envsnap.sections import Artifact, Package
from envsnap.wheelhouse._store import Stored, Wheelhouse, write_list
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

TIME = (1980, 1, 1, 0, 0, 0)
VERSION = platform.python_version()
PYTHON = made.python(
    version=VERSION,
    soabi=sysconfig.get_config_var("SOABI"),
    architecture=platform.machine(),
    platform=sysconfig.get_platform(),
    free_threaded=False,
)
"""The Python that runs the tests, as a capture would tell it."""


class Wheel(NamedTuple):
    """One wheel: its bytes, and what they prove."""

    name: str
    version: str
    filename: str
    raw: bytes
    content: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def zipped(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as whole:
        for name, raw in files.items():
            whole.writestr(zipfile.ZipInfo(name, TIME), raw)
    return target.getvalue()


def wheel(
    name: str, version: str, files: Mapping[str, bytes] | None = None, *, points: str = ""
) -> Wheel:
    """A pure wheel with these files, else one module that knows its version."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    files = {f"{stem}.py": f"VERSION = {version!r}\n".encode()} if files is None else files
    whole = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if points:
        whole[f"{info}/entry_points.txt"] = points.encode()
    rows = [f"{path},sha256={coded(raw)},{len(raw)}\n" for path, raw in whole.items()]
    record = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    hexes = {
        path.encode(): hashlib.sha256(raw).hexdigest().encode()
        for path, raw in whole.items()
        if ".data/" not in path
    }
    content = digests_of(hexes, info.encode()).content
    assert content is not None
    raw = zipped({**whole, f"{info}/RECORD": record})
    return Wheel(name, version, f"{stem}-{version}-py3-none-any.whl", raw, content)


def packaged(each: Wheel, **changes: object) -> Package:
    return made.package(each.name, each.version, **{"content": each.content, **changes})


def artifact(each: Wheel, **changes: object) -> Artifact:
    """The wheel as a lock names it where no index has it."""
    known: dict[str, object] = {
        "sha256": each.sha256, "size": len(each.raw), "url": None, "how": "made",
        "content": each.content, **changes,
    }  # fmt: skip
    return made.artifact(each.name, each.version, each.filename, **known)


def manifest(*wheels: Wheel, packages: tuple[Package, ...] = (), **changes: object) -> Manifest:
    """The manifest of an environment of these wheels, locked."""
    return made.manifest(
        tuple(packaged(each) for each in wheels) + packages,
        tuple(sorted((artifact(each, **changes) for each in wheels), key=lambda each: each.name)),
        python=PYTHON,
    )


def wheelhouse(folder: Path, of: Manifest, *wheels: Wheel) -> Path:
    """A wheelhouse with these files."""
    folder.mkdir()
    for each in wheels:
        (folder / each.filename).write_bytes(each.raw)
    files = tuple(
        Stored(
            each.name, each.version, each.filename, each.sha256, len(each.raw), "made", each.content
        )
        for each in wheels
    )
    write_list(Wheelhouse(str(folder), str(environment_id(of)), files))
    return folder
