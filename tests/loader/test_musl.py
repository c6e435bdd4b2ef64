"""musl's order, where it is another than glibc's."""

from __future__ import annotations

from envsnap.host import Binary
from envsnap.sections import Fact
from tests.loader.machines import MUSL, elf, host, needs

MODULE = "/env/m.so"
PROGRAM = elf("libc.musl-x86_64.so.1", interpreter=MUSL)


def test_the_linker_itself_is_the_c_library() -> None:
    machine = host({MODULE: elf("libc.musl-x86_64.so.1", "libpthread.so.0")}, program=PROGRAM)
    assert needs(machine, MODULE) == [(MUSL, "loaded"), (MUSL, "loaded")]


def test_ld_library_path_comes_first_and_a_runpath_helps_those_below() -> None:
    found: dict[str, Fact[Binary | None]] = {
        MODULE: elf("liba.so", runpath=["/own"]),
        "/own/liba.so": elf("libz.so.1"),
        "/own/libz.so.1": elf(),
        "/ld/libz.so.1": elf(),
    }
    assert needs(host(found, program=PROGRAM), MODULE, of="/own/liba.so") == [
        ("/own/libz.so.1", "runpath")
    ]
    environ = {"LD_LIBRARY_PATH": "/ld"}
    assert needs(host(found, program=PROGRAM, environ=environ), MODULE, of="/own/liba.so") == [
        ("/ld/libz.so.1", "LD_LIBRARY_PATH")
    ]


def test_a_soname_does_not_answer() -> None:
    found: dict[str, Fact[Binary | None]] = {
        MODULE: elf("/opt/ours.so", "libz.so.1"),
        "/opt/ours.so": elf(soname="libz.so.1"),
        "/usr/lib/libz.so.1": elf(soname="libz.so.1"),
    }
    assert needs(host(found, program=PROGRAM), MODULE) == [
        ("/opt/ours.so", "path"),
        ("/usr/lib/libz.so.1", "default"),
    ]


def test_the_folders_are_those_of_its_path_file() -> None:
    found: dict[str, Fact[Binary | None]] = {
        MODULE: elf("libz.so.1"),
        "/usr/lib/libz.so.1": elf(),
        "/site/lib/libz.so.1": elf(),
    }
    files = {"/etc/ld-musl-x86_64.path": "/site/lib\n/usr/lib\n"}
    assert needs(host(found, program=PROGRAM, files=files), MODULE) == [
        ("/site/lib/libz.so.1", "default")
    ]
