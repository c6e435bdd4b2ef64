"""For which GPUs the code inside a library was compiled, read from its fat binaries' headers.

NVIDIA: a fat binary is a header of 16 bytes (magic 0xBA55ED50) and a row of entries, each with a
header of its own that names kind, architecture and sizes; of what is compressed only small modules
are unpacked, to see whether there is any function in them.
The CUDA runtime finds them in `.nv_fatbin` and, for code that is linked on the device,
`__nv_relfatbin`. cuFFT, cuRAND and cuBLASLt hand fat binaries in other data to the driver
themselves, so all data is looked through. The layout was held against `cuobjdump` of CUDA 13.5.

AMD: `.hip_fatbin` holds offload bundles as LLVM's page "Clang Offload Bundler" describes them.

The bytes may be anybody's: offsets are held against their part of the file, and so many headers are
looked at and no more. Syntax for Python 3.6 and newer, standard library only.
"""

import re
import struct
import zlib

try:
    from envsnap.inside import elf as elves
    from envsnap.inside import unzstd
except ImportError:  # started on its own, beside the others
    import elf as elves  # type: ignore[import-not-found, no-redef]
    import unzstd  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from envsnap.inside.elf import Data, Elf

    Part = tuple[str, int, int]
    """A part of the file: its section's name, its start and its end."""
    Module = tuple[int, int, int, int]
    """A module's size, unpacked; where it lies, its size there, and its flags."""

COMPRESSED = "compressed"
"""Stands among `amd` where there is code whose targets cannot be unpacked."""
MOST_LOOKS = 1 << 20
"""So many headers are looked at in one file; cuFFT, which has most, holds some 25,000."""
MOST_BUNDLES = 1 << 14
"""So many of AMD's bundles are opened in one file; a compiler writes one for each source file."""
MOST_UNPACKED = 1 << 11
"""So many that are compressed, and so many small modules of NVIDIA's; XLA's 43 are most."""
SURELY_CODE = 1 << 13
"""Bytes, unpacked, from which on a module surely holds a function; smaller ones are unpacked."""

_FATBIN = b"\x50\xed\x55\xba"
_HEADER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQIIHHIIIQQQ")
_PTX, _SASS, _LINKABLE = 1, 2, 8  # the last is NVVM's form, to be optimised when it is linked
_FUNCTIONS = {_PTX: re.compile(rb"\.(?:entry|func)\b"), _SASS: re.compile(rb"\0\.text\.")}
_ARCHITECTURES = range(10, 1000)
_MOST_TRIED = 32  # modules of one target, the largest first
_LZ4, _ZSTANDARD = 0x2000, 0x8000
_VARIANTS = ((0x100000, "a"), (0x200000, "f"))
_REGISTERED = {".nv_fatbin", "__nv_relfatbin"}
_NO_DATA = (".eh_frame", ".gcc_except_table", ".got", ".data.rel.ro", ".interp")
_PROGBITS, _ALLOCATED, _EXECUTABLE, _LOAD = 1, 2, 4, 1

_HIP = ".hip_fatbin"
_BUNDLE, _PACKED = b"__CLANG_OFFLOAD_BUNDLE__", b"CCOB"
_ROW = struct.Struct("<QQQ")
_TARGET = re.compile(rb"[a-z0-9]+-(?:amdgcn|spirv64)-.*-(gfx[0-9a-z-]{2,24}|amdgcnspirv)(?::|$)")
_PACKED_HEADERS = {1: 20, 2: 24, 3: 32}
_ZLIB, _ZSTD = 0, 1
_LARGEST_TABLE = 1 << 13  # bytes; of 30 targets, which is most, 2 KiB
_LARGEST_PART = 1 << 18  # of a compressed bundle: more than one block of Zstandard's
_MOST_TARGETS = 256


def targets(data: "Data", elf: "Elf") -> "dict[str, list[str]]":
    """The targets of the GPU code in a library: sorted lists `sass`, `ptx` and `amd`.

    Modules that hold no function do not count: the compiler leaves one in every library that it
    links, for whatever GPU its default is.

    Raises:
        TooMuchError: There may be more code than is looked at.
    """
    parts, looks = _parts(elf), iter(range(MOST_LOOKS))
    found = _nvidia(data, parts, looks)
    _hold(looks, "headers of GPU code", MOST_LOOKS)
    return {
        "sass": sorted("sm_" + target for kind, target in found if kind == _SASS),
        "ptx": sorted("compute_" + target for kind, target in found if kind == _PTX),
        "amd": sorted(_amd(data, parts)),
    }


def _hold(looks: "Iterator[int]", what: str, most: int) -> None:
    """Refuse a file in which there may be more than was looked at."""
    if next(looks, None) is None:
        raise elves.TooMuchError("it has more than %d %s" % (most, what))


def _parts(elf: "Elf") -> "list[Part]":
    """The parts of the file that can hold GPU code, none of them twice.

    Without section headers that is all that is mapped.
    """
    sections = elf.sections()
    found = [
        (each.offset, each.offset + each.size, each.name)
        for each in sections
        if each.kind == _PROGBITS
        and each.flags & (_ALLOCATED | _EXECUTABLE) == _ALLOCATED
        and not each.name.startswith(_NO_DATA)
    ]
    if not sections:
        mapped = [each for each in elf.segments() if each.kind == _LOAD]
        found = [(each.offset, each.offset + each.size, "") for each in mapped]
    apart, done = [], 0
    for start, end, name in sorted(found):
        if max(start, done) < min(end, elf.size):
            apart.append((name, max(start, done), min(end, elf.size)))
            done = end
    return apart


def _nvidia(data: "Data", parts: "list[Part]", looks: "Iterator[int]") -> "set[tuple[int, str]]":
    """Kind and target, as (2, "90a"), of all code that a GPU of NVIDIA can be given."""
    found = set()  # type: set[tuple[int, str]]
    small = {}  # type: dict[tuple[int, str], list[Module]]
    for name, start, end in parts:
        for modules in _fatbins(data, start, end, looks):
            if name not in _REGISTERED and any(key[0] == _LINKABLE for key, _ in modules):
                continue  # cuSPARSE's: parts for nvJitLink, to which the user's own code is linked
            for key, module in modules:
                if key in found or key[0] == _LINKABLE:
                    continue
                if module[0] >= SURELY_CODE:
                    found.add(key)
                else:
                    small[key] = sorted([*small.get(key, []), module])[-_MOST_TRIED:]
    tries = iter(range(MOST_UNPACKED))
    for key, tried in small.items():
        if key not in found and _any_function(data, key[0], tried, tries):
            found.add(key)
    return found


def _any_function(data: "Data", kind: int, modules: "list[Module]", tries: "Iterator[int]") -> bool:
    """Whether there is a function in any of some small modules; so where that cannot be seen."""
    bodies = set()  # type: set[bytes]
    for size, at, length, flags in reversed(modules):
        body = data[at : at + min(length, 2 * SURELY_CODE)]
        if body not in bodies and (
            next(tries, None) is None or _has_function(kind, body, size, flags)
        ):
            return True
        bodies.add(body)
    return False


def _has_function(kind: int, body: bytes, size: int, flags: int) -> bool:
    """Whether there is a function in a small module; so where it cannot be unpacked."""
    try:
        if flags & _ZSTANDARD:
            body = unzstd.head(body, size)
        elif flags & _LZ4:
            body = _unpacked_lz4(body, size)
    except (unzstd.ZstdError, IndexError):
        return True
    return bool(_FUNCTIONS[kind].search(body))


def _unpacked_lz4(body: bytes, size: int) -> bytes:
    """What a block of LZ4's holds, as its "Block Format Description" has it.

    Raises:
        IndexError: It is broken.
    """
    out, at = bytearray(), 0
    while len(out) < size:
        token = body[at]
        length, at = _lz4_length(body, at + 1, token >> 4)
        out += body[at : at + length]
        at += length
        if len(out) >= size:
            break
        distance = body[at] | body[at + 1] << 8
        length, at = _lz4_length(body, at + 2, token & 15)
        if not 0 < distance <= len(out):
            raise IndexError
        piece = bytes(out[len(out) - distance :][: length + 4])
        out += (piece * ((length + 4) // len(piece) + 1))[: length + 4]
    return bytes(out)


def _lz4_length(body: bytes, at: int, length: int) -> "tuple[int, int]":
    """A length that may go on in the next bytes, and where the next part begins."""
    if length < 15:  # noqa: PLR2004 - four bits
        return length, at
    while body[at] == 255:  # noqa: PLR2004 - a byte that goes on
        length, at = length + 255, at + 1
    return length + body[at], at + 1


def _fatbins(
    data: "Data", start: int, end: int, looks: "Iterator[int]"
) -> "Iterator[list[tuple[tuple[int, str], Module]]]":
    """The modules of each fat binary in a part of the file."""
    at = start
    while True:
        at = data.find(_FATBIN, at, end)
        if at < 0 or at + _HEADER.size > end or next(looks, None) is None:
            return
        _, version, header, size = _HEADER.unpack_from(data, at)
        stop = at + header + size
        if version != 1 or header != _HEADER.size or stop > end:
            at += len(_FATBIN)  # not the header, but a program's constant
            continue
        yield list(_entries(data, at + header, stop, looks))
        at = stop


def _entries(
    data: "Data", start: int, end: int, looks: "Iterator[int]"
) -> "Iterator[tuple[tuple[int, str], Module]]":
    """Kind and target of each module of one fat binary, and where it lies."""
    at = start
    while at + _ENTRY.size <= end and next(looks, None) is not None:
        kind, _, header, size, packed, _, _, _, arch, _, _, flags, _, unpacked = _ENTRY.unpack_from(
            data, at
        )
        if header < _ENTRY.size or not size or at + header + size > end:
            return
        if kind in _FUNCTIONS and arch in _ARCHITECTURES:
            variant = "".join(letter for bit, letter in _VARIANTS if flags & bit)
            place = at + header, min(packed or size, size), flags
            yield (kind, "%d%s" % (arch, variant[:1])), (unpacked or size, *place)
        elif kind == _LINKABLE:
            yield (kind, ""), (0, 0, 0, 0)
        at += header + size


def _amd(data: "Data", parts: "list[Part]") -> "set[str]":
    """The targets of all offload bundles."""
    found = set()  # type: set[str]
    bundles, unpacked = iter(range(MOST_BUNDLES)), iter(range(MOST_UNPACKED))
    for part in parts:
        name, _, end = part
        if name not in {_HIP, ""}:
            continue
        for at in _places(data, part, _BUNDLE, bundles):
            found.update(_bundled(data[at : min(at + _LARGEST_TABLE, end)]))
        if name:  # four letters alone would be found by chance in what else is mapped
            for at in _places(data, part, _PACKED, unpacked):
                found.update(_unpacked(data[at : min(at + _LARGEST_PART, end)]))
    _hold(bundles, "bundles", MOST_BUNDLES)
    _hold(unpacked, "compressed bundles", MOST_UNPACKED)
    return found


def _places(data: "Data", part: "Part", text: bytes, looks: "Iterator[int]") -> "Iterator[int]":
    """Where a text begins in a part of the file."""
    _, start, end = part
    at = data.find(text, start, end)
    while at >= 0 and next(looks, None) is not None:
        yield at
        at = data.find(text, at + len(text), end)


def _bundled(table: bytes) -> "Iterator[str]":
    """The targets that the table at the start of a bundle names."""
    at = len(_BUNDLE) + 8
    count = struct.unpack_from("<Q", table.ljust(at, b"\0"), len(_BUNDLE))[0]
    for _ in range(min(count, _MOST_TARGETS)):
        if at + _ROW.size > len(table):
            return
        _, size, length = _ROW.unpack_from(table, at)
        at += _ROW.size + length
        if at > len(table):
            return
        match = _TARGET.match(table[at - length : at])
        if size and match:
            yield match.group(1).decode("ascii")


def _unpacked(packed: bytes) -> "list[str]":
    """The targets of a compressed bundle; `COMPRESSED` where it cannot be unpacked here."""
    version, method = struct.unpack("<HH", packed[4:8].ljust(4, b"\0"))
    if version not in _PACKED_HEADERS or method not in {_ZLIB, _ZSTD}:
        return []  # letters among the code
    body = packed[_PACKED_HEADERS[version] :]
    try:
        if method == _ZLIB:
            table = zlib.decompressobj().decompress(body, _LARGEST_TABLE)
        else:
            table = unzstd.head(body, _LARGEST_TABLE)
    except (zlib.error, unzstd.ZstdError):
        table = b""
    return list(_bundled(table)) or [COMPRESSED]
