"""A SIF file as an image: its data objects, and the file system of its partition."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from envsnap._typing import NamedTuple
from envsnap.images._base import LayeredImage, layer_words
from envsnap.images._manifest import MANIFEST, OBJECT
from envsnap.images._model import (
    LARGEST_CONTENT,
    Config,
    Entry,
    Found,
    ImageError,
    Kind,
    Layer,
    Listen,
    Readable,
    Scan,
    Want,
    Watch,
)
from envsnap.images._sif import DEFINITION, JSON, PARTITION, SQUASHFS, Object, Sif
from envsnap.images._squashfs import Inode, Squashfs
from envsnap.images._texts import Text, environ_of, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_MEDIA_TYPE = "application/vnd.sylabs.sif.layer.v1.sif"
_MOST_CONTENT = 1 << 30
_AHEAD = 2
"""Files that are hashed at once."""
_MACHINES = {b"01": "386", b"02": "amd64", b"03": "arm", b"04": "arm64", b"05": "ppc64",
             b"06": "ppc64le", b"11": "s390x", b"12": "riscv64"}  # fmt: skip


class SifImage(LayeredImage):
    """One SIF file. Its digest would cost reading all of it, so it has none here."""

    is_sif = True
    budget: int | None = None

    def __init__(self, path: str) -> None:
        """Read its header and its small objects.

        Raises:
            FileError: It cannot be read.
            ImageError: It is no SIF file.
        """
        self.reference, self.digest = path, ""
        self._sif = Sif(path)
        try:
            self.config = self._config()
        except BaseException:
            self._sif.close()
            raise
        size = sum(each.size for each in self._sif.objects if each.is_system)
        self.layers: tuple[Layer, ...] = (Layer("", size, _MEDIA_TYPE),)
        others = (each for each in self._sif.objects if each.kind == PARTITION)
        self.overlays = tuple(
            each.name or f"object {each.id}" for each in others if not each.is_system
        )

    def _config(self) -> Config:
        inspected = self._json("inspect-metadata.json").below("data").below("attributes")
        engine = self._json("oci-config.json")
        definition = self._first(DEFINITION, "")
        text = self._sif.bytes_of(definition).decode("utf-8", "replace") if definition else ""
        machine = self._sif.header[3]
        known = _MACHINES.get(machine.rstrip(b"\0"), "") if isinstance(machine, bytes) else ""
        return Config(
            platform=f"linux/{known}" if known else "", created="",
            labels=inspected.pairs("labels"), user="",
            environ=environ_of(engine.strings("Env"), engine.shown),
            history=(text,) if text else (), diff_ids=(),
        )  # fmt: skip

    def _first(self, kind: int, name: str) -> Object | None:
        for each in self._sif.objects:
            if each.kind == kind and (not name or each.name == name):
                return each
        return None

    def _json(self, name: str) -> Text:
        found = self._first(JSON, name)
        if found is None:
            return Text({}, name)
        return parse(self._sif.bytes_of(found), f"{name} in {self.reference}")

    def open_layer(self, index: int) -> AbstractContextManager[Readable]:
        """A SIF file has no layer that is a tar archive.

        Raises:
            ImageError: Always.
        """
        raise ImageError(f"{self.reference} has no layer {index + 1}: a SIF file has none")

    def small_file(self, path: str) -> bytes | None:
        """The data object that stands for the manifest; else the file in the partition."""
        if path == MANIFEST and (found := self._first(JSON, OBJECT)) is not None:
            return self._sif.bytes_of(found)
        scan = dict(self._scanned(path.__eq__, is_hashed=path.__eq__))
        return scan[path].content if path in scan else None

    def scans(self, want: Want, listen: Listen) -> Iterator[tuple[int, Scan]]:
        """What its partition holds."""
        listen(f"Reading {self.reference}, {layer_words(self.layers[0].size)}")
        found = dict(self._scanned(want, is_hashed=_always))
        yield 0, Scan(found=found, removed=(), emptied=(), borrowed={}, doubtful=())

    def _scanned(self, want: Want, *, is_hashed: Want) -> Iterator[tuple[str, Found]]:
        system = self._squashfs()
        done: dict[int, Future[_Read]] = {}
        pool = ThreadPoolExecutor(_AHEAD)
        try:
            paths = [(path, node) for path, node in system.walk() if path != "/"]
            for path, node in paths:
                if stat.S_ISREG(node.mode) and is_hashed(path):
                    asked = want(path)
                    if asked is True and node.size > LARGEST_CONTENT:
                        asked = False
                    if node.place not in done or asked is not False:
                        done[node.place] = pool.submit(_read, system, node, asked=asked)
            kept = 0
            for path, node in paths:
                read = done[node.place].result() if node.place in done else _Read("", None)
                content = read.content if want(path) is True else None
                kept += len(content or b"")
                if kept > _MOST_CONTENT:
                    raise ImageError(f"{self.reference} has more to read than an honest image")
                yield path, Found(_entry(node, read.sha256), content, path)
        finally:
            pool.shutdown(cancel_futures=True)

    def _squashfs(self) -> Squashfs:
        systems = [each for each in self._sif.objects if each.is_system]
        if len(systems) != 1:
            raise ImageError(f"{self.reference} has {len(systems)} file systems to start from")
        if systems[0].partition[0] != SQUASHFS:
            raise ImageError(f"The file system of {self.reference} is encrypted, or no SquashFS")
        return Squashfs(self._sif.file, systems[0].offset, systems[0].size, self.reference)

    def close(self) -> None:
        """Close the file."""
        self._sif.close()


class _Read(NamedTuple):
    sha256: str
    content: bytes | None


def _read(system: Squashfs, node: Inode, *, asked: bool | Watch) -> _Read:
    digest, pieces = hashlib.sha256(), []
    watch = None if isinstance(asked, bool) else asked
    for piece in system.content(node):
        if watch is not None:
            watch.piece(piece, digest)
        digest.update(piece)
        if asked is True:
            pieces.append(piece)
    if watch is not None:
        watch.end(digest.hexdigest())
    return _Read(digest.hexdigest(), b"".join(pieces) if asked is True else None)


def _entry(node: Inode, sha256: str) -> Entry:
    kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(node.mode), "other")
    size = node.size if kind == "file" else 0
    mode = stat.S_IMODE(node.mode)
    return Entry(kind, size, mode, node.owner, os.fsdecode(node.link), sha256, 0)


def _always(_: str) -> bool:
    return True
