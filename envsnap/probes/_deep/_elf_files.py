"""The library files of the environment, each read once for all sections of `capture --deep`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Binary, Host
from envsnap.probes._deep._library_files import MOST_FILES, library_files
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look
from envsnap.sections import Fact, Reason, Unknown

_NOT_DEEP = Unknown(Reason.NOT_RECORDED, "the recording was made without --deep")


class ElfFile(NamedTuple):
    """One ELF file of the environment, and what it says of itself."""

    path: str
    """With all links resolved."""
    distribution: str | None
    """The package that brought it, by its name in `packages`; None if none did."""
    binary: Binary
    importable: bool
    """Whether it is an extension module that `import` can reach."""


class Read(NamedTuple):
    """What could be read, and what could not."""

    files: tuple[ElfFile, ...]
    """Sorted by path."""
    unread: Mapping[str, Unknown]
    """Files that could not be read and folders that were not looked through, and why; by path."""
    owners: Mapping[str, str | None]
    """The packages that brought the files among these."""


def elf_files(look: Look) -> Fact[tuple[ElfFile, ...]]:
    """Every ELF file of the environment's packages and of Python itself, sorted by path."""
    found = read_files(look)
    return found if isinstance(found, Unknown) else found.files


def read_files(look: Look) -> Fact[Read]:
    """The same, with what could not be read; worked out once."""
    return look.once("elf files", lambda: _read(look))


def read_alone(look: Look, paths: Iterable[str]) -> None:
    """Read no others than these for this capture, where nothing needs them all: `envsnap run`."""
    look.once("elf files", lambda: _read(look, frozenset(paths)))


def _read(look: Look, alone: frozenset[str] | None = None) -> Fact[Read]:
    interpreter = look.interpreter
    if isinstance(interpreter, Unknown):
        return interpreter
    places = library_files(look.host, interpreter)
    if len(places.owners) > MOST_FILES:
        return Unknown(Reason.NOT_SUPPORTED, f"more than {MOST_FILES} library files")
    if any(each.reason is Reason.NOT_RECORDED for each in places.unread.values()):
        return _NOT_DEEP
    real = _real(look.host, places.owners)
    paths = sorted(set(real.values()) if alone is None else alone.intersection(real.values()))
    said = dict(zip(paths, look.host.binaries(paths), strict=True))
    unread = {path: each for path, each in said.items() if isinstance(each, Unknown)}
    if paths and len(unread) == len(paths):
        return unread[paths[0]]  # this kind of host reads none
    owners: dict[str, str | None] = {}
    for path, place in real.items():
        owners[place] = owners.get(place) or places.owners[path]
    reached = {
        place for path, place in real.items() if _is_reached(path, places.roots, interpreter)
    }
    files = tuple(
        ElfFile(path, owners[path], each, importable=each.imports and path in reached)
        for path, each in said.items()
        if isinstance(each, Binary)
    )
    return Read(files, {**places.unread, **unread}, {path: owners[path] for path in unread})


def _real(host: Host, paths: Mapping[str, object]) -> dict[str, str]:
    """Where each path leads; left out where it leads nowhere. A folder is resolved once."""
    folders: dict[str, str | None] = {}
    found = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder not in folders:
            real = host.real(folder)
            folders[folder] = real if isinstance(real, str) else None
        place = folders[folder]
        if place is not None:
            leads = host.real(path) if host.link(path) is not None else f"{place}/{name}"
            if isinstance(leads, str):
                found[path] = leads
    return found


def _is_reached(path: str, roots: Sequence[str], interpreter: Interpreter) -> bool:
    """Whether `import` can come to a file: by its name, and the names of the folders above it."""
    stem = _module_name(path.rpartition("/")[2], interpreter)
    folder = path.rpartition("/")[0]
    return stem is not None and any(
        all(map(str.isidentifier, names)) for names in _below(folder, roots)
    )


def _below(folder: str, roots: Sequence[str]) -> Iterator[list[str]]:
    """The names that lead from each of these folders to one below it."""
    for root in roots:
        if folder == root.rstrip("/"):
            yield []
        elif folder.startswith(f"{root.rstrip('/')}/"):
            yield folder[len(root.rstrip("/")) + 1 :].split("/")


def _module_name(name: str, interpreter: Interpreter) -> str | None:
    """The module that a file is for this interpreter; None if it would not look at it."""
    soabi = interpreter.said.get("soabi")
    tagged = [f".{soabi}.so"] if isinstance(soabi, str) and soabi else []
    free = interpreter.said.get("free_threaded")
    for suffix in (*tagged, *([] if free else [".abi3.so"]), ".so"):
        stem = name.removesuffix(suffix)
        if stem != name:
            return stem if stem and "." not in stem else None
    return None
