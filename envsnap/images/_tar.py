"""The members of a tar stream that anybody may have written: names, kinds, and their bytes.

The formats of ustar, GNU's long names and POSIX's extended headers, as layers have them. Python's
own module opens more, guesses more, and reads a stream at a third of the speed.

A member that the readers of this world (Go's, GNU's, Python's, libarchive's) take for different
ones is refused: what we say of an image must hold in every engine. Go's rules are those of
archive/tar (reader.go, seen in the copy that Docker uses, of January 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from envsnap._typing import NamedTuple
from envsnap.images._model import ImageError

if TYPE_CHECKING:
    from envsnap.images._streams import Feed

_BLOCK = 512
_LONGEST_NAME = 1 << 16
_LONGEST_HEADER = 1 << 20
_LARGEST = 1 << 50
_POSITIVE = 0x80
"""The first byte of a binary number that is not negative."""
_FULL = 0o77777777777
"""What libarchive writes for a size that octal digits cannot hold; others write 0."""
_MOST_EXTRA = 16
"""How many headers may stand before the one that they are about."""
_ZEROS = bytes(_BLOCK)

FILE, HARD_LINK, LINK, CHAR, BLOCK_DEVICE, FOLDER, PIPE = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_PLAIN = {b"0": FILE, b"\0": FILE, b"7": FILE}
_KINDS = {**_PLAIN, **{each: each for each in (HARD_LINK, LINK, CHAR, BLOCK_DEVICE, FOLDER, PIPE)}}
_LONG_NAME, _LONG_LINK, _EXTENDED, _FOR_ALL = b"L", b"K", b"x", b"g"
_USTAR, _GNU, _STAR = b"ustar\0", b"ustar  \0", b"tar\0"
_GNU_TIMES = (slice(345, 357), slice(357, 369))
"""When a file was read and changed: where ustar has the prefix of a name."""
_NAMES_FOR_ALL = (b"pax_global_header", b"GlobalHead.", b"@PaxHeader")
"""How git, GNU tar and Python call a header for all members."""
_OVERLAY = b".overlay."
_OF_OVERLAY = {b"opaque", b"redirect", b"metacopy", b"whiteout", b"whiteouts"}
"""The attributes by which Linux hides a file of a layer or takes it from another place."""


class Member(NamedTuple):
    """One member, as its header says; the name may lead anywhere."""

    name: bytes
    kind: bytes
    size: int
    mode: int
    owner: tuple[int, int]
    link: bytes


class _More(NamedTuple):
    """What the headers before say of a member, and its own has no room for."""

    kinds: bytes = b""
    """Of the headers so far: of each kind there is one."""
    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None


def members(feed: Feed) -> Iterator[Member]:
    """Each member; whoever asks for the next one has taken all `size` bytes of this from the feed.

    Raises:
        ImageError: It is no tar archive, or cut short.
    """
    more, extra = _More(), 0
    while True:
        head = feed.take(_BLOCK)
        if not head and not extra:
            return  # some writers leave the last blocks out
        if len(head) < _BLOCK:
            raise ImageError(f"{feed.shown} is cut short: a tar header ends early")
        if head == _ZEROS:
            if feed.take(_BLOCK).strip(b"\0"):
                raise _disputed(feed.shown, "it stands behind the end of the archive")
            return
        kind, size = _kind_and_size(head, feed.shown)
        if kind in _KINDS:
            found = _member(head, size, more, feed.shown)
            yield found
            _skip(feed, -found.size % _BLOCK)
            more, extra = _More(), 0
            continue
        extra += 1
        if extra > _MOST_EXTRA or size > _LONGEST_HEADER:
            raise ImageError(f"{feed.shown} has a tar header that is too long")
        raw = feed.take(size)
        _skip(feed, -size % _BLOCK)
        if len(raw) < size:
            raise ImageError(f"{feed.shown} is cut short: a tar header ends early")
        if kind == _FOR_ALL:
            _for_all(head, raw, more, feed.shown)
        else:
            more = _extended(kind, raw, more, feed.shown)


def is_tar(head: bytes) -> bool:
    """Whether a stream's first block is one of a tar archive, an empty one's included."""
    if len(head) < _BLOCK or head == _ZEROS:
        return len(head) == _BLOCK
    digits = head[148:156].strip(b" \0")
    stated = int(digits, 8) if digits and not digits.strip(b"01234567") else -1
    return stated == sum(head[:148]) + 256 + sum(head[156:_BLOCK])


def _kind_and_size(head: bytes, shown: str) -> tuple[bytes, int]:
    stated = _number(head[148:156], shown)
    if stated != sum(head[:148]) + 256 + sum(head[156:]):
        raise ImageError(f"{shown} is no tar archive: the checksum of a header is wrong")
    return head[156:157], _number(head[124:136], shown)


def _disputed(shown: str, why: str) -> ImageError:
    return ImageError(f"{shown} has a tar member that engines read in different ways: {why}")


def _member(head: bytes, size: int, more: _More, shown: str) -> Member:
    name, kind = _text(head[:100]), _KINDS[head[156:157]]
    if prefix := _prefix(head, shown):
        name = prefix + b"/" + name
    name = name if more.name is None else more.name
    link = _text(head[157:257]) if more.link is None else more.link
    if len(name) > _LONGEST_NAME or len(link) > _LONGEST_NAME:
        raise ImageError(f"{shown} has a name of {max(len(name), len(link))} bytes")
    if kind != FOLDER:
        _refuse_no_name(name, shown)
    if kind == FILE and name.endswith(b"/"):
        raise _disputed(shown, f"the file {name[:200]!a} is named as a folder")
    uid = _number(head[108:116], shown) if more.uid is None else more.uid
    gid = _number(head[116:124], shown) if more.gid is None else more.gid
    mode = _number(head[100:108], shown) & 0o7777
    return Member(name, kind, _size(kind, size, more, shown), mode, (uid, gid), link)


def _prefix(head: bytes, shown: str) -> bytes:
    """What stands before the name: in ustar alone, and elsewhere some readers see one, too.

    Go takes GNU's two times for a prefix where they are no numbers, as its own writer once erred.
    """
    if head[257:263] == _USTAR:
        if head.endswith(_STAR):
            raise _disputed(shown, "its header is that of star")
        return _text(head[345:500])
    if head[257:265] != _GNU:
        is_clear = not head[345]
    else:
        is_clear = all(map(_is_number, (head[each] for each in _GNU_TIMES)))
    if not is_clear:
        raise _disputed(shown, "its name has a prefix, and its header no room for one")
    return b""


def _refuse_no_name(name: bytes, shown: str) -> None:
    if not name.replace(b"/", b"").strip(b"."):
        raise _disputed(shown, f"{name[:200]!a} names no file")


def _size(kind: bytes, size: int, more: _More, shown: str) -> int:
    """How many bytes follow the header: some readers pass over those of a link, others do not."""
    stated = size if more.size is None else more.size
    if kind != FILE and (size or stated):
        raise _disputed(shown, f"it is of kind {kind!a} and has a size")
    if size not in {0, stated, _FULL}:
        raise _disputed(shown, f"it is of {size} bytes, and of {stated}")
    return stated


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, shown: str) -> int:
    """Octal digits, or GNU's binary numbers, which begin with a set bit."""
    if field[0] & _POSITIVE:
        found = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] != _POSITIVE or found > _LARGEST:
            raise ImageError(f"{shown} has a number in a tar header that no file needs")
        return found
    if not _is_number(field):
        raise ImageError(f"{shown} is no tar archive: a number in a header is none")
    return int(field.strip(b" \0") or b"0", 8)


def _is_number(field: bytes) -> bool:
    """Whether all readers find one; of zero bytes before the digits some make 0."""
    digits = field.lstrip(b" ").rstrip(b" \0")
    return bool(field[0] & _POSITIVE) or not digits.strip(b"01234567")


def _for_all(head: bytes, raw: bytes, more: _More, shown: str) -> None:
    """Refuse a header for all members that does anything.

    Go forgets what was said of the next member; Docker and containerd first take away what the
    layer has under the header's own name, and then pass over it.
    """
    name = _text(head[:100]).rpartition(b"/")[2]
    if more != _More() or not name.startswith(_NAMES_FOR_ALL):
        raise _disputed(shown, f"a header for all members is called {name!a}, or follows another")
    if _keyed(raw, shown).keys() & {b"path", b"linkpath", b"size"}:
        raise ImageError(f"{shown} has one name for all of its members")


def _extended(kind: bytes, raw: bytes, more: _More, shown: str) -> _More:
    if kind not in {_LONG_NAME, _LONG_LINK, _EXTENDED}:
        raise ImageError(f"{shown} has a tar member of kind {kind!a}, which no layer has")
    if kind in more.kinds:
        raise _disputed(shown, f"it has two headers of kind {kind!a}")
    found = more._replace(kinds=more.kinds + kind)
    if kind == _LONG_NAME:
        return found._replace(name=_one(more.name, _text(raw), shown))
    if kind == _LONG_LINK:
        return found._replace(link=_one(more.link, _text(raw), shown))
    records = _keyed(raw, shown)
    return found._replace(
        name=_one(more.name, records.get(b"path"), shown),
        link=_one(more.link, records.get(b"linkpath"), shown),
        size=_whole(records.get(b"size"), shown),
        uid=_whole(records.get(b"uid"), shown),
        gid=_whole(records.get(b"gid"), shown),
    )


def _one(before: bytes | None, name: bytes | None, shown: str) -> bytes | None:
    """The one name that a member has in its headers; None where they have none."""
    if name is None:
        return before
    if not name:
        raise _disputed(shown, "a name in its headers is empty")
    if b"\0" in name:
        raise ImageError(f"{shown} has a name with a zero byte in it")
    if before not in {None, name}:
        raise _disputed(shown, f"it has two names, {name[:200]!a} and another")
    return name


def _keyed(raw: bytes, shown: str) -> dict[bytes, bytes]:
    """The records of an extended header by their keys."""
    found: dict[bytes, bytes] = {}
    for key, value in _records(raw, shown):
        if key in found and key in {b"path", b"linkpath", b"size"}:
            raise _disputed(shown, f"it has two of {key!a} in one header")
        if key.startswith(b"GNU.sparse."):
            raise ImageError(f"{shown} has a sparse file, which no layer has")
        if key.partition(_OVERLAY)[2] in _OF_OVERLAY:
            raise _disputed(shown, f"it has the attribute {key[:80]!a}")
        found[key] = value
    return found


def _whole(value: bytes | None, shown: str) -> int | None:
    if value is None:
        return None
    if not value.isdigit() or len(value) > len(str(_LARGEST)):
        raise ImageError(f"{shown} has a number in a tar header that is none: {value[:40]!a}")
    return int(value)


def _records(raw: bytes, shown: str) -> Iterator[tuple[bytes, bytes]]:
    """Each `LENGTH KEY=VALUE` of an extended header."""
    at = 0
    while at < len(raw):
        digits, space, _ = raw[at : at + 12].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = raw[at + len(digits) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if at + length > len(raw) or not equals or not value.endswith(b"\n"):
            raise ImageError(f"{shown} has an extended tar header that cannot be read")
        yield key, value[:-1]
        at += length


def _skip(feed: Feed, size: int) -> None:
    for _ in feed.pieces(size):
        pass
