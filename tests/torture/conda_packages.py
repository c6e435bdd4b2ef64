"""Writes conda packages, `.conda` and `.tar.bz2`, with the standard library alone.

A `.conda` is a zip of two tar files in zstd frames. Blocks that are stored and not shrunk are
zstd too, and any reader takes them, so nothing needs to be installed to write one.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PLACEHOLDER = "/opt/" + "placehold_" * 25
"""The prefix that packages are built in; 255 letters, as conda-build's."""
_BLOCK = 128 * 1024
_TIME = 1700000000


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link inside a package."""

    target: str


@dataclass(frozen=True, kw_only=True)
class Made:
    """A package to write. Its files are by their path below the prefix."""

    name: str
    version: str
    build: str
    files: Mapping[str, bytes | Link]
    subdir: str = "linux-64"
    depends: Sequence[str] = ()
    noarch: str | None = None
    entry_points: Sequence[str] = ()
    suffix: str = ".conda"
    executable: frozenset[str] = field(default_factory=frozenset)
    unlisted: frozenset[str] = field(default_factory=frozenset)
    """Files that paths.json does not name."""
    site_packages: str | None = None
    """Where a Python says that it has its packages."""

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-{self.build}{self.suffix}"


def write(package: Made, channel: str) -> str:
    """The package in its subfolder of the channel; the path of the archive."""
    path = os.path.join(channel, package.subdir, package.filename)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    info, files = _info(package), dict(package.files)
    if package.suffix == ".tar.bz2":
        data = bz2.compress(_tar({**info, **files}, package.executable), 1)
    else:
        data = _conda(package, info, files)
    with open(path, "wb") as file:
        file.write(data)
    return path


def _conda(
    package: Made, info: Mapping[str, bytes | Link], files: Mapping[str, bytes | Link]
) -> bytes:
    stem = package.filename.removesuffix(".conda")
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        archive.writestr(f"pkg-{stem}.tar.zst", _zstd(_tar(files, package.executable)))
        archive.writestr(f"info-{stem}.tar.zst", _zstd(_tar(info, frozenset())))
    return whole.getvalue()


def _info(package: Made) -> dict[str, bytes | Link]:
    index: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": 0,
        "subdir": package.subdir,
        "depends": list(package.depends),
        "license": "BSD-3-Clause",
        "timestamp": _TIME * 1000,
    }
    if package.site_packages is not None:
        index["python_site_packages_path"] = package.site_packages
    if package.noarch:
        index["noarch"] = package.noarch
    else:
        index |= {"arch": "x86_64", "platform": "linux"}
    found: dict[str, bytes | Link] = {
        "info/index.json": _json(index),
        "info/paths.json": _json({"paths": _paths(package), "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in sorted(package.files)).encode(),
        "info/about.json": _json({"summary": f"{package.name}, made for tests"}),
    }
    if package.noarch == "python":
        found["info/link.json"] = _json({
            "noarch": {"type": "python", "entry_points": list(package.entry_points)},
            "package_metadata_version": 1,
        })  # fmt: skip
    return found


def _paths(package: Made) -> list[dict[str, object]]:
    rows = []
    for path, data in sorted(package.files.items()):
        if path in package.unlisted:
            continue
        content = package.files[_target(path, data)] if isinstance(data, Link) else data
        assert isinstance(content, bytes)
        row: dict[str, object] = {
            "_path": path,
            "path_type": "softlink" if isinstance(data, Link) else "hardlink",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_in_bytes": len(content),
        }
        if isinstance(data, bytes) and PLACEHOLDER.encode() in data:
            mode = "binary" if b"\0" in data else "text"
            row |= {"prefix_placeholder": PLACEHOLDER, "file_mode": mode}
        rows.append(row)
    return rows


def _target(path: str, link: Link) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), link.target))


def _json(tree: object) -> bytes:
    return json.dumps(tree, indent=2).encode()


def _tar(files: Mapping[str, bytes | Link], executable: frozenset[str]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.mtime = _TIME
            member.mode = 0o755 if path in executable else 0o644
            if isinstance(data, Link):
                member.type, member.linkname = tarfile.SYMTYPE, data.target
                archive.addfile(member)
            else:
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return whole.getvalue()


def _zstd(data: bytes) -> bytes:
    """A zstd frame (RFC 8878) of stored blocks, with a window of 128 KiB."""
    pieces = [struct.pack("<IBB", 0xFD2FB528, 0, 7 << 3)]
    for start in range(0, max(len(data), 1), _BLOCK):
        block = data[start : start + _BLOCK]
        last = start + _BLOCK >= len(data)
        pieces += [struct.pack("<I", len(block) << 3 | last)[:3], block]
    return b"".join(pieces)
