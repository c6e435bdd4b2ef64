"""What is in an environment and belongs to no package: files, links, programs, settings.

Beside `verify`. Syntax for Python 3.6 and newer, standard library only.
"""

import os
import stat
import sys

if __package__:
    from envsnap.inside import compared, content, outside
else:  # beside this file, wherever that is
    import compared  # type: ignore[import-not-found, no-redef]
    import content  # type: ignore[import-not-found, no-redef]
    import outside  # type: ignore[import-not-found, no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any  # noqa: F401 - in a comment

    from envsnap.inside.compared import Fault
    from envsnap.inside.named import Work

OWN_PROGRAMS = frozenset(
    b"activate activate.bat activate.csh activate.fish activate.nu activate.ps1 activate.xsh "
    b"Activate.ps1 activate_this.py deactivate.bat deactivate.nu pydoc.bat".split()
)
"""What the makers of environments put into `bin` beside Python itself."""
_PI = (b"\xf0\x9d\x9c\x8bthon",)  # Python 3.14 has a link of that name
_CACHE = b"__pycache__"
_HEAD_BYTES = 65536
_PYTHON_BYTES = 1 << 28


class Strays:
    """What nobody's RECORD names, below folders of packages."""

    def __init__(self, work: "Work", others: "Iterable[bytes]" = ()) -> None:
        self.faults = []  # type: list[Fault]
        self.bytecode = 0
        self._folders = work.folders
        self._others = frozenset(others)
        self._compiled = {
            each.folder + b"/" + path[1:]
            for each in work.packages
            for path in each.rows.paths + [bad for bad, _ in each.rows.bad]
            if path.endswith(b".pyc")
        }

    def below(self, site: bytes) -> None:
        """Look through one folder of packages; no link is followed."""
        waiting = [site]
        while waiting:
            directory = waiting.pop()
            folder = self._folders.get(directory)
            names = folder.rows if folder else {}  # type: dict[bytes, Any]
            for entry in _entries(directory):
                place = directory + b"/" + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name == _CACHE:
                        self._cached(place)
                    else:
                        waiting.append(place)
                elif entry.name not in names and place not in self._others:
                    self._one(site, place, entry)

    def _one(self, site: bytes, place: bytes, entry: "os.DirEntry[bytes]") -> None:
        path = place[len(site) + 1 :]
        own = path.partition(b"/")[0] + b"/"
        if entry.is_symlink():
            target = _text(os.readlink(place))
            self.faults.append(compared.Fault("link", _text(path), found=target))
        elif path.endswith(b".pyc"):
            if place not in self._compiled:
                self.faults.append(compared.Fault("unowned", _text(path)))
            elif not os.path.isfile(place[:-1]):  # then Python imports it, outside of a cache
                self.bytecode += 1
        elif not (own.endswith(b"-info/") and content.is_of_installers(b"\n" + path, b"\n" + own)):
            self.faults.append(compared.Fault("unowned", _text(path)))

    def _cached(self, directory: bytes) -> None:
        """A folder of bytecode, which Python makes of sources; anything else there is a stray."""
        for entry in _entries(directory):
            if entry.name.endswith(b".pyc") and entry.is_file(follow_symlinks=False):
                self.bytecode += 1
            elif directory + b"/" + entry.name not in self._others:
                self.faults.append(compared.Fault("unowned", _text(directory + b"/" + entry.name)))


def program_faults(folder: bytes, work: "Work", others: "Iterable[bytes]" = ()) -> "list[Fault]":
    """The programs of an environment that belong to no package, and are not Python's own."""
    named = work.folders[folder].rows if folder in work.folders else {}  # type: dict[bytes, Any]
    known = frozenset(others)
    return [
        compared.Fault("unowned", "bin/" + _text(entry.name))
        for entry in sorted(_entries(folder), key=lambda each: each.name)
        if not (
            entry.name in named
            or entry.name in OWN_PROGRAMS
            or folder + b"/" + entry.name in known
            or (is_pythons(entry.name) and _is_same(entry.path, os.path.join(folder, b"python")))
        )
    ]


def is_pythons(name: bytes) -> bool:
    """Whether a program's name is Python's own: `python`, `python3`, `python3.11`."""
    return name in _PI or (name[:6] == b"python" and not name[6:].strip(b"0123456789.t"))


def script_faults(
    dist_info: bytes, folder: bytes, covered: "Iterable[bytes]" = ()
) -> "list[Fault]":
    """What is wrong with the starts of a package's programs.

    Those of its entry points must start the folder's Python; of those that its digest is over,
    each that starts one there.
    """
    try:
        text = content.read_file(os.path.join(dist_info, b"entry_points.txt"), content.RECORD_LIMIT)
    except OSError:
        text = b""
    found = []
    names = compared.scripts(text)
    for name in names + [_text(each[4:]) for each in covered if each.startswith(b"bin/")]:
        path = os.path.join(folder, os.fsencode(name))
        if b"/" in os.fsencode(name) or not os.path.isfile(path):
            continue  # where RECORD names it, it is missed by its row
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
        fault = compared.script_fault("bin/" + name, head, _text(folder)) if name in names else None
        found += [fault] if fault else _other_python("bin/" + name, head, folder)
    return found


def _other_python(path: str, head: bytes, folder: bytes) -> "list[Fault]":
    """A program is told that starts a Python of this folder which is not the one that runs this."""
    starts = outside.python_of(head, folder, os.path.realpath)
    if starts is None or _is_same(os.path.join(folder, starts), os.fsencode(sys.executable)):
        return []
    return [compared.Fault("script", path, found=repr(_text(starts)))]


def _is_same(one: bytes, other: bytes) -> bool:
    """Whether both are one file, or have the same bytes."""
    try:
        return os.path.samefile(one, other) or (
            os.path.getsize(one) == os.path.getsize(other) <= _PYTHON_BYTES
            and content.read_file(one, _PYTHON_BYTES) == content.read_file(other, _PYTHON_BYTES)
        )
    except OSError:
        return False


def _entries(directory: bytes) -> "list[os.DirEntry[bytes]]":
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def config_of(prefix: str) -> "bytes | None":
    """The text of an environment's pyvenv.cfg; None where it has none."""
    path = os.path.join(prefix, "pyvenv.cfg")
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
        return content.read_file(os.fsencode(path), 1 << 16)
    except OSError:
        return None


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
