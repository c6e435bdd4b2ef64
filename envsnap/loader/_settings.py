"""What the linker of a program finds in its surroundings: variables, files, the processor."""

from __future__ import annotations

import re

from envsnap.host import Binary, Host
from envsnap.loader._cache import parse_cache
from envsnap.loader._files import Files
from envsnap.loader._search import Glibc, Musl, Search, Settings, absolute
from envsnap.sections import Fact, Unknown

_CACHE_LIMIT_BYTES = 32 << 20
_LINKER_LIMIT_BYTES = 4 << 20
_CPUINFO_LIMIT_BYTES = 1 << 20
_BUILT_IN = re.compile(rb"(?:/[A-Za-z0-9_./+-]{1,200}/\0){2,16}")
_MULTIARCH = re.compile(r"/lib/([a-z0-9_]+-linux-[a-z0-9]+)\Z")
_USUAL = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_OF_MUSL = ("/lib", "/usr/local/lib", "/usr/lib")
_V2 = frozenset({"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"})
_V3 = _V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}
_V4 = _V3 | {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}
_X86_LEVELS = (("x86-64-v4", _V4), ("x86-64-v3", _V3), ("x86-64-v2", _V2))
"""As the psABI of x86-64 lists them, by the names of /proc/cpuinfo."""
_POWER = re.compile(r"^cpu\s*:\s*POWER(\d+)", re.MULTILINE)
_POWER_LEVELS = ((10, "power10"), (9, "power9"))


def search_of(host: Host, files: Files, program: str, binary: Binary) -> Search:
    """How the linker that this program names will look."""
    interpreter = binary.interpreter or ""
    cwd = host.cwd()
    settings = Settings(
        folders=_folders(_variable(host, "LD_LIBRARY_PATH")),
        preloaded=_preloaded(host),
        defaults=(),
        levels=(),
        words={},
        cwd=cwd if isinstance(cwd, str) else "/",
    )
    if "/ld-musl-" in interpreter:
        name = interpreter.rpartition("/")[2].partition(".")[0].removeprefix("ld-musl-")
        listed = files.text(f"/etc/ld-musl-{name}.path")
        folders = tuple(re.split(r"[:\n]", listed.strip())) if listed else _OF_MUSL
        return Musl(files, settings._replace(defaults=folders), program, interpreter)
    defaults = _defaults(host, interpreter)
    raw = host.read("/etc/ld.so.cache", limit=_CACHE_LIMIT_BYTES)
    cache = parse_cache(raw, binary.machine) if isinstance(raw, bytes) else {}
    levels = _levels(host, binary.machine)
    words = {"LIB": _lib(defaults, binary.bits), "PLATFORM": binary.machine}
    settings = settings._replace(defaults=defaults, levels=levels, words=words)
    return Glibc(files, settings, cache, program)


def user_folders(host: Host) -> Fact[tuple[str, ...]]:
    """LD_LIBRARY_PATH's folders, from the root: they come before the cache and the defaults."""
    value = host.environ("LD_LIBRARY_PATH")
    if isinstance(value, Unknown):
        return value
    folders, cwd = _folders(value or ""), host.cwd()
    if isinstance(cwd, Unknown):
        return tuple(absolute(each, "/") for each in folders if each.startswith("/"))
    return tuple(absolute(each, cwd) for each in folders)


def cached_files(host: Host, name: str) -> Fact[tuple[str, ...]]:
    """The files that the linker's cache has for a name, in its order; none where it has none."""
    raw, uname = host.read("/etc/ld.so.cache", limit=_CACHE_LIMIT_BYTES), host.uname()
    if isinstance(raw, Unknown):
        return raw
    machine = "" if isinstance(uname, Unknown) else uname.machine
    return tuple(each.path for each in parse_cache(raw or b"", machine).get(name, ()))


def _variable(host: Host, name: str) -> str:
    value = host.environ(name)
    return value if isinstance(value, str) else ""


def _folders(value: str) -> tuple[str, ...]:
    """The folders of LD_LIBRARY_PATH. An empty one among others is the working folder."""
    return tuple(re.split("[:;]", value)) if value else ()


def _preloaded(host: Host) -> tuple[str, ...]:
    raw = host.read("/etc/ld.so.preload", limit=1 << 16)
    listed = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else ""
    lines = [line.partition("#")[0] for line in listed.splitlines()]
    names = re.split(r"[ :]+", _variable(host, "LD_PRELOAD")) + re.split(r"[\s:]+", " ".join(lines))
    return tuple(name for name in names if name)


def _defaults(host: Host, interpreter: str) -> tuple[str, ...]:
    """The default folders, which differ from one system to the next: the linker's file has them.

    Where it cannot be read, the folders of most systems.
    """
    raw = host.read(interpreter, limit=_LINKER_LIMIT_BYTES) if interpreter else None
    for found in _BUILT_IN.finditer(raw) if isinstance(raw, bytes) else ():
        folders = found.group().decode("ascii").split("\0")
        return tuple(folder.rstrip("/") for folder in folders if folder)
    return _USUAL


def _lib(defaults: tuple[str, ...], bits: int) -> str:
    """What $LIB stands for: the system's folder of libraries, seen from /usr."""
    for folder in defaults:
        named = _MULTIARCH.search(folder)
        if named:
            return f"lib/{named[1]}"
    return "lib64" if bits == 64 and "/lib64" in defaults else "lib"  # noqa: PLR2004


def _levels(host: Host, machine: str) -> tuple[str, ...]:
    """The folders of glibc-hwcaps for this processor, the best first; none where it is unknown."""
    if machine not in {"x86_64", "ppc64le"}:
        return ()
    raw = host.read("/proc/cpuinfo", limit=_CPUINFO_LIMIT_BYTES)
    return parse_levels(raw.decode("utf-8", "replace"), machine) if isinstance(raw, bytes) else ()


def parse_levels(cpuinfo: str, machine: str) -> tuple[str, ...]:
    r"""The levels that /proc/cpuinfo proves, the best first.

    >>> parse_levels("flags\t: cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3\n", "x86_64")
    ('x86-64-v2',)
    """
    if machine == "ppc64le":
        power = _POWER.search(cpuinfo)
        generation = int(power[1]) if power else 0
        return tuple(name for least, name in _POWER_LEVELS if generation >= least)
    flags = _flags(cpuinfo)
    return tuple(name for name, needed in _X86_LEVELS if needed <= flags)


def _flags(cpuinfo: str) -> frozenset[str]:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
