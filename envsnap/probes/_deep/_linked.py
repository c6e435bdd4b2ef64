"""What the dynamic linker would load for every module of the environment, worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.facts import library_families
from envsnap.host import Binary
from envsnap.loader import Linked, Loader
from envsnap.probes._deep._elf_files import ElfFile, elf_files
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look
from envsnap.sections import Fact, Reason, Unknown

ALTERNATIVE = "/mpi4py/MPI."
"""mpi4py has this module once for each MPI, and its import takes the one whose MPI is there."""


class Loads(NamedTuple):
    """The answers of the linker, and what it could not be followed into."""

    closures: Mapping[str, tuple[Linked, ...]]
    """By the real path of each importable module and each library that a package opens itself."""
    binaries: Mapping[str, Binary | None]
    """What every file that was looked at says of itself; None for one that is no ELF file."""
    unread: Mapping[str, Unknown]
    """Files that would be loaded and could not be read, and why: their own needs are not known."""


def linked(look: Look) -> Fact[Mapping[str, tuple[Linked, ...]]]:
    """What each importable module, and each library opened by a package itself, would load.

    By its real path; every closure begins with the interpreter's own files.
    """
    found = loads(look)
    return found if isinstance(found, Unknown) else found.closures


def loads(look: Look) -> Fact[Loads]:
    """The same, with the files that could not be read."""
    return look.once("linked", lambda: _loads(look))


def _loads(look: Look) -> Fact[Loads]:
    interpreter, files = look.interpreter, elf_files(look)
    if isinstance(interpreter, Unknown):
        return interpreter
    if isinstance(files, Unknown):
        return files
    platform = interpreter.said.get("platform")
    if isinstance(platform, str) and not platform.startswith("linux"):
        return Unknown(Reason.NOT_SUPPORTED, f"the linker of {platform} is not known here")
    loader = Loader(
        look.host,
        interpreter.executable or _program(interpreter),
        path=[entry.path for entry in interpreter.entries],
        known={each.path: each.binary for each in files},
    )
    closures = loader.closures(roots(files))
    if isinstance(closures, Unknown):
        return closures
    taken = {path: each for path, each in closures.items() if _is_taken(path, each)}
    return Loads(taken, loader.binaries, loader.unread)


def _is_taken(path: str, closure: Sequence[Linked]) -> bool:
    """Whether it would be loaded: of alternatives, none is that lacks a library."""
    whole = all(need.path is not None for linked in closure for need in linked.needs)
    return whole or ALTERNATIVE not in path


def _program(interpreter: Interpreter) -> str:
    """The environment's Python, where nothing was started that could say so."""
    return f"{interpreter.prefix}/bin/python"


def roots(files: Sequence[ElfFile]) -> list[str]:
    """Where loading begins: modules that import can reach, and what packages open by themselves."""
    return [
        each.path
        for each in files
        if each.importable or ALTERNATIVE in each.path or library_families.is_opened(each.path)
    ]
