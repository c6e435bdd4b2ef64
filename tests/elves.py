"""ELF files put together byte by byte: of any processor, and broken where a test wants it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from envsnap.host import Binary

BASE = 0x10000
"""Where the file's first byte is mapped, so that no address is an offset by chance."""
X86_64, AARCH64, S390, PPC64, ARM = 62, 183, 22, 21, 40


class Writer:
    """Appends parts, and knows where each one lies."""

    def __init__(self, bits: int, order: str) -> None:
        self.bits, self.order = bits, order
        self.strings = bytearray(b"\0")
        self.data = bytearray()

    def pack(self, layout: str, *numbers: int) -> bytes:
        return struct.pack(self.order + layout, *numbers)

    def word(self, *numbers: int) -> bytes:
        return self.pack(("Q" if self.bits == 64 else "I") * len(numbers), *numbers)

    def put(self, part: bytes) -> int:
        self.data += b"\0" * (-len(self.data) % 8)
        self.data += part
        return len(self.data) - len(part)

    def name(self, text: str) -> int:
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text.encode()) - 1


def elf(  # noqa: PLR0913 - each is one thing that a file can say
    *,
    bits: int = 64,
    order: str = "<",
    machine: int = X86_64,
    soname: str | None = None,
    needed: Sequence[str] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    interpreter: str | None = None,
    versions: Mapping[str, Sequence[str]] | None = None,
    defines: Sequence[str] = (),
    asks: Sequence[str] = (),
    sections: Mapping[str, tuple[int, bytes]] | None = None,
    notes: bytes = b"",
) -> bytes:
    """A library or, with an interpreter, a program."""
    out = Writer(bits, order)
    out.put(b"\0" * (64 + 56 * 5))
    tags = [(1, out.name(each)) for each in needed]
    for tag, text in ((14, soname), (15, rpath), (29, runpath)):
        tags += [(tag, out.name(text))] if text is not None else []
    tags += _symbols(out, defines, asks) + _versions(out, versions or {})
    tags += [(5, BASE + out.put(bytes(out.strings))), (10, len(out.strings)), (0, 0)]
    dynamic = b"".join(out.word(*each) for each in tags)
    segments = [(2, out.put(dynamic), len(dynamic))]
    for kind, raw in ((3, interpreter and interpreter.encode() + b"\0"), (4, notes)):
        segments += [(kind, out.put(raw), len(raw))] if raw else []
    table, count = _sections(out, sections or {})
    segments.append((1, 0, len(out.data)))
    head = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + b"\0" * 9
    head += out.pack("HHI", 3, machine, 1) + out.word(0, 64, table)
    sizes = (
        (64, 56, len(segments), 64, count, 0)
        if bits == 64
        else (52, 32, len(segments), 40, count, 0)
    )
    head += out.pack("IHHHHHH", 0, *sizes)
    out.data[: len(head)] = head
    rows = b"".join(_segment(out, *each) for each in segments)
    out.data[64 : 64 + len(rows)] = rows
    return bytes(out.data)


def _segment(out: Writer, kind: int, offset: int, size: int) -> bytes:
    if out.bits == 64:
        return out.pack("IIQQQQQQ", kind, 4, offset, BASE + offset, 0, size, size, 4)
    return out.pack("IIIIIIII", kind, offset, BASE + offset, 0, size, size, 4, 4)


def _symbols(out: Writer, defines: Sequence[str], asks: Sequence[str]) -> list[tuple[int, int]]:
    rows = (
        [(0, 0)]
        + [(out.name(each), 0) for each in asks]
        + [(out.name(each), 1) for each in defines]
    )
    layout = "IBBHQQ" if out.bits == 64 else "IIIBBH"
    table = b""
    for name, section in rows:
        fields = (
            (name, 0x12, 0, section, 0, 0) if out.bits == 64 else (name, 0, 0, 0x12, 0, section)
        )
        table += out.pack(layout, *fields)
    wide = out.bits == 64 and (out.order == ">")  # s390x alone, which the tests take for it
    counts = out.pack("QQ" if wide else "II", 1, len(rows))
    return [(6, BASE + out.put(table)), (4, BASE + out.put(counts))]


def _versions(out: Writer, versions: Mapping[str, Sequence[str]]) -> list[tuple[int, int]]:
    raw = b""
    for index, (library, names) in enumerate(versions.items()):
        last = index == len(versions) - 1
        step = 0 if last else 16 + 16 * len(names)
        raw += out.pack("HHIII", 1, len(names), out.name(library), 16, step)
        for at, name in enumerate(names):
            raw += out.pack("IHHII", 0, 0, 2 + at, out.name(name), 16 if at < len(names) - 1 else 0)
    return [(0x6FFFFFFE, BASE + out.put(raw)), (0x6FFFFFFF, len(versions))] if raw else []


def _sections(out: Writer, sections: Mapping[str, tuple[int, bytes]]) -> tuple[int, int]:
    """The table of section headers; the first names all the others."""
    if not sections:
        return 0, 0
    names = b"\0" + b"".join(name.encode() + b"\0" for name in sections)
    layout = "IIQQQQIIQQ" if out.bits == 64 else "IIIIIIIIII"
    table = out.pack(layout, 0, 3, 0, 0, out.put(names), len(names), 0, 0, 1, 0)
    for name, (kind, raw) in sections.items():
        at = names.index(name.encode() + b"\0")
        table += out.pack(layout, at, kind, 0, 0, out.put(raw), len(raw), 0, 0, 1, 0)
    return out.put(table), len(sections) + 1


def note(name: str, content: bytes, *, order: str = "<", kind: int = 1) -> bytes:
    """One note, its name and its content each filled up to four bytes."""
    raw = name.encode() + b"\0"
    head = struct.pack(order + "III", len(raw), len(content), kind)
    return head + _filled(raw) + _filled(content)


def _filled(raw: bytes) -> bytes:
    return raw + b"\0" * (-len(raw) % 4)


def library(**said: Any) -> Binary:  # noqa: ANN401 - by the fields of Binary
    """What a library says that says next to nothing, and what is given here."""
    nothing = Binary(
        machine="x86_64", bits=64, soname=None, needed=(), rpath=(), runpath=(), interpreter=None,
        versions=(), imports=False, sass=(), ptx=(), amd=(), compat=None, texts=(),
    )  # fmt: skip
    return nothing._replace(**said)
