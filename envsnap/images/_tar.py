"""The members of a tar stream that anybody may have written: names, kinds, and their bytes.

The formats of ustar, GNU's long names and POSIX's extended headers, as layers have them. Python's
own module opens more, guesses more, and reads a stream at a third of the speed.
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
_MOST_EXTRA = 16
"""How many headers may stand before the one that they are about."""
_ZEROS = bytes(_BLOCK)

FILE, HARD_LINK, LINK, CHAR, BLOCK_DEVICE, FOLDER, PIPE = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_PLAIN = {b"0": FILE, b"\0": FILE, b"7": FILE}
_KINDS = {**_PLAIN, **{each: each for each in (HARD_LINK, LINK, CHAR, BLOCK_DEVICE, FOLDER, PIPE)}}
_LONG_NAME, _LONG_LINK, _EXTENDED, _FOR_ALL = b"L", b"K", b"x", b"g"


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


def _member(head: bytes, size: int, more: _More, shown: str) -> Member:
    name, kind = _text(head[:100]), _KINDS[head[156:157]]
    if head[257:263] == b"ustar\0" and (prefix := _text(head[345:500])):
        name = prefix + b"/" + name
    name = name if more.name is None else more.name
    link = _text(head[157:257]) if more.link is None else more.link
    size = size if more.size is None else more.size
    if kind == FILE and name.endswith(b"/"):
        kind = FOLDER  # as the first tar wrote them
    if len(name) > _LONGEST_NAME or len(link) > _LONGEST_NAME:
        raise ImageError(f"{shown} has a name of {max(len(name), len(link))} bytes")
    uid = _number(head[108:116], shown) if more.uid is None else more.uid
    gid = _number(head[116:124], shown) if more.gid is None else more.gid
    mode = _number(head[100:108], shown) & 0o7777
    return Member(name, kind, size if kind == FILE else 0, mode, (uid, gid), link)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, shown: str) -> int:
    """Octal digits, or GNU's binary numbers, which begin with a set bit."""
    if field[0] & _POSITIVE:
        found = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] != _POSITIVE or found > _LARGEST:
            raise ImageError(f"{shown} has a number in a tar header that no file needs")
        return found
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise ImageError(f"{shown} is no tar archive: a number in a header is none")
    return int(digits or b"0", 8)


def _extended(kind: bytes, raw: bytes, more: _More, shown: str) -> _More:
    if kind in {_LONG_NAME, _LONG_LINK}:
        text = _text(raw)
        return more._replace(name=text) if kind == _LONG_NAME else more._replace(link=text)
    if kind not in {_EXTENDED, _FOR_ALL}:
        raise ImageError(f"{shown} has a tar member of kind {kind!a}, which no layer has")
    return _stated(kind, dict(_records(raw, shown)), more, shown)


def _stated(kind: bytes, records: dict[bytes, bytes], more: _More, shown: str) -> _More:
    if any(key.startswith(b"GNU.sparse.") for key in records):
        raise ImageError(f"{shown} has a sparse file, which no layer has")
    if kind == _FOR_ALL:
        if records.keys() & {b"path", b"linkpath", b"size"}:
            raise ImageError(f"{shown} has one name for all of its members")
        return more
    found = more
    if b"path" in records:
        found = found._replace(name=_plain(records[b"path"], shown))
    if b"linkpath" in records:
        found = found._replace(link=_plain(records[b"linkpath"], shown))
    return found._replace(
        size=_whole(records.get(b"size"), found.size, shown),
        uid=_whole(records.get(b"uid"), found.uid, shown),
        gid=_whole(records.get(b"gid"), found.gid, shown),
    )


def _whole(value: bytes | None, before: int | None, shown: str) -> int | None:
    if value is None:
        return before
    if not value.isdigit() or len(value) > len(str(_LARGEST)):
        raise ImageError(f"{shown} has a number in a tar header that is none: {value[:40]!a}")
    return int(value)


def _plain(name: bytes, shown: str) -> bytes:
    if b"\0" in name:
        raise ImageError(f"{shown} has a name with a zero byte in it")
    return name


def _records(raw: bytes, shown: str) -> Iterator[tuple[bytes, bytes]]:
    """Each `LENGTH KEY=VALUE` of an extended header."""
    at = 0
    while at < len(raw) and raw[at] != 0:
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
