"""Which file would answer for each library that results can depend on. Nothing is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.facts import library_families
from envsnap.host import Binary
from envsnap.loader import Answer, Linked
from envsnap.probes._cuda_packages import pip_family
from envsnap.probes._deep._elf_files import elf_files
from envsnap.probes._deep._linked import Loads, loads
from envsnap.probes._deep._path_class import Origin, name_of, place_of, sources_of
from envsnap.probes._registry import Look, NeedsError, probe
from envsnap.sections import (
    Consumer,
    Libraries,
    LibraryCopy,
    Load,
    Packages,
    Reason,
    Unknown,
)

_STRONGEST_FIRST = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "preload", "rpath", "runpath", "cache", "default", "path",
    "loaded",
)  # fmt: skip
_IN_NAME = re.compile(r"\.so\.(\d{1,9}(?:\.\d{1,9}){1,4})\Z")
_NUMBERED_BY_ABI = frozenset({"mpi", "openmp"})
"""Families whose files' names count their interface, not their versions."""
_IN_TEXT = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,4}")


_GONE = Unknown(Reason.CRASHED, "the file went away while it was read")


class _Used(NamedTuple):
    """What the modules of one distribution would load, by real path."""

    found_by: dict[str, str]
    missing: set[str]
    unread: list[Unknown]


@probe(Libraries, needs=(Packages,))
def probe_libraries(look: Look) -> Libraries:
    """What the dynamic linker would give to each distribution with compiled code."""
    files, found = elf_files(look), loads(look)
    if isinstance(files, Unknown):
        raise NeedsError(files)
    if isinstance(found, Unknown):
        raise NeedsError(found)
    modules: dict[str, list[str]] = {}
    for each in files:
        if each.distribution is not None and each.path in found.closures:
            modules.setdefault(each.distribution, []).append(each.path)
    families: dict[str, str] = {}
    used = {name: _used(found, paths, families) for name, paths in sorted(modules.items())}
    return Libraries(
        copies=copies_of(look, families, found.binaries),
        consumers=tuple(
            _consumer(look, name, each, families)
            for name, each in used.items()
            if each.found_by or each.missing or each.unread
        ),
    )


def _used(found: Loads, paths: Sequence[str], families: dict[str, str]) -> _Used:
    """The libraries of a family that these modules load, and what they lack."""
    used = _Used({}, set(), [])
    for linked in _once_each(found.closures, paths):
        if linked.path in found.unread:
            used.unread.append(found.unread[linked.path])
        for need in linked.needs:
            if need.path is None:
                used.missing.add(need.name)
                continue
            family = families.get(need.path) or _family(need, found.binaries)
            if family is not None:
                families[need.path] = family
                known = used.found_by.get(need.path, need.found_by)
                used.found_by[need.path] = min(known, need.found_by, key=_STRONGEST_FIRST.index)
    return used


def _once_each(
    closures: Mapping[str, tuple[Linked, ...]], paths: Sequence[str]
) -> Iterator[Linked]:
    """Every file of these closures; one that many modules load in the same way comes once."""
    seen: set[Linked] = set()
    for path in paths:
        for linked in closures[path]:
            if linked not in seen:
                seen.add(linked)
                yield linked


def _family(need: Answer, binaries: Mapping[str, Binary | None]) -> str | None:
    """By the SONAME, the file's name or the name that was asked for: libblas.so.3 is a link."""
    binary = binaries.get(need.path or "")
    names = (binary.soname if binary else None, need.path, need.name)
    found = (library_families.family(name.rpartition("/")[2]) for name in names if name)
    return next((family for family in found if family is not None), None)


def _consumer(look: Look, name: str, used: _Used, families: Mapping[str, str]) -> Consumer:
    if used.unread:
        return Consumer(distribution=name, loads=used.unread[0], missing=used.unread[0])
    found = [
        Load(family=families[path], location=place_of(look, path), found_by=found_by)
        for path, found_by in used.found_by.items()
    ]
    return Consumer(
        distribution=name,
        loads=tuple(sorted(found, key=lambda each: (each.family, each.location))),
        missing=tuple(sorted({name_of(look, each) for each in used.missing})),
    )


def copies_of(
    look: Look, families: Mapping[str, str], binaries: Mapping[str, Binary | None]
) -> tuple[LibraryCopy, ...]:
    """Every file once. Those whose RECORD states no digest are hashed, and no others."""
    paths = sorted(families)
    origins = sources_of(look, paths)
    hashed = [path for path in paths if origins[path].content is None]
    contents = dict(zip(hashed, look.host.contents(hashed), strict=True))
    copies = []
    for path in paths:
        origin, binary = origins[path], binaries.get(path)
        content = origin.content or contents[path]
        copies.append(
            LibraryCopy(
                family=families[path],
                name=name_of(look, (binary and binary.soname) or path.rpartition("/")[2]),
                source=origin.source,
                owner=origin.owner,
                version=_version(families[path], path, binary, origin),
                content=_GONE if content is None else content,
                location=place_of(look, path),
            )
        )
    return tuple(sorted(copies, key=lambda each: (each.family, each.location)))


def _version(family: str, path: str, binary: Binary | None, origin: Origin) -> str | None:
    """What the file says itself, in its data or in its name; else its owner, made for it alone."""
    for line in binary.texts if binary else ():
        told = _IN_TEXT.search(line)
        if told:
            return told[0]
    named = _IN_NAME.search(path)
    if named and family not in _NUMBERED_BY_ABI:
        return named[1]
    owner = origin.owner
    return origin.version if isinstance(owner, str) and _is_cuda(owner, origin) else None


def _is_cuda(owner: str, origin: Origin) -> bool:
    """Whether a package of that name brings CUDA libraries and has their version."""
    if origin.version is None:
        return False
    return origin.source == "conda" or pip_family(owner, origin.version) is not None
