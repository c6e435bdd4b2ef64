"""Machines of a few libraries, written down: what each says of itself, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap.host import Binary, RecordedHost, Uname
from envsnap.loader import Linked, Loader
from envsnap.loader._files import NOT_YET
from envsnap.sections import Fact, Unknown

PYTHON = "/env/bin/python"
SITE = "/env/lib/python3.11/site-packages"
LINKER = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
V2 = "flags\t\t: cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3\n"


def elf(
    *needed: str,
    soname: str | None = None,
    rpath: Sequence[str] = (),
    runpath: Sequence[str] = (),
    machine: str = "x86_64",
    interpreter: str | None = None,
) -> Binary:
    return NOT_YET._replace(
        machine=machine,
        bits=64,
        soname=soname,
        needed=needed,
        rpath=tuple(rpath),
        runpath=tuple(runpath),
        interpreter=interpreter,
    )


def host(
    libraries: Mapping[str, Fact[Binary | None]],
    *,
    files: Mapping[str, str | bytes] | None = None,
    links: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    program: Binary | None = None,
) -> RecordedHost:
    """A whole machine with these libraries, and Python in /env."""
    own: dict[str, Fact[Binary | None]] = {
        PYTHON: program or elf("libc.so.6", interpreter=LINKER),
        LINKER: elf(soname="ld-linux-x86-64.so.2"),
        MUSL: elf(soname="libc.musl-x86_64.so.1"),
        "/lib64/libc.so.6": elf(soname="libc.so.6"),
    }
    return RecordedHost.made(
        binaries={**own, **libraries},
        files=files or {},
        links=links or {},
        absent_below=["/"],
        environ=environ or {},
        uname=Uname("Linux", "6.1.0", "#1 SMP", "x86_64"),
        cwd="/place",
    )


def loaded(machine: RecordedHost, path: str) -> tuple[Linked, ...]:
    found = Loader(machine, PYTHON, path=[SITE]).closure(path)
    assert not isinstance(found, Unknown), found
    return found


def needs(machine: RecordedHost, path: str, of: str | None = None) -> list[tuple[str | None, str]]:
    """Which files answer for the needs of a library, and how they were found."""
    (wanted,) = [each for each in loaded(machine, path) if each.path == (of or path)]
    return [(need.path, need.found_by) for need in wanted.needs]
