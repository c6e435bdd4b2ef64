"""Which C library a Linux runs on, by its files; by a command only where they are not found."""

from __future__ import annotations

import re

from envsnap._typing import Literal, NamedTuple
from envsnap.host import Host
from envsnap.probes._texts import read_text, said, system, unparsable
from envsnap.sections import Fact, Reason, Unknown

_MULTIARCH = (
    "x86_64-linux-gnu", "aarch64-linux-gnu", "powerpc64le-linux-gnu", "riscv64-linux-gnu",
    "s390x-linux-gnu", "i386-linux-gnu", "arm-linux-gnueabihf",
)  # fmt: skip
_MUSL_MACHINES = ("x86_64", "aarch64", "powerpc64le", "riscv64", "s390x", "i386", "armhf")
_OF_MACHINE = {"ppc64le": "powerpc64le", "i686": "i386", "armv7l": "arm"}

_BANNER = b"GNU C Library ("
_GLIBC = re.compile(rb"GNU C Library [^\n\0]{0,200}? release version (\d+\.\d+(?:\.\d+)?)")
_MUSL = r"(?m)^Version (\d+(?:\.\d+)+)"
_APK_MUSL = r"(?:^|\n)P:musl\nV:(\d+(?:\.\d+)+)"
_LIBC_BYTES = 8 << 20

_ELF_MACHINES = {
    0x3E: "x86_64", 0xB7: "aarch64", 0x15: "ppc64le", 0xF3: "riscv64", 0x16: "s390x", 0x03: "i686",
}  # fmt: skip


class Libc(NamedTuple):
    """The C library, and the machine that it was compiled for."""

    name: Fact[str | None]
    version: Fact[str | None]
    machine: str | None = None


def libc(host: Host) -> Libc:
    """The C library's name and version; None for both on macOS and Windows."""
    name = system(host)
    if name in {"Darwin", "Windows"}:
        return Libc(None, None)
    kernel = host.uname()
    machine = "" if isinstance(kernel, Unknown) else kernel.machine
    return _glibc(host, machine) or _musl(host, machine) or _asked(host)


def _glibc(host: Host, machine: str) -> Libc | None:
    """Find glibc, which tells its version in its own file."""
    for folder in _folders(machine):
        found = host.read(f"{folder}/libc.so.6", limit=_LIBC_BYTES)
        if isinstance(found, bytes) and (version := parse_glibc(found)):
            return Libc("glibc", version, parse_elf_machine(found[:20]))
    return None


def _folders(machine: str) -> list[str]:
    """Where libc.so.6 lies, the likeliest folder first."""
    spoken = _OF_MACHINE.get(machine, machine)
    own = [triple for triple in _MULTIARCH if machine and triple.startswith(spoken)]
    triples = own or list(_MULTIARCH)
    return [
        *(f"/lib/{triple}" for triple in triples),
        "/lib64",
        *(f"/usr/lib/{triple}" for triple in triples),
        *("/usr/lib64", "/lib", "/usr/lib"),
    ]


def parse_glibc(file: bytes) -> str | None:
    """The version in glibc's own banner; None if the file is another library."""
    start = file.find(_BANNER)
    found = _GLIBC.match(file, start) if start >= 0 else None
    return found[1].decode() if found else None


def _musl(host: Host, machine: str) -> Libc | None:
    """Find musl. Its loader tells the version when run; in a mere tree, apk's database does."""
    spoken = _OF_MACHINE.get(machine, machine)
    own = [name for name in _MUSL_MACHINES if machine and name.startswith(spoken)]
    for name in own or _MUSL_MACHINES:
        loader = f"/lib/ld-musl-{name}.so.1"
        start = host.read(loader, limit=20)
        if isinstance(start, bytes):
            ran = host.run([loader])
            version = _musl_in_apk(host) if isinstance(ran, Unknown) else parse_musl(ran.stderr)
            silent = Unknown(Reason.NOT_SUPPORTED, "musl's loader does not tell it")
            return Libc("musl", version or silent, parse_elf_machine(start))
    return None


def _musl_in_apk(host: Host) -> str | None:
    database = read_text(host, "/lib/apk/db/installed", limit=_LIBC_BYTES)
    return parse_apk_musl(database) if isinstance(database, str) else None


def parse_musl(text: str) -> str | None:
    """The version that musl's loader prints when it is run alone."""
    found = re.search(_MUSL, text) if text.startswith("musl libc") else None
    return found[1] if found else None


def parse_apk_musl(text: str) -> str | None:
    """The version of musl in Alpine's database of installed packages."""
    found = re.search(_APK_MUSL, text)
    return found[1] if found else None


def _asked(host: Host) -> Libc:
    """Systems that keep their libraries elsewhere, as NixOS and Guix, have getconf on PATH."""
    answer = said(host, ["getconf", "GNU_LIBC_VERSION"])
    if isinstance(answer, Unknown):
        return Libc(answer, answer)
    name, _, version = answer.strip().partition(" ")
    if name != "glibc" or not re.fullmatch(r"\d+(\.\d+)+", version):
        strange = unparsable("getconf GNU_LIBC_VERSION", answer)
        return Libc(strange, strange)
    return Libc("glibc", version)


def parse_elf_machine(header: bytes) -> str | None:
    """The machine that an ELF file is for, from its first 20 bytes."""
    if len(header) < 20 or header[:4] != b"\x7fELF":  # noqa: PLR2004 - up to and with e_machine
        return None
    order: Literal["little", "big"] = "big" if header[5] == 2 else "little"  # noqa: PLR2004 - ELFDATA2MSB
    return _ELF_MACHINES.get(int.from_bytes(header[18:20], order))
