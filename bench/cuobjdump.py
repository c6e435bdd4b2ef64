"""What NVIDIA's own cuobjdump says of a library's GPU code: the reference for ours.

It looks at the sections that the CUDA runtime registers. Fat binaries in other data are handed to
it one file at a time, cut out here. It writes `sm_100` in its lists for code of the family
`sm_100f`, and lists modules in which there is no function: so one module of each kind, architecture
and variant is dumped, too.
"""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from envsnap.inside.elf import Elf

if TYPE_CHECKING:
    import mmap

PTX, SASS, LINKABLE = 1, 2, 8
REGISTERED = {".nv_fatbin", "__nv_relfatbin"}
_NAMED = re.compile(r"\.(sm|compute)_(\d+[af]?)\.(?:cubin|ptx)$", re.MULTILINE)
_ARCH = re.compile(r"^arch = sm_(\d+[af]?)$", re.MULTILINE)
_CODE = {SASS: re.compile(r"\.text\."), PTX: re.compile(r"\.(?:entry|func)\b")}
_MAGIC = b"\x50\xed\x55\xba"
_SURELY_CODE = 8192


class Module(NamedTuple):
    """One entry of a fat binary."""

    section: str
    kind: int
    arch: int
    variant: int
    size: int
    """Bytes, unpacked."""
    start: int
    length: int
    """Bytes in the file, its header included."""


class Listed(NamedTuple):
    """What `--list-elf` and `--list-ptx` say, and how long both took."""

    tool: str
    """The version that answered: the newest one that does not refuse the file."""
    sass: set[str]
    ptx: set[str]
    seconds: float


def version(tool: str) -> str:
    """The version that a cuobjdump says it is."""
    said = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
    return said.rpartition(", V")[2].split()[0]


def listed(tools: Sequence[str], path: Path) -> Listed:
    """The targets that the first of these programs lists which takes the file."""
    for tool in tools:
        start = time.perf_counter()
        said = [_asked(tool, ["-all", option], path) for option in ("--list-elf", "--list-ptx")]
        seconds = time.perf_counter() - start
        sass, ptx = ({match[1] for match in _NAMED.findall(text)} for text, _ in said)
        if not any("fatal" in error for _, error in said):
            sass, ptx = {f"sm_{each}" for each in sass}, {f"compute_{each}" for each in ptx}
            return Listed(version(tool), sass, ptx, seconds)
    message = f"bench: no cuobjdump takes {path}"
    raise SystemExit(message)


def _asked(tool: str, options: list[str], path: Path) -> tuple[str, str]:
    ran = subprocess.run(
        [tool, *options, path], check=False, capture_output=True, text=True,
        errors="replace", timeout=900,
    )  # fmt: skip
    return ran.stdout, ran.stderr


def fatbins(data: mmap.mmap, elf: Elf) -> Iterator[list[Module]]:
    """The modules of each fat binary in the mapped data of a library that is nobody's attack."""
    for section in elf.sections():
        if section.kind != 1 or section.flags & 6 != 2:  # noqa: PLR2004 - ELF's numbers
            continue
        end = section.offset + section.size
        at = data.find(_MAGIC, section.offset, end)
        while at >= 0:
            known, header, size = struct.unpack("<HHQ", data[at + 4 : at + 16])
            if known == 1 and header == 16 and at + 16 + size <= end:  # noqa: PLR2004 - the format
                yield list(_modules(data, section.name, at + 16, at + 16 + size))
                at += 12 + size
            at = data.find(_MAGIC, at + 4, end)


def _modules(data: mmap.mmap, section: str, at: int, end: int) -> Iterator[Module]:
    while at < end:
        kind, _, header, size = struct.unpack("<HHIQ", data[at : at + 16])
        arch = struct.unpack("<I", data[at + 28 : at + 32])[0]
        flags, _, unpacked = struct.unpack("<QQQ", data[at + 40 : at + 64])
        yield Module(section, kind, arch, flags & 0x300000, unpacked or size, at, header + size)
        at += header + size


def described(tools: Sequence[str], path: Path, data: mmap.mmap) -> dict[str, Any]:
    """All that the reference says of a library, as a row of the golden list."""
    whole = listed(tools, path)
    own: list[Module] = []
    linkable: list[Module] = []
    for modules in fatbins(data, Elf(data)):
        parts = modules[0].section not in REGISTERED and any(x.kind == LINKABLE for x in modules)
        (linkable if parts else own).extend(modules)
    others = [x for x in own if x.section not in REGISTERED and x.kind != LINKABLE]
    row: dict[str, Any] = {
        "cuobjdump": whole.tool,
        "cuobjdump_s": round(whole.seconds, 3),
        "bytes": len(data),
        "listed": {"sass": sorted(whole.sass), "ptx": sorted(whole.ptx)},
        "modules": _kinds(own),
    }
    if linkable:
        row["linkable"] = _kinds(linkable)
    if others:
        with tempfile.TemporaryDirectory() as folder:
            told = listed(tools, _written(folder, data, others))
        row["elsewhere"] = {"sass": sorted(told.sass), "ptx": sorted(told.ptx)}
    targets, empty = _dumped(tools, data, own)
    return {**row, "targets": targets, "empty": empty}


def _kinds(modules: Iterable[Module]) -> list[list[object]]:
    """Section, kind, architecture, variant and largest size, each combination once."""
    largest: dict[tuple[str, int, int, int], int] = {}
    for each in modules:
        largest[each[:4]] = max(largest.get(each[:4], 0), each.size)
    return [[*key, size] for key, size in sorted(largest.items())]


def _written(folder: str, data: mmap.mmap, modules: Iterable[Module]) -> Path:
    """A file with one fat binary of these modules."""
    body = b"".join(data[each.start : each.start + each.length] for each in modules)
    path = Path(folder) / "these.fatbin"
    path.write_bytes(_MAGIC + struct.pack("<HHQ", 1, 16, len(body)) + body)
    return path


def _dumped(
    tools: Sequence[str], data: mmap.mmap, modules: Iterable[Module]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The targets of modules with a function, by their dump, and those that have none in any."""
    groups: dict[tuple[int, int, int], list[Module]] = {}
    for each in modules:
        if each.kind in _CODE:
            groups.setdefault(each[1:4], []).append(each)
    code: dict[int, set[str]] = {SASS: set(), PTX: set()}
    empty: dict[int, set[str]] = {SASS: set(), PTX: set()}
    for (kind, arch, _), group in sorted(groups.items()):
        names, has_code = set(), False
        for each in _telling(group):
            name, has_code = _dump(tools, data, each)
            names.add(name or f"{arch}?")
            if has_code:
                break
        (code if has_code else empty)[kind] |= names
    return _worded(code), _worded({kind: empty[kind] - code[kind] for kind in empty})


def _telling(group: list[Module]) -> list[Module]:
    """Two modules that are surely code and the largest; where there are none, all of them."""
    group.sort(key=lambda each: each.size)
    large = [each for each in group if each.size >= _SURELY_CODE]
    return [*large[:2], large[-1]] if large else group[::-1]


def _dump(tools: Sequence[str], data: mmap.mmap, module: Module) -> tuple[str | None, bool]:
    """The architecture as a dump names it, and whether there is a function in the module."""
    option = "-elf" if module.kind == SASS else "-ptx"
    with tempfile.TemporaryDirectory() as folder:
        path = _written(folder, data, [module])
        for tool in tools:
            text, error = _asked(tool, [option], path)
            match = _ARCH.search(text)
            if match and "fatal" not in error:
                return match[1], bool(_CODE[module.kind].search(text))
    return None, False


def small(
    tools: Sequence[str], data: mmap.mmap, most: int
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The least module of each kind, form and answer that is not surely code, and its bytes."""
    told: set[tuple[object, ...]] = set()
    modules = (each for fatbin in fatbins(data, Elf(data)) for each in fatbin)
    few = (each for each in modules if each.kind in _CODE and each.size < _SURELY_CODE)
    for each in sorted(few, key=lambda each: each.length)[:most]:
        flags = struct.unpack("<Q", data[each.start + 40 : each.start + 48])[0]
        form = {0x2000: "lz4", 0x8000: "zstandard"}.get(flags & 0xA000, "plain")
        name, has_function = _dump(tools, data, each)
        if name is not None and (each.kind, form, has_function) not in told:
            told.add((each.kind, form, has_function))
            row = {"kind": each.kind, "arch": each.arch, "form": form, "function": has_function}
            yield row, data[each.start : each.start + each.length]


def _worded(found: dict[int, set[str]]) -> dict[str, list[str]]:
    return {
        "sass": sorted(f"sm_{each}" for each in found[SASS]),
        "ptx": sorted(f"compute_{each}" for each in found[PTX]),
    }
