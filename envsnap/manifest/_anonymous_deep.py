"""What `--anonymous` leaves of the libraries that only their author's own packages use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from envsnap._typing import TypeVar
from envsnap.manifest._cut import CUT, LEFT_OUT, without_details
from envsnap.manifest._identity import canonical_name
from envsnap.manifest._model import Manifest
from envsnap.sections import (
    CodeFile,
    Consumer,
    Exempt,
    Fact,
    GpuCode,
    Libraries,
    LibraryCopy,
    Run,
    SystemLibraries,
    SystemLibrary,
    Unknown,
    replace,
)

T = TypeVar("T")
_EVERYBODY_S = re.compile(r"ld-linux[\w-]*\.so\.\d|lib(?:c|m|dl|pthread|rt|gcc_s|stdc\+\+)\.so\.\d")
"""The C and C++ runtimes name nobody, and their versions are what a reviewer needs."""


def only_theirs(manifest: Manifest, local: frozenset[str]) -> frozenset[str]:
    """The libraries that none but these packages, or nobody's files, ask for: they name them."""
    asked: set[str] = set()
    public: set[str] = set()
    for name, needed_by in _asked(manifest):
        asked.add(name)
        if any(canonical_name(each) not in local for each in needed_by):
            public.add(name)
    return frozenset(name for name in asked - public if not _EVERYBODY_S.fullmatch(name))


def _asked(manifest: Manifest) -> Iterator[tuple[str, Iterable[str]]]:
    """Every library that is asked for from outside, and by which packages."""
    libraries, system = manifest.section(Libraries), manifest.section(SystemLibraries)
    if isinstance(libraries, Libraries):
        for consumer in _known(libraries.consumers):
            for name in _known(consumer.missing):
                yield name, [consumer.distribution]
    if isinstance(system, SystemLibraries):
        for needed in _known(system.needed):
            yield needed.name, needed.needed_by
        for exempt in _known(system.exempt):
            yield exempt.name, exempt.needed_by


def _known(fact: Fact[tuple[T, ...]]) -> tuple[T, ...]:
    return () if isinstance(fact, Unknown) else fact


def without_libraries(section: object, local: frozenset[str], theirs: frozenset[str]) -> object:
    """A deep section, or that of a run, without the names of these libraries."""
    if isinstance(section, Libraries):
        return replace(
            section,
            copies=_each(section.copies, lambda each: _copy(each, local)),
            consumers=_each(section.consumers, lambda each: _consumer(each, local, theirs)),
        )
    if isinstance(section, SystemLibraries):
        return replace(
            section,
            needed=_each(section.needed, lambda each: _needed(each, theirs)),
            exempt=_each(section.exempt, lambda each: _exempt(each, theirs)),
        )
    if isinstance(section, GpuCode):
        return replace(section, files=_each(section.files, lambda each: _code(each, local)))
    if isinstance(section, Run):
        copies = _each(section.libraries, lambda each: _copy(each, local))
        return replace(section, libraries=copies)
    return section


def _is_one(name: Fact[str | None], local: frozenset[str]) -> bool:
    return isinstance(name, str) and canonical_name(name) in local


def _each(fact: Fact[tuple[T, ...]], change: Callable[[T], T]) -> Fact[tuple[T, ...]]:
    """Each once, those that were cut first: the place of one among others tells how it begins."""
    if isinstance(fact, Unknown):
        return fact
    changed = [(each, change(each)) for each in fact]
    cut = [new for old, new in changed if new != old]
    return tuple(dict.fromkeys([*cut, *(new for old, new in changed if new == old)]))


def _copy(copy: LibraryCopy, local: frozenset[str]) -> LibraryCopy:
    """A copy that nobody brought, or the author's own package, has a name of the author's."""
    is_theirs = copy.source == "other" or _is_one(copy.owner, local)
    return replace(copy, name=CUT) if is_theirs else copy


def _consumer(consumer: Consumer, local: frozenset[str], theirs: frozenset[str]) -> Consumer:
    if _is_one(consumer.distribution, local):
        consumer = replace(without_details(consumer), distribution=CUT)
    if isinstance(consumer.missing, Unknown):
        return consumer
    names = {CUT if each in theirs else each for each in consumer.missing}
    return replace(consumer, missing=tuple(sorted(names)))


def _code(file: CodeFile, local: frozenset[str]) -> CodeFile:
    if not _is_one(file.distribution, local):
        return file
    return replace(without_details(file), distribution=CUT)


def _needed(library: SystemLibrary, theirs: frozenset[str]) -> SystemLibrary:
    if library.name not in theirs:
        return library
    versions = (CUT,) if library.versions else ()
    owner = LEFT_OUT if isinstance(library.owner, str) else library.owner
    return replace(library, name=CUT, versions=versions, owner=owner)


def _exempt(library: Exempt, theirs: frozenset[str]) -> Exempt:
    return replace(library, name=CUT) if library.name in theirs else library
