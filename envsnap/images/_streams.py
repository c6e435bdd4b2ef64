"""Bytes as they come: unpacked, counted, hashed, and read ahead on a second core."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from envsnap.images._model import ImageError, Readable

PIECE = 1 << 20
_SWELLING = 200
"""How many times its own size a layer may unpack to, beyond `_SPARE_BYTES`."""
_SPARE_BYTES = 1 << 30
_AHEAD = 16
_LITTLE = 4096
"""What zstd gets at once: it unpacks to 128 MiB at most."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Source(Protocol):
    """What hands out its bytes in pieces, an empty one at the end."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""


class Checked:
    """Bytes on their way, which must be those that a digest and a size promise.

    An empty digest promises nothing; neither does a size of -1.
    """

    def __init__(self, source: Source, digest: str, size: int, shown: str) -> None:
        self._source, self._digest, self._size, self._shown = source, digest, size, shown
        self._hash = hashlib.sha256()
        self.count = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; at the end the promise is held against what came.

        Raises:
            ImageError: Other bytes came.
        """
        piece = self._source.read(size)
        self.count += len(piece)
        self._hash.update(piece)
        if 0 <= self._size < self.count:
            raise ImageError(f"{self._shown} is longer than the {self._size} bytes it states")
        if not piece:
            self._compare()
        return piece

    @property
    def digest(self) -> str:
        """Of all that was read so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def _compare(self) -> None:
        if self._size >= 0 and self.count != self._size:
            raise ImageError(
                f"{self._shown} ends after {self.count} bytes of the {self._size} it states"
            )
        if self._digest and self.digest != self._digest:
            raise ImageError(f"{self._shown} has other bytes: their digest is {self.digest}")


class Joined:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._rest.read(size)


def unpacked(source: Source, shown: str) -> Source:
    """A layer's plain tar, whatever it is compressed with: told by its first bytes.

    Raises:
        ImageError: It is compressed by something that we cannot unpack here.
    """
    head = b""
    while len(head) < len(_ZSTD) and (piece := source.read(PIECE)):
        head += piece
    whole = Joined(head, source)
    if head.startswith(_GZIP):
        return _Gzip(whole, shown)
    if head.startswith(_ZSTD):
        return _Zstd(whole, shown)
    return whole


class _Bounded:
    """Counts what goes in and what comes out, so that no bomb unpacks."""

    def __init__(self, source: Source, shown: str) -> None:
        self._source, self._shown = source, shown
        self._taken = self._given = 0

    def _next(self) -> bytes:
        piece = self._source.read(PIECE)
        self._taken += len(piece)
        return piece

    def _passed(self, piece: bytes) -> bytes:
        self._given += len(piece)
        if self._given > self._taken * _SWELLING + _SPARE_BYTES:
            raise ImageError(f"{self._shown} unpacks to more bytes than an honest layer does")
        return piece


class _Gzip(_Bounded):
    """The members of a gzip stream, one after the other, as pigz and estargz write them."""

    def __init__(self, source: Source, shown: str) -> None:
        super().__init__(source, shown)
        self._member: zlib._Decompress | None = None
        self._left = b""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes of the plain stream."""
        while True:
            if not self._left:
                self._left = self._next()
            if not self._left:
                return self._rest(size)
            if self._member is None:
                self._left = self._left.lstrip(b"\0")  # what some writers fill the end with
                if not self._left:
                    continue
                self._member = zlib.decompressobj(wbits=31)
            if piece := self._more(self._member, size):
                return self._passed(piece)

    def _rest(self, size: int) -> bytes:
        """What the last member still holds when all was taken; then it must have ended."""
        if self._member is None:
            return b""
        piece = self._more(self._member, size)
        if not piece and self._member is not None:
            raise ImageError(f"{self._shown} is cut short: its gzip stream has no end")
        return self._passed(piece)

    def _more(self, member: zlib._Decompress, size: int) -> bytes:
        try:
            piece = member.decompress(self._left, size)
        except zlib.error as error:
            raise ImageError(f"{self._shown} is no whole gzip stream: {error}") from None
        if member.eof:
            self._left, self._member = member.unused_data, None
        else:
            self._left = member.unconsumed_tail
        return piece


class _Zstd(_Bounded):
    """The frames of a Zstandard stream, unpacked a little at a time."""

    def __init__(self, source: Source, shown: str) -> None:
        super().__init__(source, shown)
        try:
            import zstandard
        except ImportError:
            raise ImageError(
                f"{shown} is compressed by zstd, and nothing here unpacks that",
                hint="Install it beside envsnap: pip install zstandard",
            ) from None
        self._fault = zstandard.ZstdError
        self._whole = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._left = self._ready = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes of the plain stream."""
        while not self._ready:
            if not self._left:
                self._left = memoryview(self._next())
            if not self._left:
                if self._frame is not None:
                    raise ImageError(f"{self._shown} is cut short: its zstd stream has no end")
                return b""
            self._ready = memoryview(self._passed(self._more()))
        piece, self._ready = self._ready[:size], self._ready[size:]
        return bytes(piece)

    def _more(self) -> bytes:
        if self._frame is None:
            self._frame = self._whole.decompressobj()
        piece, self._left = self._left[:_LITTLE], self._left[_LITTLE:]
        try:
            plain = self._frame.decompress(piece)
        except self._fault as error:
            raise ImageError(f"{self._shown} is no whole zstd stream: {error}") from None
        if self._frame.eof:
            self._left = memoryview(self._frame.unused_data + bytes(self._left))
            self._frame = None
        return plain


class Feed:
    """A stream as its reader wants it: exact amounts of it, or all of a stretch in pieces."""

    def __init__(self, source: Readable, shown: str) -> None:
        self._source, self.shown = source, shown
        self._left = memoryview(b"")

    def take(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only where the stream ends."""
        if len(self._left) >= size:
            piece, self._left = self._left[:size], self._left[size:]
            return bytes(piece)
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """So many bytes in pieces; they end early where the stream does."""
        while size:
            if not self._left:
                self._left = memoryview(self._source.read(PIECE))
                if not self._left:
                    return
            piece = self._left[:size]
            self._left = self._left[len(piece) :]
            size -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read to the end, where digests are compared."""
        self._left = memoryview(b"")
        while self._source.read(PIECE):
            pass


@contextmanager
def read_ahead(source: Source) -> Iterator[Readable]:
    """The same bytes, read by a second thread: unpacking there, parsing and hashing here."""
    ready: queue.Queue[bytes | BaseException] = queue.Queue(_AHEAD)
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                piece = source.read(PIECE)
                ready.put(piece)
                if not piece:
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised where the bytes are waited for
            ready.put(error)

    thread = threading.Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    try:
        yield _Ahead(ready)
    finally:
        stop.set()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                ready.get(timeout=0.05)  # makes room, so that a waiting `put` ends
        thread.join()


class _Ahead:
    def __init__(self, ready: queue.Queue[bytes | BaseException]) -> None:
        self._ready, self._left, self._is_over = ready, b"", False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        if not self._left and not self._is_over:
            found = self._ready.get()
            if isinstance(found, BaseException):
                self._is_over = True
                raise found
            self._left, self._is_over = found, not found
        piece, self._left = self._left[:size], self._left[size:]
        return piece
