"""A SquashFS and a SIF file made by hand, with nothing but the format's own fields."""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

BLOCK = 1 << 17
LOG = 17
NO_FRAGMENT = 0xFFFFFFFF


class Node(NamedTuple):
    """A file (bytes), a link (text) or a folder (a dictionary)."""

    content: bytes | str | dict[str, Node]


class Tables:
    """What is written before the whole is put together."""

    def __init__(self) -> None:
        self.data = bytearray(96)
        self.inodes = bytearray()
        self.folders = bytearray()
        self.count = 0


def head(tables: Tables, kind: int, mode: int) -> bytes:
    tables.count += 1
    return struct.pack("<4H2I", kind, mode, 0, 0, 0, tables.count)


def add(tables: Tables, node: Node, names: dict[str, str]) -> int:
    """The place of the node's inode in its table."""
    content = node.content
    if isinstance(content, bytes):
        start, sizes = len(tables.data), b""
        for at in range(0, len(content), BLOCK):
            raw = zlib.compress(content[at : at + BLOCK])
            tables.data += raw
            sizes += struct.pack("<I", len(raw))
        place = len(tables.inodes)
        tables.inodes += head(tables, 2, 0o644)
        tables.inodes += struct.pack("<4I", start, NO_FRAGMENT, 0, len(content)) + sizes
        return place
    if isinstance(content, str):
        place = len(tables.inodes)
        tables.inodes += head(tables, 3, 0o777)
        tables.inodes += struct.pack("<2I", 1, len(content)) + content.encode()
        return place
    below = [(names.get(name, name), add(tables, each, names), each) for name, each in
             content.items()]  # fmt: skip
    start, size = len(tables.folders), 3
    if below:
        listed = struct.pack("<3I", len(below) - 1, 0, 1)
        for name, inode, each in below:
            kind = (
                2 if isinstance(each.content, bytes) else 3 if isinstance(each.content, str) else 1
            )
            raw = name.encode()
            listed += struct.pack("<HhHH", inode, 0, kind, len(raw) - 1) + raw
        tables.folders += listed
        size += len(listed)
    place = len(tables.inodes)
    tables.inodes += head(tables, 1, 0o755)
    tables.inodes += struct.pack("<2I2HI", 0, 2, size, start, 0)
    return place


def meta(raw: bytes) -> bytes:
    assert len(raw) <= 8192
    return struct.pack("<H", 0x8000 | len(raw)) + raw


def squashfs(root: Node, *, names: dict[str, str] | None = None, compressor: int = 1) -> bytes:
    """A file system of one small block of metadata; `names` replaces some, as a liar would."""
    tables = Tables()
    place = add(tables, root, names or {})
    whole = bytes(tables.data)
    inodes = len(whole)
    whole += meta(bytes(tables.inodes))
    folders = len(whole)
    whole += meta(bytes(tables.folders))
    ids_block = len(whole)
    whole += meta(struct.pack("<I", 0))
    ids = len(whole)
    whole += struct.pack("<Q", ids_block)
    absent = 0xFFFFFFFFFFFFFFFF
    fields = struct.pack(
        "<5I6H8Q", 0x73717368, tables.count, 0, BLOCK, 0, compressor, LOG, 0, 1, 4, 0, place,
        len(whole), ids, absent, inodes, folders, absent, absent,
    )  # fmt: skip
    return fields + whole[96:]


def sif(system: bytes, *, slots: int = 4) -> bytes:
    """A SIF file with this system partition."""
    start = 4096 + 585 * slots
    described = struct.pack(
        "<iBIIIqqqqqqq128s384s", 0x4004, 1, 1, 0xF0000001, 0, start, len(system), len(system),
        0, 0, 0, 0, b"", struct.pack("<ii4s", 1, 2, b"02\0"),
    )  # fmt: skip
    header = struct.pack(
        "<32s10s3s3s16sqqqqqqqq", b"#!/usr/bin/env run-singularity\n", b"SIF_MAGIC\0", b"01\0",
        b"02\0", bytes(16), 0, 0, slots - 1, slots, 4096, 585 * slots, start, len(system),
    )  # fmt: skip
    return header.ljust(4096, b"\0") + described + bytes(585 * (slots - 1)) + system
