"""Looking through folders for library files that no package's list names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envsnap.host import Host
from envsnap.sections import Reason, Unknown

MOST_FOLDERS = 10_000
"""So many folders are looked through."""
_DEEPEST = 24
_OF_LIBRARIES = (".libs", ".dylibs")
"""Folders that are no packages and hold libraries: repair tools put them beside packages."""
_NOT_ENTERED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_OF_ENVIRONMENTS = {"pyvenv.cfg", "conda-meta"}
_LEADS_OUT = Unknown(Reason.NOT_SUPPORTED, "a link that leads out of the search path")
_TOO_MANY = Unknown(Reason.NOT_SUPPORTED, f"more than {MOST_FOLDERS} folders")


def is_library(path: str) -> bool:
    """Whether a file's name is that of a shared library.

    >>> [is_library(name) for name in ("a/b.so", "libc.so.6", "a.source.py")]
    [True, True, False]
    """
    name = path.rpartition("/")[2]
    return name.endswith(".so") or ".so." in name


class Walk:
    """Looks through folders, each once, and does not leave those that it was given."""

    def __init__(self, host: Host, within: Sequence[str], listed: Collection[str]) -> None:
        """`listed` are the folders that packages' lists name: these are not entered."""
        self.found: list[str] = []
        self.unread: dict[str, Unknown] = {}
        self._host = host
        self._within = [real for each in within if isinstance(real := host.real(each), str)]
        self._listed = listed
        self._seen: set[str] = set()
        self._entry = ""

    def enter(self, folder: str) -> None:
        """Look through an entry of the search path, or the folder of an editable installation."""
        names = self._host.list(folder)
        if isinstance(names, tuple) and "os.py" in names and "lib-dynload" in names:
            return  # the standard library: what it has is in lib-dynload, an entry of its own
        self._entry = folder
        self._go_through(folder, 0)

    def look_beside(self, folder: str) -> None:
        """The library files in one folder in which a package's list names another."""
        names = self._host.list(folder)
        for name in filter(is_library, names if isinstance(names, tuple) else ()):
            self.found.append(f"{folder}/{name}")

    def _go_through(self, folder: str, depth: int) -> None:
        if len(self._seen) >= MOST_FOLDERS:
            self.unread[self._entry] = _TOO_MANY
            return
        names = self._host.list(folder)
        if isinstance(names, Unknown):
            self.unread[folder] = names
        if not isinstance(names, tuple) or not self._is_new(folder):
            return
        if depth and not _OF_ENVIRONMENTS.isdisjoint(names):
            return  # another environment, as people make them in the folders of their projects
        for name in names:
            path = f"{folder}/{name}"
            if is_library(name):
                self.found.append(path)
            elif _may_hold_some(name) and path not in self._listed and depth < _DEEPEST:
                self._go_through(path, depth + 1)

    def _is_new(self, folder: str) -> bool:
        """Whether a folder is to be looked through: it was not, and lies where it may lie."""
        real = self._host.real(folder)
        if not isinstance(real, str) or real in self._seen:
            return False
        if not any(f"{real}/".startswith(f"{each.rstrip('/')}/") for each in self._within):
            self.unread[folder] = _LEADS_OUT
            return False
        self._seen.add(real)
        return True


def _may_hold_some(name: str) -> bool:
    """Whether a folder of this name can be a package's, or hold its libraries."""
    return name not in _NOT_ENTERED and ("." not in name or name.endswith(_OF_LIBRARIES))
