"""What reports say of the system, the processor and Python, in the words of a manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap._typing import NamedTuple
from envsnap.imports._core import NOT_TOLD, blank
from envsnap.sections import Cpu, Fact, Os, Python, Reason, Unknown, replace

_MACHINES = "x86_64|AMD64|amd64|aarch64|arm64|ppc64le|s390x|riscv64|i[36]86|armv[67]l"
_LINUX = re.compile(rf"Linux-(.{{1,120}}?)-({_MACHINES})(?:-with-?(.{{0,80}}))?\Z")
_MAC = re.compile(rf"(?:macOS|Darwin)-([\d.]{{1,20}})-({_MACHINES})\b")
_WINDOWS = re.compile(r"Windows-\w{1,20}-([\d.]{1,30})")
_GLIBC = re.compile(r"glibc[- ]?(\d{1,3}\.\d{1,3})\b")
_CONFSTR = (3, 8)
"""From this Python on `platform.libc_ver()` asks the C library; before, it reads the needs of
the interpreter's own file, which are older."""
_PLATFORM_CONFSTR = (3, 9)
"""The same for the C library in `platform.platform()`."""
_ARCHITECTURE = re.compile(rf"\(({_MACHINES})\)\s*\Z")
_NUMBERS = re.compile(r"\d{1,5}(?:\.\d{1,6}){0,2}")
_DISTRIBUTIONS: Mapping[str, tuple[str, int]] = {
    "ubuntu": ("ubuntu", 2),
    "debian gnu/linux": ("debian", 1),
    "centos stream": ("centos", 1),
    "centos linux": ("centos", 1),
    "red hat enterprise linux": ("rhel", 2),
    "rocky linux": ("rocky", 2),
    "almalinux": ("almalinux", 2),
    "oracle linux": ("ol", 2),
    "fedora": ("fedora", 1),
    "amazon linux": ("amzn", 1),
    "suse linux enterprise server": ("sles", 2),
    "opensuse leap": ("opensuse-leap", 2),
    "arch linux": ("arch", 0),
    "manjaro linux": ("manjaro", 0),
    "linux mint": ("linuxmint", 2),
    "pop!_os": ("pop", 2),
    "nixos": ("nixos", 2),
}
"""How the names that people know begin: os-release's ID, and how many numbers VERSION_ID has."""
_PYTHON = re.compile(r"(\d{1,2}\.\d{1,3}\.\d{1,3}(?:(?:a|b|rc)\d{1,3})?\+?)(?![\w.])")
_BUILD = re.compile(r"\(([^()]{0,60}, )?(\w{3} {1,2}\d{1,2} \d{4}, \d{2}:\d{2}:\d{2})\)")
_COMPILER = re.compile(r"\[((?:GCC|Clang|MSC|Apple)[^\[\]\n]{0,100})\]")
_MORE_NUMBERS = 3
_LONGEST = 128
_MOST_THREADS = 1 << 20


class Platform(NamedTuple):
    """What `platform.platform()` tells."""

    system: str
    release: Fact[str]
    """The kernel's release on Linux, the system's version on macOS and Windows."""
    machine: Fact[str]
    glibc: Fact[str]


def platform_of(text: str) -> Platform | None:
    """The parts of platform.platform(); None for other text.

    >>> platform_of("Linux-5.15.0-84-generic-x86_64-with-glibc2.35").release
    '5.15.0-84-generic'
    """
    text = text.strip()
    linux, mac, windows = _LINUX.match(text), _MAC.match(text), _WINDOWS.match(text)
    if linux:
        glibc = _GLIBC.match(linux[3] or "")
        return Platform("Linux", linux[1], linux[2], glibc[1] if glibc else NOT_TOLD)
    if mac:
        return Platform("Darwin", mac[1], mac[2], NOT_TOLD)
    if windows:
        return Platform("Windows", windows[1], NOT_TOLD, NOT_TOLD)
    return None


def os_of(
    platform: Platform | None, *, name: str | None = None, libc: str | None = None,
    python: Python | Unknown = NOT_TOLD,
) -> Os | Unknown:  # fmt: skip
    """The system, by platform.platform(), by what people call it, and by its C library."""
    called = _called(name) if name else None
    if called is None and platform is None:
        return NOT_TOLD
    section = called or blank(Os)
    if platform is not None:
        section = replace(section, **_as_platform_says(section, platform, python))
    glibc = _GLIBC.match(libc or "")
    if glibc and _version_of(python) >= _CONFSTR:
        section = replace(section, libc="glibc", libc_version=glibc[1])
    return section


def _as_platform_says(
    section: Os, platform: Platform, python: Python | Unknown
) -> dict[str, object]:
    """The facts of a system that the platform's name tells."""
    if platform.system != "Linux":
        named = {"Darwin": "macOS", "Windows": "Windows"}[platform.system]
        is_named = isinstance(section.distribution_name, str)
        return {
            "system": platform.system,
            "distribution": named.lower(),
            "distribution_version": platform.release,
            "distribution_name": section.distribution_name
            if is_named
            else f"{named} {platform.release}",
            "architecture": _known(platform.machine, section.architecture),
            "libc": None,
            "libc_version": None,
            "wsl": None,
        }
    from envsnap.probes.system import parse_wsl

    told: dict[str, object] = {
        "system": "Linux",
        "kernel": platform.release,
        "architecture": platform.machine,
        "wsl": parse_wsl(str(platform.release)),
    }
    if isinstance(platform.glibc, str) and _version_of(python) >= _PLATFORM_CONFSTR:
        told |= {"libc": "glibc", "libc_version": platform.glibc}
    return told


def _called(name: str) -> Os | None:
    """The system that people call so, as 'Ubuntu 22.04.3 LTS (x86_64)'."""
    machine = _ARCHITECTURE.search(name)
    bare = " ".join(_ARCHITECTURE.sub("", name).split())[:_LONGEST]
    lower = bare.lower()
    architecture: Fact[str] = machine[1] if machine else NOT_TOLD
    version = _NUMBERS.search(bare)
    if lower.startswith(("macos", "mac osx", "mac os x")):
        number = version[0] if version else NOT_TOLD
        return blank(
            Os, system="Darwin", distribution="macos", distribution_version=number, wsl=None,
            distribution_name=f"macOS {number}" if version else bare, libc=None,
            libc_version=None, architecture=architecture,
        )  # fmt: skip
    if "windows" in lower:
        build = re.search(r"\((\d+\.\d+\.\d+)", bare)
        return blank(
            Os, system="Windows", distribution="windows", wsl=None, libc=None, libc_version=None,
            distribution_name=bare.partition(" (")[0], architecture=architecture,
            distribution_version=build[1] if build else NOT_TOLD,
        )  # fmt: skip
    known = next((each for each in _DISTRIBUTIONS if lower.startswith(each)), None)
    if known is None:
        return None
    identity, numbers = _DISTRIBUTIONS[known]
    return blank(
        Os, system="Linux", distribution=identity, distribution_name=bare,
        distribution_version=_version_id(bare, numbers), architecture=architecture,
    )  # fmt: skip


def _version_id(name: str, numbers: int) -> Fact[str | None]:
    """os-release's VERSION_ID in a name: Ubuntu's has two numbers, Debian's one."""
    if numbers == 0:
        return None
    pack = re.search(r"(\d{1,3}) SP(\d{1,2})\b", name)
    found = _NUMBERS.search(name)
    if pack:
        return f"{pack[1]}.{pack[2]}"
    return ".".join(found[0].split(".")[:numbers]) if found else NOT_TOLD


def python_of(text: str, platform: Platform | None = None) -> Python | Unknown:
    """The interpreter, by sys.version or by its version alone; unknown without the patch.

    >>> str(python_of("3.6 (64-bit runtime)"))
    "not-recorded: the text says '3.6', without the patch"
    """
    match = _PYTHON.match(text.strip())
    if match is None:
        said = " ".join(text.split())[:20].partition(" (")[0]
        return Unknown(Reason.NOT_RECORDED, f"the text says {said!r}, without the patch")
    build, compiler = _BUILD.search(text), _COMPILER.search(text)
    is_pypy = "[PyPy" in text
    is_whole = build is not None or compiler is not None
    is_conda = "packaged by" in text or "|Anaconda" in text
    libc = platform.glibc if platform else NOT_TOLD
    is_sure = isinstance(libc, str) and _numbers(match[1]) >= _PLATFORM_CONFSTR
    return blank(
        Python,
        implementation="pypy" if is_pypy else "cpython",
        version=match[1],
        implementation_version=NOT_TOLD if is_pypy else match[1],
        free_threaded="free-threading" in text if is_whole else NOT_TOLD,
        architecture=_machine(text, platform),
        platform=_platform_tag(platform),
        origin="conda" if is_conda else NOT_TOLD,
        compiler=compiler[1].strip() if compiler else NOT_TOLD,
        build_date=build[2] if build else NOT_TOLD,
        libc=f"glibc {libc}" if is_sure else NOT_TOLD,
    )


def _machine(text: str, platform: Platform | None) -> Fact[str]:
    """The machine that it was compiled for."""
    if "(AMD64)" in text:
        return "AMD64"
    if "(ARM64)" in text:
        return "ARM64"
    return platform.machine if platform else NOT_TOLD


def _platform_tag(platform: Platform | None) -> Fact[str]:
    if platform is None or platform.system != "Linux" or isinstance(platform.machine, Unknown):
        return NOT_TOLD
    return f"linux-{platform.machine}"


def cpu_of(words: Mapping[str, str]) -> Cpu | Unknown:
    """The processor, by the fields of lscpu, of Windows or of macOS."""
    model = _first(words, "Model name", "Name")
    vendor = _first(words, "Vendor ID", "Manufacturer")
    flags = words.get("Flags", "").split()
    if not (model or vendor or flags):
        return NOT_TOLD
    machine, sockets = words.get("Architecture", ""), _whole(words.get("Socket(s)"))
    each, threads = _whole(words.get("Core(s) per socket")), _whole(words.get("CPU(s)"))
    features: Fact[tuple[str, ...]] = tuple(sorted(set(flags))) if flags else NOT_TOLD
    kind = _match(machine, vendor, flags)
    is_x86 = machine in {"x86_64", "i686", "i386"}
    return blank(
        Cpu,
        vendor=vendor or NOT_TOLD,
        model=model or NOT_TOLD,
        features=features,
        microarchitecture=kind[0] if kind else NOT_TOLD,
        generic_level=kind[1] if kind else (NOT_TOLD if is_x86 or not machine else None),
        sockets=sockets or NOT_TOLD,
        cores=sockets * each if sockets and each else NOT_TOLD,
        threads=threads or NOT_TOLD,
    )


def _match(machine: str, vendor: str | None, flags: list[str]) -> tuple[str, str] | None:
    """What archspec calls an x86 processor whose flags are told, and its level; None for others."""
    if machine != "x86_64" or not vendor or "fpu" not in flags:
        return None
    from envsnap.probes._archspec import Witness, match

    found = match(Witness(machine, vendor, frozenset(flags)))
    return (found.name, found.generic) if found else None


def _first(words: Mapping[str, str], *names: str) -> str | None:
    told = next((words[name] for name in names if words.get(name)), None)
    return " ".join(told.split())[:_LONGEST] if told else None


def _whole(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) < 8  # noqa: PLR2004 - no machine has 10^7 processors
    number = int(text) if text and is_number else 0
    return number if 0 < number < _MOST_THREADS else None


def _known(one: Fact[str], other: Fact[str]) -> Fact[str]:
    return other if isinstance(one, Unknown) else one


def _version_of(python: Python | Unknown) -> tuple[int, ...]:
    return (0,) if isinstance(python, Unknown) else _numbers(python.version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d{1,6}", version)[:_MORE_NUMBERS])
