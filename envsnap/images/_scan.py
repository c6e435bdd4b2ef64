"""One layer, read once: its files hashed, its whiteouts gathered, nothing unpacked.

A layer's own order does not matter to its whiteouts: they are about the layers below alone. Where
engines see it otherwise a path is doubtful.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from envsnap.images import _tar
from envsnap.images._model import (
    LARGEST_CONTENT,
    Entry,
    Found,
    ImageError,
    Kind,
    Readable,
    Scan,
    Want,
)
from envsnap.images._streams import Feed

if TYPE_CHECKING:
    from envsnap.images._tar import Member

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_OF_AUFS = ".wh..wh."
_MOST_FILES = 4_000_000
_MOST_CONTENT = 1 << 30
_HEAD = len(b"#!")


def scan(stream: Readable, index: int, want: Want, shown: str) -> Scan:
    """What one layer holds, read to the end of its stream.

    Raises:
        ImageError: It is no layer, or leads out of the image.
    """
    reading = _Reading(Feed(stream, shown), index, want)
    for member in _tar.members(reading.feed):
        reading.note(member)
    reading.feed.drain()
    return Scan(
        found=reading.found, removed=tuple(reading.removed), emptied=tuple(reading.emptied),
        borrowed=reading.borrowed, doubtful=tuple(dict.fromkeys(reading.doubtful)),
        late=tuple(reading.late),
    )  # fmt: skip


def as_path(name: bytes, shown: str) -> str:
    """The absolute path that a member's name means; the image's root is '/'.

    Raises:
        ImageError: It leads out of the image.
    """
    parts = [each for each in os.fsdecode(name).split("/") if each not in {"", "."}]
    if ".." in parts:
        raise ImageError(f"{shown} has a path that leads out of the image: {name[:200]!a}")
    return "/" + "/".join(parts)


def folders_above(paths: Iterable[str]) -> set[str]:
    """Every folder that a path lies in, the root aside."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


class _Reading:
    """A layer while it is read."""

    def __init__(self, feed: Feed, index: int, want: Want) -> None:
        self.feed, self._index, self._want = feed, index, want
        self.found: dict[str, Found] = {}
        self.removed: list[str] = []
        self.emptied: list[str] = []
        self.borrowed: dict[str, str] = {}
        self.doubtful: list[str] = []
        self.late: list[str] = []
        self._too_late: set[str] = set()
        """Folders that a whiteout came before."""
        self._kept = 0

    def note(self, member: Member) -> None:
        path = as_path(member.name, self.feed.shown)
        folder, _, name = path.rpartition("/")
        if name.startswith(_WHITEOUT):
            self._whiteout(folder, name)
            self._skip(member)
            return
        if len(self.found) > _MOST_FILES:
            raise ImageError(f"{self.feed.shown} holds more files than an honest layer does")
        before = self._kind_at(path)
        self.borrowed.pop(path, None)
        if member.kind == _tar.HARD_LINK:
            self._hard_link(path, as_path(member.link, self.feed.shown))
        elif member.kind == _tar.FILE:
            self.found[path] = self._file(path, member)
        else:
            self.found[path] = Found(self._entry(member), None, path)
        is_other = before not in {None, self._kind_at(path)}
        if is_other or f"/{_WHITEOUT}" in folder:
            self.doubtful.append(path)
        if path in self._too_late:
            self.late.append(path)

    def _kind_at(self, path: str) -> Kind | None:
        """What this layer has at a path so far; a hard link is to a file."""
        if path in self.borrowed:
            return "file"
        found = self.found.get(path)
        return None if found is None else found.entry.kind

    def _whiteout(self, folder: str, name: str) -> None:
        above = folders_above([f"{folder}/{name}"])
        self._too_late.update(each for each in above if each not in self.found)
        if name == _OPAQUE:
            self.emptied.append(folder or "/")
        elif not name.startswith(_OF_AUFS):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise ImageError(f"{self.feed.shown} has a whiteout of no file in {folder!a}")
            self.removed.append(f"{folder}/{hidden}")

    def _hard_link(self, path: str, target: str) -> None:
        """A second name: of what this layer has, else of what one below it has."""
        if (same := self.found.get(target)) is not None:
            self.found[path] = same
        else:
            self.found.pop(path, None)
            self.borrowed[path] = self.borrowed.get(target, target)

    def _file(self, path: str, member: Member) -> Found:
        digest, asked = hashlib.sha256(), self._want(path)
        is_kept = member.size <= LARGEST_CONTENT and asked is True
        watch = None if isinstance(asked, bool) else asked
        pieces, count, head = [], 0, b""
        for piece in self.feed.pieces(member.size):
            if watch is not None:
                watch.piece(bytes(piece), digest)
            digest.update(piece)
            count += len(piece)
            if is_kept:
                pieces.append(bytes(piece))
                self._kept += len(piece)
            elif asked is True and len(head) < _HEAD:
                head += bytes(piece[: _HEAD - len(head)])
        if count < member.size:
            raise ImageError(f"{self.feed.shown} is cut short: it ends inside {path[:200]!a}")
        if self._kept > _MOST_CONTENT:
            raise ImageError(f"{self.feed.shown} has more to read than an honest layer does")
        if watch is not None:
            watch.end(digest.hexdigest())
        entry = self._entry(member)._replace(size=count, sha256=digest.hexdigest(), head=head)
        return Found(entry, b"".join(pieces) if is_kept else None, path)

    def _entry(self, member: Member) -> Entry:
        is_link = member.kind == _tar.LINK
        link = os.fsdecode(member.link) if is_link else ""
        kind = _KIND.get(member.kind, "other")
        return Entry(kind, 0, member.mode, member.owner, link, "", self._index)

    def _skip(self, member: Member) -> None:
        for _ in self.feed.pieces(member.size):
            pass


_KIND: dict[bytes, Kind] = {_tar.FILE: "file", _tar.FOLDER: "folder", _tar.LINK: "link"}
