"""Which GPUs a library's code is for: files made here, and NVIDIA's and AMD's own."""

from __future__ import annotations

import contextlib
import random
import struct
import time
import zlib

import pytest

from envsnap.inside.elf import Elf, ElfError, TooMuchError
from envsnap.inside.gpu_code import targets
from tests.inside.fatbins import (
    LINKABLE,
    LZ4,
    PTX,
    SASS,
    ZSTANDARD,
    A,
    F,
    bundle,
    entry,
    fatbin,
    library,
    module,
    packed,
)
from tests.inside.test_unzstd import frame_of

NOTHING: dict[str, list[str]] = {"sass": [], "ptx": [], "amd": []}
HOST = "host-x86_64-unknown-linux-gnu-"
GFX = "hipv4-amdgcn-amd-amdhsa--"


def found(data: bytes) -> dict[str, list[str]]:
    return targets(data, Elf(data))


def of(section: str, content: bytes) -> dict[str, list[str]]:
    return found(library([(".rodata", b"text"), (section, content)]))


def test_compiled_code_and_ptx_are_told_apart() -> None:
    told = of(".nv_fatbin", fatbin(entry(SASS, 80), entry(SASS, 90), entry(PTX, 90)))
    assert told == {"sass": ["sm_80", "sm_90"], "ptx": ["compute_90"], "amd": []}


def test_every_fat_binary_of_a_section_is_read_and_none_twice() -> None:
    content = fatbin(entry(SASS, 80)) + bytes(24) + fatbin(entry(SASS, 75)) + fatbin()
    assert of(".nv_fatbin", content + fatbin(entry(SASS, 80)))["sass"] == ["sm_75", "sm_80"]


def test_code_for_one_architecture_alone_or_for_a_family_says_so() -> None:
    content = fatbin(
        entry(SASS, 90, flags=A), entry(SASS, 100, flags=F, more=40), entry(PTX, 120, flags=F)
    )
    told = of(".nv_fatbin", content)
    assert told == {"sass": ["sm_100f", "sm_90a"], "ptx": ["compute_120f"], "amd": []}


def test_code_that_is_linked_on_the_device_counts() -> None:
    assert of("__nv_relfatbin", fatbin(entry(SASS, 70)))["sass"] == ["sm_70"]


def test_code_in_other_data_counts_as_in_cufft() -> None:
    data = library(
        [
            (".nv_fatbin", fatbin(small(SASS, 52, SECTIONS, "lz4"))),
            (".ldata", b"other data  " + fatbin(entry(SASS, 89), entry(PTX, 90))),
        ],
        flags=3,
    )
    assert found(data) == {"sass": ["sm_89"], "ptx": ["compute_90"], "amd": []}


def test_parts_for_the_linker_in_other_data_are_no_code_as_in_cusparse() -> None:
    content = fatbin(entry(SASS, 70), entry(PTX, 70), entry(LINKABLE, 50))
    assert of(".rodata", content) == NOTHING
    assert of(".nv_fatbin", content) == {"sass": ["sm_70"], "ptx": ["compute_70"], "amd": []}


SECTIONS = b"\0.shstrtab\0.nv.info\0.nv.callgraph\0.nv.rel.action\0"
VARIABLE = b".version 8.8\n.target sm_90\n.address_size 64\n.global .b8 functions[1];\n"


@pytest.mark.parametrize(
    ("kind", "empty", "code"),
    [
        (SASS, SECTIONS, SECTIONS + b".text._Z1kv\0"),
        (PTX, VARIABLE, VARIABLE + b".visible .entry k() { ret; }\n"),
        (PTX, VARIABLE, VARIABLE + b".func f() { ret; }\n"),
    ],
    ids=["sass", "ptx", "ptx function"],
)
@pytest.mark.parametrize("form", ["plain", "lz4", "zstandard"])
def test_a_module_without_a_function_is_no_code(
    kind: int, empty: bytes, code: bytes, form: str
) -> None:
    def told(*bodies: bytes) -> dict[str, list[str]]:
        return of(".nv_fatbin", fatbin(*[small(kind, 90, body, form) for body in bodies]))

    assert told(empty) == NOTHING
    assert told(empty, code, empty) == told(code) != NOTHING


def small(kind: int, arch: int, body: bytes, form: str) -> bytes:
    """A module of few bytes, as the compiler leaves it or compresses it."""
    if form == "lz4":  # the body, a match of 16 bytes, and a last byte
        block = bytes([0xFC, len(body) - 15]) + body + struct.pack("<H", 16) + b"\x10\0"
        return module(kind, arch, block, flags=LZ4, size=len(body) + 17)
    if form == "zstandard":
        block = struct.pack("<I", 1 | len(body) << 3)[:3] + body
        frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(body)) + block
        return module(kind, arch, frame, flags=ZSTANDARD, size=len(body))
    return module(kind, arch, body)


@pytest.mark.parametrize("flags", [LZ4, ZSTANDARD])
def test_a_small_module_that_cannot_be_unpacked_counts_as_code(flags: int) -> None:
    content = fatbin(module(SASS, 80, b"\xff" * 40, flags=flags, size=2000))
    assert of(".nv_fatbin", content)["sass"] == ["sm_80"]


def test_an_architecture_that_is_none_is_not_told() -> None:
    assert of(".nv_fatbin", fatbin(entry(SASS, 3), entry(SASS, 4_000_000_000))) == NOTHING


def test_a_magic_number_among_a_programs_constants_is_none() -> None:
    magic = b"\x50\xed\x55\xba"
    content = magic * 5 + fatbin(entry(SASS, 80)) + magic
    assert of(".data", content)["sass"] == ["sm_80"]


def test_instructions_and_what_is_not_mapped_are_not_looked_at() -> None:
    code = [(".text", fatbin(entry(SASS, 80)))]
    assert found(library(code, flags=6)) == NOTHING
    assert found(library(code, flags=0)) == NOTHING


def test_without_section_headers_all_that_is_mapped_is_looked_at() -> None:
    content = [
        (".nv_fatbin", fatbin(entry(SASS, 80))),
        (".hip_fatbin", bundle(HOST, GFX + "gfx942")),
    ]
    assert found(library(content, stripped=True)) == {
        "sass": ["sm_80"], "ptx": [], "amd": ["gfx942"],
    }  # fmt: skip


def test_amds_targets_are_read_from_the_bundles_tables() -> None:
    content = bundle(HOST, GFX + "gfx90a:sramecc+:xnack-", GFX + "gfx942") + bundle(
        HOST, GFX + "gfx9-4-generic", "hip-spirv64-amd-amdhsa--amdgcnspirv"
    )
    assert of(".hip_fatbin", content) == {
        "sass": [], "ptx": [], "amd": ["amdgcnspirv", "gfx9-4-generic", "gfx90a", "gfx942"],
    }  # fmt: skip


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_bundle_that_zlib_compressed_is_read(version: int) -> None:
    content = packed(zlib.compress(bundle(HOST, GFX + "gfx1100")), version=version)
    assert of(".hip_fatbin", content)["amd"] == ["gfx1100"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_bundle_that_zstandard_compressed_is_read(version: int) -> None:
    content = packed(frame_of("a bundle of 17 targets"), version=version, method=1)
    assert of(".hip_fatbin", content)["amd"] == [
        "gfx1010", "gfx1011", "gfx1030", "gfx1100", "gfx1101", "gfx1102", "gfx1103", "gfx1150",
        "gfx1151", "gfx1200", "gfx1201", "gfx900", "gfx906", "gfx908", "gfx90a", "gfx942",
        "gfx950",
    ]  # fmt: skip


@pytest.mark.parametrize("method", [0, 1])
def test_a_bundle_that_cannot_be_unpacked_says_so(method: int) -> None:
    assert of(".hip_fatbin", packed(bytes(100), method=method))["amd"] == ["compressed"]


def test_letters_among_the_code_are_no_compressed_bundle() -> None:
    assert of(".hip_fatbin", packed(b"text", method=9))["amd"] == []


def test_a_target_that_is_none_is_not_told() -> None:
    names = (GFX + "gfx<script>", GFX + "gfx" + "9" * 200, "x" * 6000, "", GFX)
    assert of(".hip_fatbin", bundle(*names[:2], *names[3:]))["amd"] == []
    assert of(".hip_fatbin", bundle(names[2], GFX + "gfx906"))["amd"] == ["gfx906"]


def whole() -> bytes:
    """A library with everything in it."""
    other = bundle(GFX + "gfx90a")
    return library(
        [
            (".nv_fatbin", fatbin(entry(SASS, 80), entry(SASS, 90, flags=A), entry(PTX, 90))),
            (".data", fatbin(entry(SASS, 100, flags=F, more=40))),
            (
                ".hip_fatbin",
                bundle(HOST, GFX + "gfx942") + packed(zlib.compress(other)),
            ),
        ]
    )


def test_any_bytes_that_are_an_elf_file_get_an_answer() -> None:
    data = whole()
    chance = random.Random(0)  # noqa: S311 - the same cases each time
    answered = 0
    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(broken))
            broken[at : at + 8] = chance.choice(
                [b"\xff" * 8, bytes(8), chance.randbytes(8), b"\x50\xed\x55\xba\x01\0\x10\0"]
            )
        cut = bytes(broken[: chance.randrange(64, len(broken) + 1)])
        try:
            elf = Elf(cut)
        except ElfError:
            continue
        answered += 1
        assert sorted(targets(cut, elf)) == ["amd", "ptx", "sass"]
    assert answered > 1000


def test_a_library_cut_anywhere_gets_an_answer() -> None:
    data = whole()
    elf = Elf(data)
    for length in range(120, 1500):
        short = data[:length]
        elf.data, elf.size = short, length
        assert set(targets(short, elf)["sass"]) <= {"sm_80", "sm_90a", "sm_100f"}


@pytest.mark.parametrize(
    "content",
    [
        fatbin() * 500_000,
        b"\x50\xed\x55\xba" * 2_000_000,
        fatbin(entry(SASS, 80) * 100_000),
        b"__CLANG_OFFLOAD_BUNDLE__" * 300_000,
        packed(frame_of("a bundle of 17 targets"), method=1) * 20_000,
    ],
    ids=["empty", "magic", "entries", "bundles", "compressed"],
)
def test_a_file_made_to_cost_time_costs_little(content: bytes) -> None:
    data = library([(".nv_fatbin", content), (".hip_fatbin", content)])
    elf, start = Elf(data), time.process_time()
    with contextlib.suppress(TooMuchError):
        targets(data, elf)
    assert time.process_time() - start < 15


@pytest.mark.parametrize(
    ("section", "content", "message"),
    [
        (".nv_fatbin", b"\x50\xed\x55\xba" * 1_100_000, "1048576 headers of GPU code"),
        (".hip_fatbin", b"__CLANG_OFFLOAD_BUNDLE__" * 17_000, "16384 bundles"),
        (".hip_fatbin", b"CCOB" * 2100, "2048 compressed bundles"),
    ],
)
def test_what_is_not_looked_at_is_not_told_as_absent(
    section: str, content: bytes, message: str
) -> None:
    with pytest.raises(TooMuchError) as raised:
        of(section, content)
    assert str(raised.value) == f"it has more than {message}"


def test_sections_that_name_the_same_bytes_are_read_once() -> None:
    content = b"\x50\xed\x55\xba" * 100_000 + fatbin(entry(SASS, 80))
    data = library([(".data", content)], named=5000)
    elf, start = Elf(data), time.process_time()
    assert targets(data, elf)["sass"] == ["sm_80"]
    assert time.process_time() - start < 5
