"""The files of an installation without a RECORD: egg-info, eggs, and a distribution's packages."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from envsnap.engines._archives import ZIP_FAULTS
from envsnap.errors import FileError
from envsnap.wheelhouse._egg_metadata import metadata
from envsnap.wheelhouse._installed import Row, read, recorded, sort_out, walked, wrappers
from envsnap.wheelhouse._member import Area, Gathered, Member, is_below, is_member_name
from envsnap.wheelhouse._tags import stem_of

_LIMIT_BYTES = 16 * 1024 * 1024
_ZIP_LIMIT_BYTES = 8 * 1024**3
_KEPT = ("entry_points.txt", "top_level.txt", "namespace_packages.txt", "dependency_links.txt")
_SUFFIXES = (".py", ".so", ".abi3.so", ".pyd")
DPKG = "/var/lib/dpkg/info"


class Said:
    """The metadata folder, file or zip entry of a distribution, read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.zip = next((each for each in _upward(path) if os.path.isfile(each)), None)
        if self.zip == path and not zipfile.is_zipfile(path):
            self.zip = None

    @property
    def egg(self) -> str | None:
        """The egg, a folder or a zip, that it lies in; None for any other kind."""
        if self.zip is not None:
            return self.zip
        above = os.path.dirname(self.path)
        if os.path.basename(self.path) == "EGG-INFO":
            return above
        return self.path if os.path.isdir(f"{self.path}/EGG-INFO") else None

    @property
    def inner(self) -> str:
        """The metadata folder's name in a zip."""
        return "EGG-INFO" if self.path == self.zip else os.path.relpath(self.path, self.zip)

    def text(self, name: str) -> bytes:
        """One of its files; empty where it has none."""
        if self.zip is not None:
            return _read_in(self.zip, f"{self.inner}/{name}")
        folder = self.path if self.egg != self.path else f"{self.path}/EGG-INFO"
        if os.path.isfile(folder):
            return read(folder, _LIMIT_BYTES) if name == "PKG-INFO" else b""
        path = f"{folder}/{name}"
        return read(path, _LIMIT_BYTES) if os.path.isfile(path) else b""


class Known:
    """What is looked up once while a wheelhouse is filled: which package brought which metadata."""

    def __init__(self, dpkg: str = DPKG) -> None:
        self._dpkg = dpkg

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """Dpkg's list of the package that owns each distribution's metadata, by its path."""
        return _dpkg_lists(self._dpkg)


def gather_legacy(path: str, area: Area, named: tuple[str, str], known: Known) -> Gathered:
    """The members of a distribution by the metadata there is; `named` are name and version.

    Raises:
        FileError: Nothing says which files are its own.
    """
    stem = stem_of(*named)
    said = Said(path)
    members, notes = _files(said, area, stem, known)
    info = f"{stem}.dist-info"
    own = [Member(f"{info}/METADATA", data=_metadata(said))]
    own += [Member(f"{info}/{name}", data=raw) for name in _KEPT if (raw := said.text(name))]
    if not members:
        raise FileError(f"Nothing says which files belong to {named[0]} {named[1]}")
    return Gathered(stem, (*members, *own), notes)


def _metadata(said: Said) -> bytes:
    whole = said.text("METADATA") or said.text("PKG-INFO")
    return metadata(whole, said.text("requires.txt").decode("utf-8", "replace"))


def _files(
    said: Said, area: Area, stem: str, known: Known
) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    if said.zip is not None:
        return _of_zip(said.zip, said.inner, stem), ("made from a zip",)
    if said.egg is not None:
        inner = Area(said.egg, said.egg)
        rows = [row for row in walked(said.egg, inner) if not row.path.startswith("EGG-INFO/")]
        found = sort_out(rows, inner, stem)
        scripts = _egg_scripts(said.egg, stem)
        return (*found.members, *scripts), ("made from an egg", *found.notes)
    rows, note = _rows(said, area, known)
    rows = [row for row in rows if not _is_metadata(row, said.path, area)]
    found = sort_out(rows, area, stem, wrappers(said.path))
    return found.members, (note, *found.notes)


def _rows(said: Said, area: Area, known: Known) -> tuple[list[Row], str]:
    """Which files are its own, by the best witness there is; and which that was."""
    listed = said.text("installed-files.txt").decode("utf-8", "surrogateescape")
    if listed:
        relative = os.path.relpath(said.path, area.folder)
        rows = [Row(os.path.normpath(f"{relative}/{line}")) for line in listed.splitlines() if line]
        return rows, "its files are those of installed-files.txt"
    owner = known.owners.get(os.path.realpath(said.path))
    if owner is not None:
        rows = [Row(os.path.relpath(each, area.folder)) for each in _paths_in(owner, area)]
        return rows, f"its files are those that dpkg lists in {os.path.basename(owner)}"
    tops = said.text("top_level.txt").decode("utf-8", "replace").split() or [_guess(said.path)]
    sources = said.text("SOURCES.txt").decode("utf-8", "replace").split("\n")
    shared = said.text("namespace_packages.txt").decode("utf-8", "replace").split()
    rows = [row for top in tops for row in _below_top(top, area)]
    if shared:
        rows = [row for row in rows if any(each.endswith(row.path) for each in sources)]
    return rows, "its files are those of its top-level packages: no list of them was kept"


def _below_top(top: str, area: Area) -> Iterator[Row]:
    """The files of one top-level package or module."""
    if not is_member_name(top):
        return
    place = os.path.join(area.folder, top)
    if os.path.isdir(place):
        yield from walked(place, area)
        return
    for name in sorted(os.listdir(area.folder)):
        stem, dot, _ = name.partition(".")
        if stem == top and dot and name.endswith(_SUFFIXES):
            yield Row(name)


def _guess(path: str) -> str:
    """The import name that a distribution without top_level.txt most likely has."""
    return os.path.basename(path).partition("-")[0].removesuffix(".egg").replace("-", "_")


def _is_metadata(row: Row, own: str, area: Area) -> bool:
    path = os.path.normpath(os.path.join(area.folder, row.path))
    return path == own or is_below(path, own) or path.endswith(".pyc")


def _dpkg_lists(folder: str) -> dict[str, str]:
    found: dict[str, str] = {}
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names:
        if name.endswith(".list") and name.startswith(("python", "lib", "cython")):
            listed = f"{folder}/{name}"
            raw = read(listed, _LIMIT_BYTES).decode("utf-8", "surrogateescape")
            for line in raw.split("\n"):
                if line.endswith((".egg-info", ".dist-info")):
                    found[os.path.realpath(line)] = listed
    return found


def _paths_in(owner: str, area: Area) -> list[str]:
    """The files that dpkg lists, without documentation and folders."""
    raw = read(owner, _LIMIT_BYTES).decode("utf-8", "surrogateescape")
    docs = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/lintian/", "/usr/share/bug/")
    return [
        line
        for line in raw.split("\n")
        if is_below(line, area.prefix) and not line.startswith(docs) and os.path.isfile(line)
    ]


def _egg_scripts(egg: str, stem: str) -> Sequence[Member]:
    """The scripts of an egg: as their authors wrote them."""
    folder = f"{egg}/EGG-INFO/scripts"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [
        Member(f"{stem}.data/scripts/{name}", f"{folder}/{name}")
        for name in names
        if is_member_name(name) and os.path.isfile(f"{folder}/{name}") and name[-4:] != ".pyc"
    ]


def _of_zip(path: str, inner: str, stem: str) -> tuple[Member, ...]:
    """The files of a zip that are no metadata; those of RECORD alone where it has one."""
    recorded_ones = {row.path for row in recorded(_read_in(path, f"{inner}/RECORD"))}
    found: list[Member] = []
    for name in _names_in(path):
        if name.startswith(f"{inner}/scripts/"):
            script = f"{stem}.data/scripts/{os.path.basename(name)}"
            found.append(Member(script, path, inner=name))
        elif name.startswith(f"{inner}/") or name.endswith(".pyc"):
            continue
        elif not recorded_ones or name in recorded_ones:
            found.append(Member(name, path, inner=name))
    return tuple(found)


def _names_in(path: str) -> list[str]:
    """The files of a zipped egg.

    Raises:
        FileError: It is no zip, names a file outside itself, or is too large unpacked.
    """
    try:
        with zipfile.ZipFile(path) as egg:
            rows = [each for each in egg.infolist() if not each.is_dir()]
    except (OSError, *ZIP_FAULTS) as error:
        raise FileError(f"Cannot read {path}: {error}") from error
    wrong = [each.filename for each in rows if not is_member_name(each.filename)]
    if wrong:
        raise FileError(f"{path} has a file called {wrong[0][:120]!a}")
    if sum(each.file_size for each in rows) > _ZIP_LIMIT_BYTES:
        raise FileError(f"{path} is larger than {_ZIP_LIMIT_BYTES >> 30} GiB unpacked")
    return list(dict.fromkeys(each.filename for each in rows))


def _read_in(path: str, name: str) -> bytes:
    """A small file of a zip, whole; empty where it has none.

    Raises:
        FileError: It cannot be read, or is larger.
    """
    try:
        with zipfile.ZipFile(path) as egg, egg.open(name) as file:
            raw = file.read(_LIMIT_BYTES + 1)
    except KeyError:
        return b""
    except (OSError, *ZIP_FAULTS) as error:
        raise FileError(f"Cannot read {path}: {error}") from error
    if len(raw) > _LIMIT_BYTES:
        raise FileError(f"{name} in {path} is larger than {_LIMIT_BYTES >> 20} MiB")
    return raw


def _upward(path: str) -> Iterator[str]:
    """The path and the folders above it."""
    while path not in {"/", ""}:
        yield path
        path = os.path.dirname(path)
