"""Fat binaries and offload bundles made by hand, and libraries that hold them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

PTX, SASS, LINKABLE = 1, 2, 8
A, F = 0x100000, 0x200000
LZ4, ZSTANDARD = 0x2000, 0x8000
CODE = 1 << 13
"""Bytes of a module that surely has a kernel in it."""


def entry(kind: int, arch: int, *, flags: int = 0, size: int = CODE, more: int = 0) -> bytes:
    """One entry whose module is compressed; `more` bytes of header as newer compilers write.

    One of less than `CODE` bytes says nothing of its own: its content cannot be unpacked.
    """
    return module(kind, arch, b"\xaa" * 8, flags=0x2011 | flags, size=size, more=more)


def module(  # noqa: PLR0913 - a row of the format
    kind: int, arch: int, body: bytes, *, flags: int = 0, size: int = 0, more: int = 0
) -> bytes:
    """One entry and its module, padded to 8 bytes; with `size`, the body is compressed to it."""
    padded = body + bytes(-len(body) % 8)
    head = struct.pack(
        "<HHIQIIHHIIIQQQ",
        kind, 0x101, 64 + more, len(padded), len(body) if size else 0, 64, 8, 1, arch, 0, 0, flags,
        0, size,
    )  # fmt: skip
    return head + bytes(more) + padded


def fatbin(*entries: bytes) -> bytes:
    body = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def bundle(*ids: str, code: bytes = b"\x7fELF code") -> bytes:
    """An offload bundle as clang writes it: the table, then the codes on pages of their own."""
    table = b"__CLANG_OFFLOAD_BUNDLE__" + struct.pack("<Q", len(ids))
    for place, name in enumerate(ids, start=1):
        size = 0 if name.startswith("host") else len(code)
        table += struct.pack("<QQQ", 4096 * place, size, len(name)) + name.encode()
    return table.ljust(4096, b"\0") + b"".join(code.ljust(4096, b"\0") for _ in ids)


def packed(body: bytes, *, version: int = 2, method: int = 0) -> bytes:
    """A compressed bundle of this body; method 0 is zlib, 1 is Zstandard."""
    sizes = {1: "<4sHHIQ", 2: "<4sHHIIQ", 3: "<4sHHQQQ"}
    numbers = [4096, 1] if version == 1 else [len(body) + 24, 4096, 1]
    return struct.pack(sizes[version], b"CCOB", version, method, *numbers) + body


def library(
    sections: Iterable[tuple[str, bytes]], *, flags: int = 2, stripped: bool = False, named: int = 1
) -> bytes:
    """A 64-bit library of these sections, all of it mapped by one segment.

    Each has a section header `named` times, as only a hostile one has.
    """
    names, at = b"\0", 64 + 56
    rows, data = [], b""
    for name, content in sections:
        rows.append((len(names), 1, flags, at + len(data), len(content)))
        names += name.encode() + b"\0"
        data += content + bytes(-len(content) % 8)
    rows *= named
    rows.append((len(names), 3, 0, at + len(data), len(names) + len(".shstrtab") + 1))
    names += b".shstrtab\0"
    table_at = at + len(data) + len(names)
    table = bytes(64) + b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, flag, start, start, size, 0, 0, 8, 0)
        for name, kind, flag, start, size in rows
    )
    whole = table_at + len(table)
    counts = (0, 0) if stripped else (len(rows) + 1, len(rows))
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0 if stripped else table_at, 0, 64, 56, 1, 64, *counts
    )
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, whole, whole, 4096)
    return header + load + data + names + table
