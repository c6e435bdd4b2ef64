"""The system libraries that the environment's code needs and none of its packages brings.

The evidence is what the modules themselves ask the dynamic linker for, followed through libraries
that packages bring, and no further: what a system's library needs is its own package's matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.loader import Linked
from envsnap.probes._deep._elf_files import ElfFile, read_files
from envsnap.probes._deep._linked import linked
from envsnap.probes._deep._owners import owners
from envsnap.probes._deep._path_class import name_of, place_of
from envsnap.probes._registry import Look, probe
from envsnap.sections import Exempt, Fact, SystemLibraries, SystemLibrary, Unknown

DRIVER = ("libcuda.so", "libnvidia-", "libnvcuvid.so", "libnvoptix.so")
"""What the driver brings; a container is given it by the machine that it runs on."""
BROUGHT, PLUG_IN = "brought", "plug-in"
_STANDARD = "/lib-dynload/"
_NUMBERED = re.compile(r"(.{1,100}?)_(\d{1,9}(?:\.\d{1,9}){0,7})\Z")


class Need(NamedTuple):
    """One library that one file asks for, and what answers."""

    name: str
    file: ElfFile
    path: str | None
    """The file that answers, links resolved; None if nothing does."""


@probe(SystemLibraries)
def probe_system_libraries(look: Look) -> SystemLibraries:
    """What must be on a machine or in an image beside the packages themselves."""
    interpreter, files, closures = look.interpreter, _files(look), linked(look)
    if isinstance(interpreter, Unknown):
        return SystemLibraries(needed=interpreter, exempt=interpreter)
    if isinstance(files, Unknown):
        return SystemLibraries(needed=files, exempt=files)
    if isinstance(closures, Unknown):
        return SystemLibraries(needed=closures, exempt=closures)
    reached, needs = follow(files, closures)
    base = interpreter.base_prefix.rstrip("/")
    outside = [each for each in needs if not _is_of_python(each, base)]
    brought = _brought(files)
    needed = [each for each in outside if _why_not(each, brought) is None]
    return SystemLibraries(
        needed=_needed(look, needed), exempt=_exempt(look, files, reached, outside)
    )


def _files(look: Look) -> Fact[Sequence[ElfFile]]:
    """All library files; unknown where one could not be read, for it may need something."""
    found = read_files(look)
    if isinstance(found, Unknown):
        return found
    for path, why in sorted(found.unread.items()):
        return Unknown(why.reason, f"{place_of(look, path)}: {why.detail}"[:200])
    return found.files


def follow(
    files: Sequence[ElfFile], closures: Mapping[str, tuple[Linked, ...]]
) -> tuple[frozenset[str], Sequence[Need]]:
    """The packages' files that importable code reaches, and what these ask for from outside.

    The interpreter's own modules are left out: what they need comes with the interpreter.
    """
    ours = {each.path: each for each in files}
    reached: set[str] = set()
    needs: dict[tuple[str, str, str | None], Need] = {}
    for root, closure in closures.items():
        if _STANDARD in root:
            continue
        answers = {each.path: each.needs for each in closure}
        waiting, seen = [root], {root}
        while waiting:
            file = ours.get(waiting.pop())
            if file is None:
                continue
            reached.add(file.path)
            for answer in answers.get(file.path, ()):
                if answer.path not in ours:
                    need = Need(answer.name, file, answer.path)
                    needs[answer.name, file.path, answer.path] = need
                elif answer.path not in seen and answer.path is not None:
                    seen.add(answer.path)
                    waiting.append(answer.path)
    return frozenset(reached), [needs[key] for key in sorted(needs, key=str)]


def _is_of_python(need: Need, base: str) -> bool:
    """Whether the answer is the interpreter itself, or lies in its own installation."""
    if need.path is None:
        return False
    of_system = base in {"", "/usr", "/usr/local"}
    return need.path.startswith(f"{base}/") if not of_system else need.name.startswith("libpython")


def _needed(look: Look, needs: Iterable[Need]) -> tuple[SystemLibrary, ...]:
    """One for each name; the files that answer differ at most by who asks."""
    by_name: dict[str, list[Need]] = {}
    for need in needs:
        by_name.setdefault(name_of(look, need.name), []).append(need)
    places = {name: _place(asked) for name, asked in by_name.items()}
    brought = owners(look.host, sorted({place for place in places.values() if place}))
    return tuple(
        SystemLibrary(
            name=name,
            versions=newest(name_of(look, each) for each in _versions(by_name[name])),
            needed_by=_distributions(need.file for need in by_name[name]),
            location=place_of(look, place) if place else None,
            owner=brought.get(place) if place else None,
        )
        for name, place in sorted(places.items())
    )


def _place(asked: Iterable[Need]) -> str | None:
    return min((need.path for need in asked if need.path), default=None)


def _versions(asked: Iterable[Need]) -> Iterator[str]:
    for need in asked:
        for library, versions in need.file.binary.versions:
            if library == need.name:
                yield from versions


def newest(versions: Iterable[str]) -> tuple[str, ...]:
    """The newest of each series, sorted; what has no number is a series of its own.

    >>> newest(["GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.2.5", "CXXABI_1.3", "GLIBC_PRIVATE"])
    ('CXXABI_1.3', 'GLIBC_2.34', 'GLIBC_PRIVATE')
    """
    best: dict[str, tuple[tuple[int, ...], str]] = {}
    for version in versions:
        parts = _NUMBERED.match(version)
        series, number = (parts[1], parts[2]) if parts else (version, "")
        rank = tuple(int(each) for each in number.split(".") if each), version
        best[series] = max(best.get(series, rank), rank)
    return tuple(sorted(version for _, version in best.values()))


def _distributions(files: Iterable[ElfFile]) -> tuple[str, ...]:
    return tuple(sorted({each.distribution for each in files if each.distribution}))


def _brought(files: Sequence[ElfFile]) -> frozenset[str]:
    """The names by which the packages' own files can be asked for."""
    names = [(each.path.rpartition("/")[2], each.binary.soname) for each in files]
    return frozenset(name for both in names for name in both if name is not None)


def _why_not(need: Need, brought: frozenset[str]) -> str | None:
    """Why what is asked for from outside need not be in an image; None if it must be there."""
    if need.name.startswith(DRIVER):
        return "driver"
    return BROUGHT if need.path is None and need.name in brought else None


def _exempt(
    look: Look, files: Sequence[ElfFile], reached: frozenset[str], outside: Sequence[Need]
) -> tuple[Exempt, ...]:
    """What an image need not have, and what only files ask for that nothing importable reaches."""
    asked: dict[tuple[str, str], list[ElfFile]] = {}
    brought = _brought(files)
    for need in outside:
        why = _why_not(need, brought)
        if why is not None:
            asked.setdefault((name_of(look, need.name), why), []).append(need.file)
    needed = {need.name for need in outside}
    for file in files:
        if file.path in reached or _STANDARD in file.path:
            continue
        for name in file.binary.needed:
            if name not in brought and name not in needed:
                why = "driver" if name.startswith(DRIVER) else PLUG_IN
                asked.setdefault((name_of(look, name), why), []).append(file)
    return tuple(
        Exempt(name=name, why=why, needed_by=_distributions(asked[name, why]))
        for name, why in sorted(asked)
    )
