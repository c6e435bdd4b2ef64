"""A conda package's files in an image, held against what its archive held.

Only for packages of which conda-meta states what the manifest states: then its rows of files and
links are the archive's, as far as the digest is over them, and no longer the image's word alone.
Where a row says a file lies, and its rows of programs and bytecode, remain the image's word.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING

from envsnap._typing import NamedTuple
from envsnap.proof._conda_programs import program
from envsnap.proof._original import OriginalError, is_placeholder, of_bytes

if TYPE_CHECKING:
    from envsnap.images import Entry
    from envsnap.inside.conda_files import CondaPackage, Placed
    from envsnap.proof._environment import Environment
    from envsnap.proof._files import Files
    from envsnap.proof._held import Held

_STARTED = re.compile(
    r"(?:s?bin|lib[0-9a-z]*|libexec|etc/conda|ssl)/|.*\.so[0-9.]*\Z"
    r"|pyvenv\.cfg\Z|conda-meta/state\Z"
)
"""Where programs, libraries and what activates an environment are looked for; and what tells Python
or conda where to look, or what to set."""
_NOT_OURS = ("envs/", "pkgs/")
_LEFT = frozenset({"CACHEDIR.TAG", ".lock", "conda-meta/history"})
"""What the installers leave there themselves, where nothing looks for code."""
_COMMON = frozenset({"/usr/local", "/opt/conda"})
"""Folders that many files name of themselves, whoever installs them."""
_LONG = 80
"""From which length on a first line may be too long for the kernel: installers write it anew."""
_NOTHING = hashlib.sha256(b"").hexdigest()
"""What builders state of a link that leads to no file."""


class Link(NamedTuple):
    """A symbolic link of a package's; or the place from which a file of it was put aside."""

    package: CondaPackage
    row: Placed
    place: str


def rows(environment: Environment, sure: Container[bytes]) -> Mapping[str, Placed]:
    """The files and links that the manifest's digests are over, by where they lie."""
    return {
        f"{environment.prefix}/{row.place}": row
        for each in environment.conda
        if each.place in sure
        for row in each.files
        if row.kind in {"file", "link"}
    }


def held_against(files: Files, package: CondaPackage, held: Held) -> Iterator[Link]:
    """Compare the files of one package; its links are left for when all packages' are known."""
    environment = files.environment
    for each in package.files:
        place = posixpath.normpath(f"{environment.prefix}/{each.place}")
        if each.kind == "bytecode":
            continue  # its installer made it: told with all that nothing vouches for
        if not environment.is_inside(place):
            files.tell("unchecked", place, package.name)
            continue
        if each.kind == "program" and posixpath.dirname(each.place) != "bin":
            continue  # told as what it is: a file of no package
        files.named.add(place)
        if each.place != each.path and each.kind != "program":
            yield Link(package, each, f"{environment.prefix}/{each.path}")
        entry = environment.inside.get(place)
        if each.kind == "link":
            yield Link(package, each, place)
        elif each.kind == "program":
            program(files, package, place)
        elif entry is not None and entry.kind == "link":
            files.tell("link", place, package.name, found=entry.link)
        else:
            wanted = _Wanted(environment, held, each)
            files.compare(package.name, place, each.sha256, wanted.found)


class _Wanted(NamedTuple):
    """One file, and how it can be told what it was in its archive."""

    environment: Environment
    held: Held
    row: Placed

    def found(self, place: str, entry: Entry) -> str | None:
        """The hash it had there; empty where no installer left it so, None where nobody knows."""
        if not self.row.placeholder:
            return entry.sha256
        if not is_placeholder(self.row.placeholder):
            return None
        try:
            made = self._original(place, entry)
        except OriginalError:
            made = ""
        is_known = made == self.row.sha256 or not _may_be_its_own(self.environment.prefix)
        return made if is_known else None

    def _original(self, place: str, entry: Entry) -> str | None:
        each, prefix = self.row, self.environment.prefix
        text = self.environment.tree.contents.get(place)
        if text is None:
            return self.held.original(prefix, entry.sha256, each)
        if each.placeholder.encode() in text:
            if prefix.encode() in text:
                return None  # nobody can tell whether an installer left that there
            raise OriginalError
        return of_bytes(text, prefix, each.placeholder, is_text=each.mode == "text")


def _may_be_its_own(prefix: str) -> bool:
    """Whether files name such a folder, or not, of which no installer wrote it into them."""
    is_short = "/" not in prefix[1:]
    return prefix in _COMMON or is_short or len(prefix) > _LONG or " " in prefix


def links(files: Files, found: list[Link], held: Held, known: Mapping[str, Placed]) -> None:
    """Tell of links that do not lead to what their archive's did."""
    prefix = files.environment.prefix
    for link in found:
        row, place, package = link.row, link.place, link.package.name
        if place != f"{prefix}/{row.place}":
            other = known.get(place)
            if other is None and place in files.named:
                files.unknown.append(place)  # for a file that no digest is over
            elif other is None:  # put aside, and for nobody else's file
                files.tell("missing", place, package, wanted=row.sha256)
        elif place not in files.environment.inside:
            files.tell("missing", place, package, wanted=row.sha256)
        else:
            _link(files, link, held, known)


def _link(files: Files, link: Link, held: Held, known: Mapping[str, Placed]) -> None:
    """One link that is there, or what is there in its place."""
    tree, environment = files.environment.tree, files.environment
    row, place, package = link.row, link.place, link.package.name
    entry, real = tree.entries[place], tree.real(place)
    if entry.kind != "link":
        if entry.kind != "file" or (row.sha256 and entry.sha256 != row.sha256):
            files.tell("edited", place, package, wanted=row.sha256, found=entry.sha256)
        elif not row.sha256:
            files.unknown.append(place)
        return
    target = None if real is None else known.get(real)
    if real is not None and not environment.is_inside(real):
        files.tell("link", place, package, found=entry.link)
    elif real is not None and target is not None and row.sha256:
        was = _Wanted(environment, held, target).found(real, tree.entries[real])
        if target.sha256 != row.sha256:
            files.tell("link", place, package, found=entry.link)
        elif was != row.sha256:
            files.unknown.append(place)  # what was changed is told of the file
    elif row.sha256 in {"", _NOTHING} or real in files.named:
        files.unknown.append(place)
    else:
        files.tell("link", place, package, found=entry.link)


def beyond(files: Files) -> tuple[list[str], list[str]]:
    """What lies in the environment's other folders and is no package's: what runs, what does not.

    Of a virtual environment nobody knows all files there; of conda's every one is a package's.
    """
    environment = files.environment
    done = (*(f"{each}/" for each in environment.sites), f"{environment.prefix}/bin/")
    records = {os.fsdecode(each.place) for each in environment.conda}
    runs, others = [], []
    for path, entry in environment.inside.items() if environment.conda else ():
        inner = path.removeprefix(f"{environment.prefix}/")
        is_judged = path in files.named or path.startswith(done) or path in records
        is_left = entry.kind == "file" and inner in _LEFT
        if entry.kind == "folder" or is_judged or is_left:
            continue
        if inner.endswith(".pyc") and "/__pycache__/" in inner:
            files.bytecode.append(path)
        elif _STARTED.match(inner) and not inner.startswith(_NOT_OURS):
            runs.append(path)
        else:
            others.append(path)
    return runs, others
