"""SquashFS 4.0, read as a stranger's: every table bounded, no folder entered twice.

By the public description of the format. Blocks are unpacked by two threads at once.
"""

from __future__ import annotations

import os
import stat
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import IO

from envsnap._typing import NamedTuple
from envsnap.errors import FileError
from envsnap.images._model import ImageError

_SUPER = struct.Struct("<5I6H8Q")
_MAGIC, _MAJOR = 0x73717368, 4
_META = 8192
_HEAD = struct.Struct("<4H2I")
_BASIC_FOLDER, _LONG_FOLDER = struct.Struct("<2I2HI"), struct.Struct("<4I2HI")
_BASIC_FILE, _LONG_FILE = struct.Struct("<4I"), struct.Struct("<3Q4I")
_LINK, _RUN, _NAMED = struct.Struct("<2I"), struct.Struct("<3I"), struct.Struct("<HhHH")
_FRAGMENT = struct.Struct("<QII")
_NO_FRAGMENT = 0xFFFFFFFF
_PLAIN_META, _PLAIN_BLOCK = 0x8000, 1 << 24
_LARGEST_BLOCK = 1 << 20
_MOST_ENTRIES = 4_000_000
_MOST_TABLE = 1 << 22
_LONGEST_PATH = 1 << 14
_LONGEST_LINK = 1 << 16
_SWELLING, _SPARE_BYTES = 200, 1 << 30
_KEPT_FRAGMENTS, _KEPT_META = 16, 4096
_KINDS = (0, stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO,
          stat.S_IFSOCK)  # fmt: skip
_ZLIB, _XZ, _ZSTD = 1, 4, 6
_OTHERS = {2: "lzma", 3: "lzo", 5: "lz4"}


class Inode(NamedTuple):
    """One file or folder, however many names it has."""

    place: int
    """Its reference, which names it."""
    mode: int
    owner: tuple[int, int]
    size: int
    link: bytes
    start: int
    """A file's first block, or where a folder's list stands."""
    offset: int
    """Where in a block: of a folder's list, or of a file's end in its fragment."""
    fragment: int
    blocks: tuple[int, ...]


class _Cursor(NamedTuple):
    """A place among the metadata: of a block, and in it."""

    block: int
    at: int


class Squashfs:
    """A file system in a stretch of an open file."""

    def __init__(self, file: IO[bytes], offset: int, size: int, shown: str) -> None:
        """Read its tables.

        Raises:
            ImageError: It is none, is broken, or is packed by what we cannot unpack.
        """
        self._file, self._offset, self._size, self.shown = file, offset, size, shown
        raw = self._bytes(0, _SUPER.size)
        fields = _SUPER.unpack(raw)
        if fields[0] != _MAGIC or fields[9] != _MAJOR:
            raise ImageError(f"{shown} is no SquashFS 4.0 file system")
        self._block_size = fields[3]
        if not 0 < self._block_size <= _LARGEST_BLOCK or self._block_size != 1 << fields[6]:
            raise self._broken("its block size")
        self._unpack = _unpacker(fields[5], shown)
        self._root, self._inodes, self._folders = fields[11], fields[15], fields[16]
        self._meta: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._left = size * _SWELLING + _SPARE_BYTES
        ids = self._table(fields[13], fields[8], 4)
        self._ids = struct.unpack(f"<{fields[8]}I", ids)
        count = fields[4]
        self._fragments = list(_FRAGMENT.iter_unpack(self._table(fields[17], count, 16)))

    def _broken(self, what: str) -> ImageError:
        return ImageError(f"{self.shown} has a broken file system: {what}")

    def _bytes(self, at: int, size: int) -> bytes:
        if at < 0 or size < 0 or at + size > self._size:
            raise self._broken("a block lies beyond its end")
        try:
            found = os.pread(self._file.fileno(), size, self._offset + at)
        except OSError as error:
            raise FileError(f"Cannot read {self.shown}: {error.strerror}") from None
        if len(found) < size:
            raise self._broken("it is cut short")
        return found

    def _plain(self, raw: bytes, limit: int) -> bytes:
        try:
            return self._unpack(raw, limit)
        except ValueError as error:
            raise self._broken(f"a block does not unpack: {error}") from None

    def _meta_block(self, at: int) -> tuple[bytes, int]:
        """A block of metadata, and where the next one begins."""
        found = self._meta.get(at)
        if found is None:
            (stated,) = struct.unpack("<H", self._bytes(at, 2))
            size = stated & ~_PLAIN_META
            raw = self._bytes(at + 2, size)
            plain = raw if stated & _PLAIN_META else self._plain(raw, _META)
            if not plain or len(plain) > _META:
                raise self._broken("a block of metadata has no size that one has")
            found = self._meta[at] = (plain, at + 2 + size)
            if len(self._meta) > _KEPT_META:
                self._meta.popitem(last=False)
        return found

    def _read(self, cursor: _Cursor, size: int) -> tuple[bytes, _Cursor]:
        block, at = cursor
        pieces = []
        while size:
            plain, following = self._meta_block(block)
            piece = plain[at : at + size]
            if not piece and at > len(plain):
                raise self._broken("a place beyond its block")
            pieces.append(piece)
            size -= len(piece)
            at += len(piece)
            if at >= len(plain) and size:
                block, at = following, 0
        return b"".join(pieces), _Cursor(block, at)

    def _table(self, at: int, count: int, width: int) -> bytes:
        """A table whose blocks stand in a list of places."""
        if count > _MOST_TABLE:
            raise self._broken(f"a table of {count} entries")
        if not count:
            return b""
        blocks = -(-count * width // _META)
        places = struct.unpack(f"<{blocks}Q", self._bytes(at, 8 * blocks))
        table = b"".join(self._meta_block(place)[0] for place in places)
        if len(table) < count * width:
            raise self._broken("a table is cut short")
        return table[: count * width]

    def _inode(self, place: int) -> Inode:
        cursor = _Cursor(self._inodes + (place >> 16), place & 0xFFFF)
        raw, cursor = self._read(cursor, _HEAD.size)
        kind, mode, user, group, _, _ = _HEAD.unpack(raw)
        plain = kind if kind < len(_KINDS) else kind - 7
        if not 0 < plain < len(_KINDS) or max(user, group) >= len(self._ids):
            raise self._broken(f"a file of kind {kind}")
        found = Inode(
            place, _KINDS[plain] | (mode & 0o7777), (self._ids[user], self._ids[group]), 0, b"",
            0, 0, _NO_FRAGMENT, (),
        )  # fmt: skip
        is_long = kind != plain
        if stat.S_ISDIR(found.mode):
            return self._folder_inode(found, cursor, is_long=is_long)
        if stat.S_ISREG(found.mode):
            return self._file_inode(found, cursor, is_long=is_long)
        if stat.S_ISLNK(found.mode):
            raw, cursor = self._read(cursor, _LINK.size)
            size = _LINK.unpack(raw)[1]
            if size > _LONGEST_LINK:
                raise self._broken(f"a link of {size} bytes")
            return found._replace(link=self._read(cursor, size)[0])
        return found

    def _folder_inode(self, found: Inode, cursor: _Cursor, *, is_long: bool) -> Inode:
        form = _LONG_FOLDER if is_long else _BASIC_FOLDER
        fields = form.unpack(self._read(cursor, form.size)[0])
        start, size, offset = fields[2 if is_long else 0], fields[1 if is_long else 2], 0
        offset = fields[5 if is_long else 3]
        return found._replace(start=start, size=max(size - 3, 0), offset=offset)

    def _file_inode(self, found: Inode, cursor: _Cursor, *, is_long: bool) -> Inode:
        form = _LONG_FILE if is_long else _BASIC_FILE
        raw, cursor = self._read(cursor, form.size)
        fields = form.unpack(raw)
        if is_long:
            start, size, _, _, fragment, offset, _ = fields
        else:
            start, fragment, offset, size = fields
        count = size // self._block_size
        if fragment == _NO_FRAGMENT and size % self._block_size:
            count += 1
        if count > (self._left // self._block_size) + 1:
            raise self._broken(f"a file of {size} bytes")
        blocks = struct.unpack(f"<{count}I", self._read(cursor, 4 * count)[0])
        return found._replace(
            start=start, size=size, fragment=fragment, offset=offset, blocks=blocks
        )

    def walk(self) -> Iterator[tuple[str, Inode]]:
        """Every path with its inode, the root first.

        Raises:
            ImageError: A folder stands in itself, or a name is none.
        """
        waiting, entered, known, count = [("/", self._root)], set(), dict[int, Inode](), 0
        while waiting:
            path, place = waiting.pop()
            count += 1
            if count > _MOST_ENTRIES or len(path) > _LONGEST_PATH:
                raise self._broken("more files, or longer paths, than an image has")
            inode = known.get(place)
            if inode is None:
                inode = known[place] = self._inode(place)
            yield path, inode
            if stat.S_ISDIR(inode.mode):
                if place in entered:
                    raise self._broken("a folder stands in two places")
                entered.add(place)
                above = path.rstrip("/")
                waiting += [(f"{above}/{name}", below) for name, below in self._names(inode)]

    def _names(self, folder: Inode) -> Iterator[tuple[str, int]]:
        cursor, left = _Cursor(self._folders + folder.start, folder.offset), folder.size
        seen = set()
        while left > 0:
            raw, cursor = self._read(cursor, _RUN.size)
            count, block, _ = _RUN.unpack(raw)
            left -= _RUN.size
            if count >= 256:  # noqa: PLR2004 - the format's own bound
                raise self._broken("a folder's list")
            for _ in range(count + 1):
                raw, cursor = self._read(cursor, _NAMED.size)
                offset, _, _, size = _NAMED.unpack(raw)
                raw, cursor = self._read(cursor, size + 1)
                left -= _NAMED.size + size + 1
                if raw in {b".", b".."} or b"/" in raw or b"\0" in raw or raw in seen:
                    raise self._broken(f"a file cannot be called {raw[:80]!a} here")
                seen.add(raw)
                yield os.fsdecode(raw), block << 16 | offset
        if left:
            raise self._broken("a folder's list ends elsewhere")

    def content(self, inode: Inode) -> Iterator[bytes]:
        """A regular file's bytes, block by block; from several threads at once if need be.

        Raises:
            ImageError: A block is broken, or the whole swells beyond what is honest.
        """
        with self._lock:
            self._left -= inode.size
            if self._left < 0:
                raise self._broken("it unpacks to more bytes than an honest one does")
        at, left = inode.start, inode.size
        for stated in inode.blocks:
            wanted = min(left, self._block_size)
            size = stated & ~_PLAIN_BLOCK
            if not size:
                plain = bytes(wanted)
            else:
                raw = self._bytes(at, size)
                plain = raw if stated & _PLAIN_BLOCK else self._plain(raw, self._block_size)
                at += size
            if len(plain) != wanted:
                raise self._broken("a block has another size than its file says")
            left -= wanted
            yield plain
        if left:
            yield self._end(inode, left)

    def _end(self, inode: Inode, size: int) -> bytes:
        """The end of a file, which shares its block with the ends of others."""
        with self._lock:
            block = self._kept.get(inode.fragment)
        if block is None:
            if inode.fragment >= len(self._fragments):
                raise self._broken("a file's end is in no fragment")
            at, stated, _ = self._fragments[inode.fragment]
            raw = self._bytes(at, stated & ~_PLAIN_BLOCK)
            block = raw if stated & _PLAIN_BLOCK else self._plain(raw, self._block_size)
            with self._lock:
                self._kept[inode.fragment] = block
                if len(self._kept) > _KEPT_FRAGMENTS:
                    self._kept.popitem(last=False)
        found = block[inode.offset : inode.offset + size]
        if len(found) != size:
            raise self._broken("a file's end is cut short")
        return found


def _unpacker(kind: int, shown: str) -> Callable[[bytes, int], bytes]:
    """What unpacks a block to no more than so many bytes, and raises ValueError where it cannot."""
    if kind == _ZLIB:
        return _zlib
    if kind == _XZ:
        return _xz
    if kind == _ZSTD:
        try:
            import zstandard
        except ImportError:
            raise ImageError(
                f"{shown} is compressed by zstd, and nothing here unpacks that",
                hint="Install it beside envsnap: pip install zstandard",
            ) from None

        def zstd(raw: bytes, limit: int) -> bytes:
            try:
                return zstandard.ZstdDecompressor().decompress(raw, max_output_size=limit)
            except zstandard.ZstdError as error:
                raise ValueError(str(error)) from None

        return zstd
    name = _OTHERS.get(kind, f"number {kind}")
    raise ImageError(
        f"{shown} is compressed by {name}, which nothing here unpacks",
        hint="Build it again: apptainer build --mksquashfs-args '-comp gzip' NEW.sif OLD.sif",
    )


def _zlib(raw: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(raw, limit)
        plain += stream.decompress(stream.unconsumed_tail, 1) if not stream.eof else b""
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not stream.eof or len(plain) > limit:
        message = "it is larger than a block"
        raise ValueError(message)
    return plain


def _xz(raw: bytes, limit: int) -> bytes:
    import lzma

    try:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 28)
        plain = stream.decompress(raw, limit)
        plain += stream.decompress(b"", 1) if not stream.eof else b""
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None
    if not stream.eof or len(plain) > limit:
        message = "it is larger than a block"
        raise ValueError(message)
    return plain
