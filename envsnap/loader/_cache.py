"""/etc/ld.so.cache: which file ldconfig found for each name, of both its formats. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple

_OLD = b"ld.so-1.7.0"
_NEW = b"glibc-ld.so.cache1.1"
_OLD_HEAD_BYTES = 16  # the magic, filled up to twelve, and how many entries
_OLD_ENTRY_BYTES = 12
_NEW_HEAD_BYTES = 48
_NEW_ENTRY_BYTES = 24
_MOST = 200_000
_LONGEST = 4096
_EXTENSION = 0xEAA42174
_MOST_PARTS = 16
_HWCAPS_PART = 1
_NAMED = 1 << 62
"""A level's number stands in an entry's hwcap."""
_TLS = 1 << 63
"""The only capability of the older kind that every processor has."""
_FLAGS = {
    "x86_64": 0x0303, "i386": 0x0003, "aarch64": 0x0A03, "ppc64le": 0x0503, "ppc64": 0x0503,
    "s390x": 0x0403, "armv7l": 0x0903, "riscv64": 0x1003,
}  # fmt: skip
"""What ldconfig marks libraries of a machine with; others are told apart by their files."""

Entry = tuple[int, int, int, int]
"""Flags, where name and path begin, and what the processor must have."""


class Cached(NamedTuple):
    """One line of the cache."""

    path: str
    level: str | None
    """The folder of glibc-hwcaps that it is from, as x86-64-v3; None for the plain one."""


Cache = Mapping[str, Sequence[Cached]]


def parse_cache(raw: bytes, machine: str) -> Cache:
    """The files by name, in the cache's order; those of other machines are left out.

    A broken cache holds what could be read of it, as to the linker itself it is none.
    """
    found: dict[str, list[Cached]] = {}
    try:
        start = _new_start(raw)
        lines = _old_lines(raw) if start is None else _new_lines(raw[start:])
        wanted = _FLAGS.get(machine)
        for flags, name, line in lines:
            if wanted is None or flags == wanted:
                found.setdefault(name, []).append(line)
    except (struct.error, ValueError):
        return found
    return found


def _new_start(raw: bytes) -> int | None:
    """Where the newer format begins: at once, or behind the older one; None where it does not."""
    if raw.startswith(_NEW):
        return 0
    if not raw.startswith(_OLD):
        raise ValueError("no cache")
    (count,) = struct.unpack_from("<I", raw, 12)
    start = (_OLD_HEAD_BYTES + count * _OLD_ENTRY_BYTES + 7) & ~7
    return start if raw[start : start + len(_NEW)] == _NEW else None


def _old_lines(raw: bytes) -> Iterator[tuple[int, str, Cached]]:
    (count,) = struct.unpack_from("<I", raw, 12)
    texts = _OLD_HEAD_BYTES + count * _OLD_ENTRY_BYTES
    for at in range(min(count, _MOST)):
        entry = struct.unpack_from("<iII", raw, _OLD_HEAD_BYTES + at * _OLD_ENTRY_BYTES)
        flags, name, path = entry
        yield flags, _text(raw, texts + name), Cached(_text(raw, texts + path), None)


def _new_lines(raw: bytes) -> Iterator[tuple[int, str, Cached]]:
    # The byte behind the two lengths says the byte order: 2 is little, 3 big, 0 the machine's own.
    order = ">" if raw[28:29] == b"\3" else "<"
    count, _, _, extension = struct.unpack_from(order + "II4sI", raw, len(_NEW))
    levels = _levels(raw, extension, order) if extension else ()
    for at in range(min(count, _MOST)):
        where = _NEW_HEAD_BYTES + at * _NEW_ENTRY_BYTES
        flags, name, path, _, needs = struct.unpack_from(order + "iIIIQ", raw, where)
        level = None
        if needs & _NAMED:
            number = needs & 0xFFFFFFFF
            if number >= len(levels):
                continue
            level = levels[number]
        elif needs & ~_TLS:
            continue  # of a processor's kind that newer linkers no longer ask for
        yield flags, _text(raw, name), Cached(_text(raw, path), level)


def _levels(raw: bytes, start: int, order: str) -> Sequence[str]:
    """The names of the processors' levels, by their numbers."""
    magic, parts = struct.unpack_from(order + "II", raw, start)
    if magic != _EXTENSION:
        return ()
    for at in range(min(parts, _MOST_PARTS)):
        tag, _, offset, size = struct.unpack_from(order + "IIII", raw, start + 8 + at * 16)
        if tag == _HWCAPS_PART:
            count = min(size // 4, _MOST_PARTS)
            return [
                _text(raw, each) for each in struct.unpack_from(f"{order}{count}I", raw, offset)
            ]
    return ()


def _text(raw: bytes, start: int) -> str:
    end = raw.find(b"\0", start, start + _LONGEST)
    if end < 0:
        raise ValueError("a text that does not end")
    return raw[start:end].decode("utf-8", "surrogateescape")
