"""Where the files of an image on this machine lie: in a tar archive, or in a folder."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from envsnap._typing import NamedTuple
from envsnap.errors import FileError
from envsnap.images import _tar
from envsnap.images._model import ImageError
from envsnap.images._streams import Feed, Source
from envsnap.images._texts import LARGEST_TEXT

_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 100_000
_NO_LINKS = {"blobs", "blobs/sha256", "index.json", "manifest.json", "oci-layout"}
"""Docker writes links for layers alone; behind another one each engine may find something else."""
_MOST_LINKS = 8


class Stored(NamedTuple):
    """One file of a store, to be read from its start."""

    source: Source
    size: int


class Store(Protocol):
    """Files by name."""

    shown: str

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def size(self, name: str) -> int:
        """Its bytes.

        Raises:
            ImageError: There is none.
        """

    def open(self, name: str) -> Stored:
        """One file; it stays open until the next one is.

        Raises:
            ImageError: There is none, or it is none.
        """

    def close(self) -> None:
        """Close what is open."""


def text(store: Store, name: str) -> bytes:
    """The whole of a small file.

    Raises:
        ImageError: There is none, or it is too large for a text.
    """
    found = store.open(name)
    if found.size > LARGEST_TEXT:
        raise ImageError(f"{name} in {store.shown} is larger than {LARGEST_TEXT >> 20} MiB")
    pieces = []
    while piece := found.source.read(LARGEST_TEXT):
        pieces.append(piece)
    return b"".join(pieces)


def open_file(path: str) -> IO[bytes]:
    """A regular file, opened; no pipe is waited for.

    Raises:
        FileError: There is none, or it cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileError(f"Cannot read {path}: it is no regular file")
    return open(handle, "rb", buffering=0)


class Section:
    """A stretch of an open file."""

    def __init__(self, file: IO[bytes], offset: int, size: int) -> None:
        self._file, self._at, self._left = file, offset, size

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes.

        Raises:
            FileError: The disk fails.
        """
        try:
            piece = os.pread(self._file.fileno(), min(size, self._left), self._at)
        except OSError as error:
            raise FileError(f"Cannot read {self._file.name}: {error.strerror}") from None
        self._at += len(piece)
        self._left -= len(piece)
        return piece


class TarStore:
    """The members of a tar archive, each where it begins."""

    def __init__(self, path: str) -> None:
        """Read every header of the archive, and none of its contents.

        Raises:
            FileError: It cannot be read.
            ImageError: It is no tar archive.
        """
        self.shown = path
        self._file = open_file(path)
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            self._refuse_packed()
            self._index()
        except BaseException:
            self.close()
            raise

    def _refuse_packed(self) -> None:
        head = os.pread(self._file.fileno(), 4, 0)
        if head.startswith(_GZIP) or head == b"\x28\xb5\x2f\xfd":
            program = "gunzip" if head.startswith(_GZIP) else "unzstd"
            raise ImageError(
                f"{self.shown} is compressed as a whole, so nothing in it can be found",
                hint=f"Unpack it first: {program} {self.shown}",
            )

    def _index(self) -> None:
        end = os.fstat(self._file.fileno()).st_size
        feed = _Seeking(self._file, self.shown)
        for member in _tar.members(feed):
            name = posixpath.normpath(os.fsdecode(member.name)).lstrip("/")
            if name in self._places or name in self._links:
                if member.kind == _tar.FOLDER:
                    continue
                raise ImageError(f"{self.shown} holds two files of the name {name[:200]!a}")
            if member.kind == _tar.FILE:
                self._places[name] = (feed.at, member.size)
                feed.at += member.size
                if feed.at > end:
                    raise ImageError(f"{self.shown} is cut short: it ends inside {name[:200]!a}")
            elif member.kind in {_tar.LINK, _tar.HARD_LINK}:
                if name in _NO_LINKS:
                    raise ImageError(f"{self.shown} has a link in the place of {name}")
                above = posixpath.dirname(name) if member.kind == _tar.LINK else ""
                self._links[name] = posixpath.normpath(
                    posixpath.join(above, os.fsdecode(member.link))
                )
            if len(self._places) + len(self._links) > _MOST_MEMBERS:
                raise ImageError(f"{self.shown} holds more files than an image archive does")

    def _place(self, name: str) -> tuple[int, int] | None:
        for _ in range(_MOST_LINKS):
            if name not in self._links:
                break
            name = self._links[name]
        return self._places.get(name)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._place(name) is not None

    def size(self, name: str) -> int:
        """Its bytes."""
        return self._found(name)[1]

    def open(self, name: str) -> Stored:
        """One file."""
        offset, size = self._found(name)
        return Stored(Section(self._file, offset, size), size)

    def _found(self, name: str) -> tuple[int, int]:
        found = self._place(name)
        if found is None:
            raise ImageError(f"{self.shown} has no {name[:200]!a}")
        return found

    def close(self) -> None:
        """Close the archive."""
        self._file.close()


class _Seeking(Feed):
    """Headers of an archive on disk; what lies between them is passed over."""

    def __init__(self, file: IO[bytes], shown: str) -> None:
        super().__init__(file, shown)
        self._file = file
        self.at = 0

    def take(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only where the file ends."""
        piece = os.pread(self._file.fileno(), size, self.at)
        self.at += len(piece)
        return piece

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Nothing: what fills a block is passed over."""
        self.at += size
        yield from ()


class FolderStore:
    """The files of a folder; no link leads out of it."""

    def __init__(self, folder: str) -> None:
        self.shown = folder
        self._root = os.path.realpath(folder)
        self._file: IO[bytes] | None = None

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return os.path.isfile(os.path.join(self._root, name))

    def size(self, name: str) -> int:
        """Its bytes."""
        return self.open(name).size

    def open(self, name: str) -> Stored:
        """One file."""
        self.close()
        path = os.path.realpath(os.path.join(self._root, name))
        if not path.startswith(self._root.rstrip("/") + "/"):
            raise ImageError(f"{name[:200]!a} leads out of {self.shown}")
        if not os.path.isfile(path):
            raise ImageError(f"{self.shown} has no {name[:200]!a}")
        self._file = open_file(path)
        size = os.fstat(self._file.fileno()).st_size
        return Stored(Section(self._file, 0, size), size)

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def closing(store: Store) -> Iterator[Store]:
    """The store, closed where what follows fails."""
    try:
        yield store
    except BaseException:
        store.close()
        raise
