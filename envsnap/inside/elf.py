"""What an ELF file says of itself: how it is linked, and where its parts lie.

The tables that the dynamic linker reads are found by the program headers, as it finds them:
section headers are often stripped, and nothing but names is taken from them. The file may be
anybody's: every offset and count is held against its size and a bound, so that a hostile one costs
neither memory nor time. Little-endian and big-endian, 32 and 64 bit.

Layout: the gABI (System V Application Binary Interface, chapters 4 and 5) and, for symbol versions
and GNU_HASH, the Linux Standard Base. Syntax for Python 3.6 and newer, standard library only.
"""

import struct
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator
    from typing import Union

    Data = Union[bytes, mmap.mmap]
    """Bytes, or a file that is mapped; a slice of it is bytes."""

MAGIC = b"\x7fELF"
_MACHINES = {
    8: "mips64", 21: "ppc64", 22: "s390x", 43: "sparc64", 50: "ia64", 62: "x86_64",
    183: "aarch64", 243: "riscv64", 258: "loongarch64",
}  # fmt: skip
_NARROW_MACHINES = {
    3: "i686", 8: "mips", 20: "ppc", 22: "s390", 40: "arm", 62: "x86_64", 183: "aarch64",
    243: "riscv32", 258: "loongarch32",
}  # fmt: skip
_HEADERS = {32: "HHIIIIIHHHHHH", 64: "HHIQQQIHHHHHH"}
_SECTIONS = {32: "IIIIIIIIII", 64: "IIQQQQIIQQ"}
_ENTRIES = {32: "iI", 64: "qQ"}
_SYMBOLS = {32: "IIIBBH", 64: "IBBHQQ"}
_LOADED = {2, 3}  # programs, and what is mapped at any address
_WIDE = 2  # the class of a file of 64 bits
_MANY = 0xFFFF  # in a header's 16 bits: the count stands in the first section header

LOAD, DYNAMIC, INTERPRETER, NOTE = 1, 2, 3, 4
NOTES, NOTHING, DYNAMIC_SYMBOLS = 7, 8, 11
_NEEDED, _HASH, _STRINGS, _SYMBOL_TABLE, _STRINGS_SIZE = 1, 4, 5, 6, 10
_SONAME, _RPATH, _RUNPATH = 14, 15, 29
_GNU_HASH, _VERSIONS, _VERSIONS_COUNT = 0x6FFFFEF5, 0x6FFFFFFE, 0x6FFFFFFF

MOST_HEADERS = 1 << 16
"""So many sections or entries are read; the largest known library has some hundreds."""
MOST_SEGMENTS = 4096
MOST_NAMES = 4096
"""So many libraries or versions are asked for at most."""
MOST_SYMBOLS = 1 << 20
LONGEST_NAME = 4096
LONGEST_SECTION_NAME = 256
MOST_NOTES = 64
LONGEST_NOTES = 1 << 16
"""Bytes of one part with notes that are looked at."""


class ElfError(ValueError):
    """The bytes are a broken ELF file; the text says where."""


class RefusedError(ElfError):
    """They are none that the linker loads: it refuses the file for this, too."""


class TooMuchError(ElfError):
    """They say more than is read here, though nothing in them may be broken."""


class Section(NamedTuple):
    """A named part of the file; one of kind `NOTHING` takes no room in it."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int


class Segment(NamedTuple):
    """A part of the file that is mapped, or that the kernel or the linker reads."""

    kind: int
    offset: int
    address: int
    size: int


class Elf:
    """One file's headers, read; its tables are read when they are asked for."""

    def __init__(self, data: "Data") -> None:
        """Read the header and the program headers.

        Raises:
            RefusedError: It is no ELF file, or none that can be loaded or started.
            ElfError: Its headers are broken, or say too much.
        """
        self.data = data
        self.size = len(data)
        if data[:4] != MAGIC:
            raise RefusedError("it does not begin as an ELF file does")
        kind = data[4:6]
        if kind not in {b"\1\1", b"\1\2", b"\2\1", b"\2\2"}:
            raise RefusedError("its class or its byte order is none")
        self.bits = 32 * kind[0]
        self._is_wide = kind[0] == _WIDE
        self.little = kind[1] == 1
        self._order = "<" if self.little else ">"
        header = self._head(_HEADERS[self.bits], 16)
        if header[0] not in _LOADED:
            raise RefusedError("it is neither a program nor a library")
        self.machine = _machine(header[1], self.bits, self._order)
        self._program, self._table = header[4], header[5]
        self._program_row, self._program_rows = header[8], header[9]
        self._table_row, self._table_rows, self._names_at = header[10], header[11], header[12]
        self._sections = None  # type: list[Section] | None
        self._entries = None  # type: list[tuple[int, int]] | None
        self._segments = self._read_segments()

    def _head(self, layout: str, offset: int) -> "tuple[int, ...]":
        """Numbers of the headers, without which the linker cannot do either."""
        try:
            return self.numbers(layout, offset)
        except ElfError as error:
            raise RefusedError(*error.args) from None

    def numbers(self, layout: str, offset: int) -> "tuple[int, ...]":
        """The numbers at an offset, in the file's byte order; `layout` as `struct` writes it.

        Raises:
            ElfError: They reach beyond the file.
        """
        layout = self._order + layout
        if offset < 0 or offset + struct.calcsize(layout) > self.size:
            raise ElfError("it ends before what its headers promise, at %d" % offset)
        return struct.unpack_from(layout, self.data, offset)

    def sections(self) -> "list[Section]":
        """All sections, in the file's order; none where their headers are stripped or broken."""
        if self._sections is None:
            try:
                self._sections = self._read_sections()
            except ElfError:
                self._sections = []
        return self._sections

    def _read_sections(self) -> "list[Section]":
        count, names_at = self._table_rows, self._names_at
        if not self._table or self._table_row < struct.calcsize("=" + _SECTIONS[self.bits]):
            return []
        first = self.numbers(_SECTIONS[self.bits], self._table)
        count = count or first[5]
        names_at = first[6] if names_at == _MANY else names_at
        if count > MOST_HEADERS:
            return []
        rows = [
            self.numbers(_SECTIONS[self.bits], self._table + index * self._table_row)
            for index in range(count)
        ]
        start, size = rows[names_at][4:6] if names_at < count else (0, 0)
        found = []
        for row in rows:
            try:
                name = self.text(start, size, row[0], longest=LONGEST_SECTION_NAME)
            except ElfError:
                name = ""
            found.append(Section(name, *row[1:6]))
        return found

    def segments(self) -> "list[Segment]":
        """All program headers, in the file's order."""
        return self._segments

    def _read_segments(self) -> "list[Segment]":
        count, layout = self._program_rows, "IIQQQQQQ" if self._is_wide else "IIIIIIII"
        said = "it states %d program headers of %d bytes" % (count, self._program_row)
        if self._program_row != struct.calcsize("=" + layout):
            raise RefusedError(said)
        if count > MOST_SEGMENTS:
            raise TooMuchError(said)
        found = []
        for index in range(count):
            row = self._head(layout, self._program + index * self._program_row)
            offset, address = row[2:4] if self._is_wide else row[1:3]
            size = row[5] if self._is_wide else row[4]
            found.append(Segment(row[0], offset, address, size))
        if not any(each.kind == LOAD for each in found):
            raise RefusedError("nothing of it is to be loaded")
        return found

    def offset_of(self, address: int) -> int:
        """Where in the file an address of the mapped program lies.

        Raises:
            ElfError: Nothing of the file is mapped there.
        """
        for segment in self._segments:
            if segment.kind == LOAD and 0 <= address - segment.address < segment.size:
                return segment.offset + address - segment.address
        raise ElfError("nothing of it is mapped at address %#x" % address)

    def text(self, table: int, size: int, index: int, *, longest: int = LONGEST_NAME) -> str:
        """The name at an index of a string table.

        Raises:
            ElfError: It leaves the table, or has no end.
        """
        start = table + index
        end = min(table + size, self.size, start + longest)
        stop = self.data.find(b"\0", start, end) if start < end else -1
        if stop < 0:
            is_long = end == start + longest
            raise (TooMuchError if is_long else ElfError)("a name at %d has no end" % start)
        return self.data[start:stop].decode("utf-8", "surrogateescape")

    def dynamic(self) -> "dict[str, object]":
        """How it is linked: `soname`, and the lists `needed`, `rpath` and `runpath`.

        Raises:
            ElfError: Its dynamic table is broken.
        """
        table = self._strings()
        found = {}  # type: dict[int, list[str]]
        for tag, value in self._dynamic_entries():
            if tag in {_NEEDED, _SONAME, _RPATH, _RUNPATH}:
                found.setdefault(tag, []).append(self.text(table[0], table[1], value))
                if len(found[tag]) > MOST_NAMES:
                    raise TooMuchError("it needs more than %d libraries" % MOST_NAMES)
        return {
            "soname": found.get(_SONAME, [None])[-1],
            "needed": found.get(_NEEDED, []),
            "rpath": [] if _RUNPATH in found else _folders(found.get(_RPATH, [])),
            "runpath": _folders(found.get(_RUNPATH, [])),
        }

    def _dynamic_entries(self) -> "list[tuple[int, int]]":
        """The dynamic table's tags and values; empty in a program that is linked statically."""
        if self._entries is None:
            self._entries = list(self._read_entries())
        return self._entries

    def _read_entries(self) -> "Iterator[tuple[int, int]]":
        layout = _ENTRIES[self.bits]
        for segment in self._segments:
            if segment.kind != DYNAMIC:
                continue
            step = struct.calcsize("=" + layout)
            for index in range(segment.size // step):
                if index >= MOST_HEADERS:
                    raise TooMuchError("its dynamic table has more than %d rows" % MOST_HEADERS)
                tag, value = self.numbers(layout, segment.offset + index * step)
                if not tag:
                    return
                yield tag, value
            return

    def _tag(self, wanted: int) -> "int | None":
        """The value of a tag that is there once; the last one counts, as for the linker."""
        found = None
        for tag, value in self._dynamic_entries():
            if tag == wanted:
                found = value
        return found

    def _strings(self) -> "tuple[int, int]":
        """Where the dynamic string table lies, and how far it can go; (0, 0) where there is none.

        The linker does not look at the size that is stated for it.
        """
        address = self._tag(_STRINGS)
        if not address:
            return 0, 0
        start = self.offset_of(address)
        return start, max(self.size - start, 0)

    def interpreter(self) -> "str | None":
        """The dynamic linker that a program names; None for a library and a static program.

        Raises:
            ElfError: The name has no end.
        """
        for segment in self._segments:
            if segment.kind == INTERPRETER:
                return self.text(segment.offset, segment.size, 0)
        return None

    def versions(self) -> "dict[str, list[str]]":
        """The symbol versions that it asks for, sorted, by library.

        Raises:
            ElfError: Its version table is broken.
        """
        address, count = self._tag(_VERSIONS), self._tag(_VERSIONS_COUNT)
        if not address or not count:
            return {}
        at, table = self.offset_of(address), self._strings()
        found = {}  # type: dict[str, set[str]]
        seen = 0
        for _ in range(count):
            _, names, library, first, step = self.numbers("HHIII", at)
            wanted = found.setdefault(self.text(table[0], table[1], library), set())
            name_at = at + first
            for _ in range(names):
                seen += 1
                if seen > MOST_NAMES:
                    break
                _, _, _, name, next_name = self.numbers("IHHII", name_at)
                wanted.add(self.text(table[0], table[1], name))
                if not next_name:
                    break
                name_at += next_name
            seen += 1
            if seen > MOST_NAMES:
                raise TooMuchError("it asks for more than %d symbol versions" % MOST_NAMES)
            if not step:
                break
            at += step
        return {library: sorted(wanted) for library, wanted in found.items()}

    def notes(self) -> "Iterator[bytes]":
        """The parts of the file that hold notes, each cut to what is read of one."""
        places = {(each.offset, each.size) for each in self._segments if each.kind == NOTE}
        places |= {(each.offset, each.size) for each in self.sections() if each.kind == NOTES}
        for start, size in sorted(places)[:MOST_NOTES]:
            if start < self.size:
                yield self.data[start : start + min(size, LONGEST_NOTES)]

    def defines(self, prefix: bytes) -> bool:
        """Whether a symbol whose name starts so can be found in it by the dynamic linker.

        Raises:
            ElfError: Its symbol table is broken.
        """
        start, room = self._strings()
        stated = self._tag(_STRINGS_SIZE) or room
        if self.data.find(prefix, start, start + min(stated, room)) < 0:
            return False  # most libraries: their symbols need not be looked at
        address = self._tag(_SYMBOL_TABLE)
        if not address:
            return False
        table, layout = self.offset_of(address), self._order + _SYMBOLS[self.bits]
        rows = max(self.size - table, 0) // struct.calcsize(layout)
        count = min(self._symbols_count(), rows)
        if count > MOST_SYMBOLS:
            raise TooMuchError("it has more than %d symbols" % MOST_SYMBOLS)
        raw = self.data[table : table + count * struct.calcsize(layout)]
        section = 3 if self._is_wide else 5
        for row in struct.iter_unpack(layout, raw):
            if row[section] and row[0] < room:
                at = start + row[0]
                if self.data[at : at + len(prefix)] == prefix:
                    return True
        return False

    def _symbols_count(self) -> int:
        """How many dynamic symbols there are: a hash table tells, and a section where none does."""
        plain, gnu = self._tag(_HASH), self._tag(_GNU_HASH)
        if gnu:
            return self._count_by_gnu_hash(self.offset_of(gnu))
        if plain:
            # Alpha and s390x have words of 64 bits there
            wide = self.machine in {"em-36902", "s390x"}
            return self.numbers("QQ" if wide else "II", self.offset_of(plain))[1]
        step = struct.calcsize("=" + _SYMBOLS[self.bits])
        return sum(each.size for each in self.sections() if each.kind == DYNAMIC_SYMBOLS) // step

    def _count_by_gnu_hash(self, at: int) -> int:
        """One more than the last symbol of the last chain."""
        buckets, first, filters, _ = self.numbers("IIII", at)
        if buckets > MOST_SYMBOLS or filters > MOST_SYMBOLS:
            raise TooMuchError("its hash table states %d buckets" % max(buckets, filters))
        buckets_at = at + 16 + filters * self.bits // 8
        last = max(self.numbers("%dI" % buckets, buckets_at) or (0,))
        if last < first:
            return first
        chains_at = buckets_at + 4 * buckets
        while last - first < MOST_SYMBOLS:
            if self.numbers("I", chains_at + 4 * (last - first))[0] & 1:
                return last + 1
            last += 1
        raise TooMuchError("its hash table has no end")


def _machine(number: int, bits: int, order: str) -> str:
    """The processor as `uname -m` names it."""
    if (number, order) == (21, "<"):
        return "ppc64le"
    names = _MACHINES if bits == _WIDE * 32 else _NARROW_MACHINES
    return names.get(number, "em-%d" % number)


def _folders(said: "list[str]") -> "list[str]":
    """The folders of a search path, as they are written."""
    return said[-1].split(":") if said else []
