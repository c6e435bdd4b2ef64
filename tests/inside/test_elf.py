from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sysconfig
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.inside.elf import Elf, ElfError, RefusedError, Segment, TooMuchError
from tests.elves import AARCH64, ARM, BASE, PPC64, S390, X86_64, elf, note

LARGE = os.environ.get("ENVSNAP_LARGE_ENV", "")
"""The folder of an environment with many libraries, as bench/run.py makes one."""
KINDS = [
    (64, "<", X86_64, "x86_64"), (64, "<", AARCH64, "aarch64"), (64, "<", PPC64, "ppc64le"),
    (64, ">", S390, "s390x"), (32, "<", ARM, "arm"), (32, ">", S390, "s390"),
    (32, "<", 3, "i686"), (64, "<", 4242, "em-4242"),
]  # fmt: skip


@pytest.mark.parametrize(("bits", "order", "machine", "name"), KINDS)
def test_a_library_is_read_on_every_kind_of_processor(
    bits: int, order: str, machine: int, name: str
) -> None:
    data = elf(
        bits=bits, order=order, machine=machine, soname="libé.so.1",
        needed=["libc.so.6", "libm.so.6"], runpath="$ORIGIN:/opt/lib",
        versions={"libm.so.6": ["GLIBC_2.29"], "libc.so.6": ["GLIBC_2.34", "GLIBC_2.17"]},
        defines=["PyInit_a"], asks=["printf"], notes=note("GNU", b"abc", order=order, kind=3),
    )  # fmt: skip
    found = Elf(data)
    assert (found.machine, found.bits, found.little) == (name, bits, order == "<")
    assert found.dynamic() == {
        "soname": "libé.so.1",
        "needed": ["libc.so.6", "libm.so.6"],
        "rpath": [],
        "runpath": ["$ORIGIN", "/opt/lib"],
    }
    assert found.versions() == {
        "libm.so.6": ["GLIBC_2.29"],
        "libc.so.6": ["GLIBC_2.17", "GLIBC_2.34"],
    }
    assert list(found.notes()) == [note("GNU", b"abc", order=order, kind=3)]
    assert (found.defines(b"PyInit"), found.defines(b"printf")) == (True, False)
    assert (found.interpreter(), found.sections()) == (None, [])
    assert found.segments()[-1] == Segment(1, 0, BASE, len(data))


def test_rpath_counts_only_where_there_is_no_runpath() -> None:
    assert Elf(elf(rpath="/a:/b")).dynamic()["rpath"] == ["/a", "/b"]
    both = Elf(elf(rpath="/a", runpath="")).dynamic()
    assert (both["rpath"], both["runpath"]) == ([], [""])


def test_a_program_names_its_linker() -> None:
    assert Elf(elf(interpreter="/lib64/ld-linux-x86-64.so.2")).interpreter() == (
        "/lib64/ld-linux-x86-64.so.2"
    )


def test_sections_are_named() -> None:
    found = Elf(elf(sections={".nv_fatbin": (1, b"code"), ".note.x": (7, note("N", b"1"))}))
    assert [each.name for each in found.sections()] == ["", ".nv_fatbin", ".note.x"]
    code = found.sections()[1]
    assert found.data[code.offset : code.offset + code.size] == b"code"
    assert list(found.notes()) == [note("N", b"1")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it does not begin as an ELF file does"),
        (b"#!/bin/sh\n", "it does not begin as an ELF file does"),
        (b"\x7fELF", "its class or its byte order is none"),
        (b"\x7fELF\x03\x01" + b"\0" * 90, "its class or its byte order is none"),
        (b"\x7fELF\x02\x01", "it ends before what its headers promise, at 16"),
        (elf()[:90], "it ends before what its headers promise, at 64"),
    ],
)
def test_what_the_linker_refuses_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(RefusedError) as raised:
        Elf(data)
    assert str(raised.value) == message


def changed(data: bytes, at: int, layout: str, number: int) -> bytes:
    raw = bytearray(data)
    struct.pack_into(layout, raw, at, number)
    return bytes(raw)


@pytest.mark.parametrize(
    ("at", "number", "message"),
    [
        (16, 1, "it is neither a program nor a library"),
        (54, 55, "it states 2 program headers of 55 bytes"),
        (56, 0, "nothing of it is to be loaded"),
        (56, 99, "it ends before what its headers promise, at "),
    ],
)
def test_a_header_that_the_linker_refuses_is_refused(at: int, number: int, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        Elf(changed(elf(), at, "<H", number)[:2000])


def test_program_headers_beyond_counting_are_too_much() -> None:
    with pytest.raises(TooMuchError, match="it states 65535 program headers of 56 bytes"):
        Elf(changed(elf(), 56, "<H", 0xFFFF))


def test_the_size_of_its_names_is_not_looked_at_as_the_linker_does_not() -> None:
    data = elf(soname="liba.so.1", needed=["libc.so.6"], defines=["PyInit_a"])
    table = Elf(data).segments()[0].offset
    (size,) = [at for at in range(table, table + 200, 16) if data[at : at + 8] == b"\n" + bytes(7)]
    for number in (0, 1 << 62):
        found = Elf(changed(data, size + 8, "<Q", number))
        assert (found.dynamic()["soname"], found.defines(b"PyInit")) == ("liba.so.1", True)
    assert Elf(changed(data, size + 8, "<Q", 1)).dynamic()["needed"] == ["libc.so.6"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"soname": "x" * 5000}, "a name at [0-9]+ has no end"),
        ({"needed": ["x"] * 5000}, "it needs more than 4096 libraries"),
        ({"versions": {"a": ["x"] * 5000}}, "it asks for more than 4096 symbol versions"),
        ({"versions": {f"a{number}": [] for number in range(5000)}}, "more than 4096 symbol"),
    ],
)
def test_what_is_beyond_our_bounds_is_too_much_and_not_broken(
    said: dict[str, Any], message: str
) -> None:
    found = Elf(elf(**said))
    with pytest.raises(TooMuchError, match=message):
        found.versions() if "versions" in said else found.dynamic()


@pytest.mark.parametrize(("start", "size"), [(1 << 63, 1), (0, 1 << 63), (1 << 63, 1 << 63)])
def test_notes_beyond_the_file_are_cut(start: int, size: int) -> None:
    data = elf(notes=note("N", b"1"))
    row = next(at for at in range(64, 400, 56) if data[at] == 4)
    found = Elf(changed(changed(data, row + 8, "<Q", start), row + 32, "<Q", size))
    assert b"".join(found.notes()) == found.data[start:]


def test_broken_section_headers_are_as_none() -> None:
    data = elf(soname="liba.so", sections={".text": (1, b"")})
    for at, layout, number in ((40, "<Q", 1 << 62), (58, "<H", 8), (62, "<H", 77)):
        found = Elf(changed(data, at, layout, number))
        assert [each.name for each in found.sections() if each.name] == []
        assert found.dynamic()["soname"] == "liba.so"


def read_all(data: bytes) -> None:
    try:
        found = Elf(data)
    except ElfError:
        return
    asked = (found.dynamic, found.versions, found.interpreter, lambda: found.defines(b"P"))
    for ask in asked:
        with contextlib.suppress(ElfError):
            ask()
    found.sections()
    list(found.notes())


WHOLE = elf(
    soname="liba.so", needed=["libc.so.6"], versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.2.5"]},
    defines=["PyInit_a"], interpreter="/lib/ld.so", notes=note("GNU", b"abc"),
    sections={".nv_fatbin": (1, b"code"), ".note.x": (7, note("N", b"1"))},
)  # fmt: skip


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8)), max_size=6
    )
)
def test_no_broken_file_raises_anything_else(changes: list[tuple[int, bytes]]) -> None:
    raw = bytearray(WHOLE)
    for at, said in changes:
        raw[at : at + len(said)] = said
    read_all(bytes(raw[: len(WHOLE)]))


def test_every_start_of_a_file_is_read_or_refused() -> None:
    for length in range(len(WHOLE)):
        read_all(WHOLE[:length])


def test_one_name_that_is_asked_for_a_million_times_costs_neither_memory_nor_time() -> None:
    """Every tag points at the same long name; every version's successor is itself."""
    name = b"x" * 4000 + b"\0"
    tags = b"".join(struct.pack("<qQ", 1, 0) for _ in range(1_000_000))
    size = 64 + 2 * 56 + len(name) + 5 * 16 + len(tags)
    start = 64 + 2 * 56
    table = start + len(name)
    dynamic = struct.pack(
        "<qQqQqQqQ", 5, start, 10, len(name), 0x6FFFFFFE, start, 0x6FFFFFFF, 1 << 40
    )
    head = (
        b"\x7fELF\2\1\1"
        + b"\0" * 9
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    )
    head += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4)
    head += struct.pack("<IIQQQQQQ", 2, 4, table, table, 0, size - table, size, 4)
    data = head + name + dynamic + tags
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(ElfError, match="its dynamic table has more than 65536 rows"):
        Elf(data).dynamic()
    read_all(data)
    took, most = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 5.0
    assert most < 64 << 20


def libraries(folder: str) -> list[str]:
    """The shared libraries below a folder."""
    return [str(path) for path in Path(folder).rglob("*.so*") if path.is_file() and is_elf(path)]


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


@pytest.fixture
def own() -> list[str]:
    """The modules of the Python that runs this."""
    found = libraries(sysconfig.get_config_var("DESTSHARED") or "/no")
    if not found:
        pytest.skip("no shared library beside this Python")
    return found


@pytest.fixture
def many() -> list[str]:
    if not os.path.isdir(LARGE):
        pytest.skip("ENVSNAP_LARGE_ENV names no environment")
    return libraries(LARGE)


def as_pyelftools_says(path: str) -> dict[str, object]:
    elffile = pytest.importorskip("elftools.elf.elffile")
    gnuversions = pytest.importorskip("elftools.elf.gnuversions")
    with open(path, "rb") as file:
        found = elffile.ELFFile(file)
        segment = next(each for each in found.iter_segments() if each["p_type"] == "PT_DYNAMIC")
        tags = list(segment.iter_tags())
        names = {
            "DT_NEEDED": "needed",
            "DT_SONAME": "soname",
            "DT_RPATH": "rpath",
            "DT_RUNPATH": "runpath",
        }
        said: dict[str, list[str]] = {name: [] for name in names.values()}
        for tag in tags:
            if tag.entry.d_tag in names:
                name = names[tag.entry.d_tag]
                said[name].append(getattr(tag, name))
        versions = {
            version.name: sorted({each.name for each in asked})
            for section in found.iter_sections()
            if isinstance(section, gnuversions.GNUVerNeedSection)
            for version, asked in section.iter_versions()
        }
        symbols = [
            each.name
            for each in segment.iter_symbols()
            if each["st_shndx"] != "SHN_UNDEF" and each.name.startswith("PyInit")
        ]
        sections = [each.name for each in found.iter_sections()]
    return {
        "soname": said["soname"][-1] if said["soname"] else None,
        "needed": said["needed"],
        "rpath": [] if said["runpath"] else split(said["rpath"]),
        "runpath": split(said["runpath"]),
        "versions": versions,
        "imports": bool(symbols),
        "sections": sections,
    }


def split(said: list[str]) -> list[str]:
    return said[-1].split(":") if said else []


def as_we_say(path: str) -> dict[str, object]:
    found = Elf(Path(path).read_bytes())
    return {
        **found.dynamic(),
        "versions": found.versions(),
        "imports": found.defines(b"PyInit"),
        "sections": [each.name for each in found.sections()],
    }


def test_pyelftools_agrees_on_the_libraries_of_this_python(own: list[str]) -> None:
    for path in own:
        assert as_we_say(path) == as_pyelftools_says(path), path


@pytest.mark.slow
def test_pyelftools_agrees_on_a_large_environment(many: list[str]) -> None:
    for path in many:
        assert as_we_say(path) == as_pyelftools_says(path), path


def as_readelf_says(path: str) -> tuple[list[str], set[str]]:
    ran = subprocess.run(
        ["readelf", "-W", "-d", "-V", path], capture_output=True, text=True, check=True,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    )  # fmt: skip
    needed, asked = [], set()
    in_needs = False
    for line in ran.stdout.splitlines():
        in_needs = "Version needs section" in line or (in_needs and bool(line.strip()))
        if "(NEEDED)" in line:
            needed.append(line.partition("[")[2].rstrip("]"))
        elif in_needs and "Name: " in line:
            asked.add(line.partition("Name: ")[2].split()[0])
    return needed, asked


def agrees_with_readelf(paths: list[str]) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("no readelf on this machine")
    for path in paths:
        found = Elf(Path(path).read_bytes())
        asked = {each for names in found.versions().values() for each in names}
        assert (found.dynamic()["needed"], asked) == as_readelf_says(path), path


def test_readelf_agrees_on_the_libraries_of_this_python(own: list[str]) -> None:
    agrees_with_readelf(own)


@pytest.mark.slow
def test_readelf_agrees_on_a_large_environment(many: list[str]) -> None:
    agrees_with_readelf(many)
