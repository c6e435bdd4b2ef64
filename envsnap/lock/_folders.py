"""Which packages a folder of this machine has, as far as that is seen without the locker."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, unquote

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from envsnap.engines._archives import file_hash
from envsnap.lock._content import Looks
from envsnap.lock._hosts import Indexes
from envsnap.lock._pins import Pin
from envsnap.lock._pylock import File, Release
from envsnap.manifest import canonical_name

_LONGEST_PAGE = 4 * 1024 * 1024


def may_be_in(places: Indexes, pins: Iterable[Pin]) -> frozenset[str]:
    """The names of those pins that the locker may find in a local place: a look that saves asking.

    What lies in a folder of files is not among them: `Folders` has seen that.

    >>> may_be_in(Indexes(extra=("https://index.example/simple",)), [])
    frozenset()
    """
    indexes = [path for each in (places.default or "", *places.extra) if (path := _path(each))]
    links = [path for each in places.find_links if (path := _path(each))]
    if not all(map(os.path.isdir, links)):
        return frozenset(pin.name for pin in pins)  # a page of links: the locker reads it
    return frozenset(
        pin.name
        for pin in pins
        if any(_may_list(os.path.join(path, pin.name), pin.version) for path in indexes)
    )


def _may_list(folder: str, version: str) -> bool:
    """Whether an index's folder of one package has, or its page names, a file of this version."""
    if not os.path.isdir(folder):
        return False
    try:
        names = os.listdir(folder)
        if "index.html" in names:
            with open(os.path.join(folder, "index.html"), encoding="utf-8") as file:
                names.append(unquote(file.read(_LONGEST_PAGE)))
    except (OSError, ValueError):
        return True
    return any(f"-{version}" in each for each in names)


class Folders(threading.Thread):
    """Looks into the files in folders of this machine, while an index is asked."""

    def __init__(self, places: Indexes, pins: Sequence[Pin], looks: Looks) -> None:
        super().__init__(daemon=True)
        self._looks = looks
        self._lying = {pin: files for pin in pins if (files := _files_of(places, pin))}
        self._found: dict[str, Release] = {}
        self.start()

    @property
    def builds(self) -> frozenset[str]:
        """The names of the local versions (`+cu121`) that lie there: hardly an index has those."""
        return frozenset(pin.name for pin in self._lying if "+" in pin.version)

    def run(self) -> None:
        """Look and hash. A file that cannot be read is none."""
        for pin, paths in self._lying.items():
            for path in filter(is_wheel, paths):
                self._looks.into(path, pin.package)
            files = [file for each in paths if (file := _file(each)) is not None]
            wheels = tuple(each for each in files if is_wheel(each.filename))
            others = [each for each in files if each not in wheels]
            if files:
                self._found[pin.name] = Release(pin.version, wheels, others[0] if others else None)

    def found(self) -> Mapping[str, Release]:
        """The files of each package that has any there, by canonical name."""
        self.join()
        return self._found


def local_path(url: str) -> str | None:
    """The path of a file of this machine; None for any other address."""
    return _path(url.partition("#")[0]) or None


def _files_of(places: Indexes, pin: Pin) -> list[str]:
    """The files of this very name and version in folders of files, sorted."""
    start = canonical_name(pin.name) + "-"
    found = []
    for folder in filter(None, map(_path, places.find_links)):
        try:
            names = [name for name in os.listdir(folder) if canonical_name(name).startswith(start)]
        except OSError:
            continue
        found += [os.path.join(folder, name) for name in sorted(names) if _is_of(name, pin)]
    return found


def _is_of(filename: str, pin: Pin) -> bool:
    try:
        if is_wheel(filename):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
        return canonical_name(name) == pin.name and version == Version(pin.version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return False


def is_wheel(name: str) -> bool:
    """Whether a file is called as wheels are."""
    return name.endswith(".whl")


def _file(path: str) -> File | None:
    try:
        url = "file://" + quote(path)
        return File(os.path.basename(path), url, file_hash(path), os.path.getsize(path))
    except OSError:
        return None


def _path(address: str) -> str:
    """The folder that an address is of; empty for any other."""
    return unquote(address.removeprefix("file://")) if address.startswith("file://") else ""
