"""The bytes of an image's files from where they first name their environment's folder.

Which text stood there before is known when all layers were read: only then can be told what such a
file was in its archive. What comes before that place is in the hash that is kept, not on the disk.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from envsnap._typing import NamedTuple
from envsnap.proof._original import MARKS, OriginalError, begun, original

if TYPE_CHECKING:
    from typing import IO

    from envsnap.images._model import Hash, Watch
    from envsnap.inside.conda_files import Placed

_MOST_BYTES = 8 << 30
"""On the disk, of one image."""
_PIECE = 1 << 20
_LONGEST_MARK = max(map(len, MARKS)) - 1


class _Rest(NamedTuple):
    """A file's bytes from a place on."""

    before: Hash
    """Of all bytes before it."""
    places: Sequence[tuple[int, int]]
    """Where they are kept, and how many in one go."""


class Held:
    """What is kept of the files below some folders, until it is asked for."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = tuple(folders)
        self._rests: dict[tuple[str, str], _Rest] = {}
        self._lost: set[tuple[str, str]] = set()
        self._marked: set[tuple[str, str]] = set()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._lock = threading.Lock()  # of a SIF, two files are read at once

    def watch(self, path: str) -> Watch | None:
        """Who is to see a file pass; None for what lies below none of the folders."""
        folder = next((each for each in self._folders if path.startswith(f"{each}/")), None)
        return None if folder is None else _Watching(self, folder)

    def original(self, folder: str, sha256: str, each: Placed) -> str | None:
        """The hash that a file with this one has in its archive; None where that is not known.

        It is not, where the file still has a folder in it that packages are built in: nobody can
        tell whether an installer left that there.

        Raises:
            OriginalError: No installer left the file so.
        """
        if (folder, sha256) in self._lost:
            return None
        rest = self._rests.get((folder, sha256))
        if rest is None:
            raise OriginalError  # an installer would have written the folder into it
        if (folder, sha256) in self._marked:
            return None
        is_text = each.mode == "text"
        return original(self._read(rest), rest.before, folder, each.placeholder, is_text=is_text)

    def close(self) -> None:
        """Give the room on the disk back."""
        if self._file is not None:
            self._file.close()

    def _read(self, rest: _Rest) -> Iterator[bytes]:
        for start, size in rest.places:
            for at in range(start, start + size, _PIECE):
                if self._file is not None:
                    self._file.seek(at)
                    yield self._file.read(min(_PIECE, start + size - at))

    def add(self, piece: bytes) -> tuple[int, int] | None:
        """Keep some bytes; None where there is no room for them."""
        with self._lock:
            if self._size + len(piece) > _MOST_BYTES:
                return None
            try:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(prefix="envsnap-")  # noqa: SIM115 - `close`
                self._file.seek(self._size)
                self._file.write(piece)
            except OSError:
                return None
            start, self._size = self._size, self._size + len(piece)
            return start, len(piece)

    def done(self, folder: str, sha256: str, rest: _Rest | None, *, is_marked: bool) -> None:
        """A file was read; None for its rest where that could not be kept."""
        with self._lock:
            if is_marked:
                self._marked.add((folder, sha256))
            if rest is None:
                self._lost.add((folder, sha256))
            else:
                self._rests[folder, sha256] = rest


class _Watching:
    """One file on its way."""

    __slots__ = (
        "_before", "_begun", "_folder", "_held", "_is_lost", "_is_marked", "_last",
        "_needle", "_places",
    )  # fmt: skip

    def __init__(self, held: Held, folder: str) -> None:
        self._held, self._folder = held, folder
        self._needle = folder.encode("utf-8", "surrogateescape")
        self._begun = b""  # the end of the last piece, which may be the folder's beginning
        self._before: Hash | None = None
        self._places: list[tuple[int, int]] = []
        self._is_lost = self._is_marked = False
        self._last = b""  # the end of the last piece, which may be a mark's beginning

    def piece(self, piece: bytes, before: Hash) -> None:
        """Look for the folder; from there on, keep all."""
        if not self._is_marked:
            joined = self._last + piece
            self._is_marked = any(mark in joined for mark in MARKS)
            self._last = joined[-_LONGEST_MARK:]
        if self._before is not None and not self._begun:
            self._keep(piece)
            return
        known = before if self._before is None else self._before
        whole = self._begun + piece
        start = whole.find(self._needle)
        count = begun(whole, self._needle) if start < 0 else 0
        self._before, self._begun = None, b""
        if start >= 0 or count:
            at = start if start >= 0 else len(whole) - count
            self._before = known.copy()
            self._before.update(whole[:at])
            self._begun = whole[at:] if count else b""
            if not count:
                self._keep(whole[at:])

    def end(self, sha256: str) -> None:
        """Tell what was kept; nothing where the folder was not in it."""
        if self._is_lost:
            self._held.done(self._folder, sha256, None, is_marked=self._is_marked)
        elif self._before is not None and not self._begun:
            rest = _Rest(self._before, tuple(self._places))
            self._held.done(self._folder, sha256, rest, is_marked=self._is_marked)

    def _keep(self, piece: bytes) -> None:
        place = None if self._is_lost else self._held.add(piece)
        if place is None:
            self._is_lost = True
        else:
            self._places.append(place)
