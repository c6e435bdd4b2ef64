"""Library files that were seen in use, told as the section `libraries` tells its own."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap.facts.library_families import family
from envsnap.host import Binary
from envsnap.probes._deep._elf_files import read_alone
from envsnap.probes._registry import Look
from envsnap.probes.libraries import copies_of
from envsnap.sections import Fact, LibraryCopy


def copies(look: Look, paths: Sequence[str]) -> tuple[LibraryCopy, ...]:
    """The libraries of a known family among these files, sorted by family and location."""
    resolved = (look.host.real(path) for path in paths)
    real = sorted({path for path in resolved if isinstance(path, str)})
    if not look.options.deep:
        read_alone(look, real)
    found = zip(real, look.host.binaries(real), strict=True)
    binaries = {path: each if isinstance(each, Binary) else None for path, each in found}
    families = {path: kind for path, each in binaries.items() if (kind := _family(path, each))}
    return copies_of(look, families, binaries)


def _family(path: str, binary: Fact[Binary | None]) -> str | None:
    """By the library's own name for itself, else by its file's."""
    own = family(binary.soname) if isinstance(binary, Binary) and binary.soname else None
    return own or family(path.rpartition("/")[2])
