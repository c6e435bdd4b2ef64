"""A conda package's files in an image, held against what its archive held.

Only for packages of which conda-meta states what the manifest states: then its rows are the
archive's, and no longer the image's word alone.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from envsnap._typing import NamedTuple
from envsnap.inside import compared
from envsnap.proof._original import OriginalError, is_placeholder, of_bytes

if TYPE_CHECKING:
    from envsnap.images import Entry
    from envsnap.inside.conda_files import CondaPackage, Placed
    from envsnap.proof._environment import Environment
    from envsnap.proof._files import Files
    from envsnap.proof._held import Held

_PROGRAM = re.compile(
    rb"#![^\n]+\n# -\*- coding: utf-8 -\*-\nimport re\nimport sys\n+"
    rb"from (?P<module>[\w.]+) import (?P<name>\w+)\n+if __name__ == (['\"])__main__\3:\n"
    rb"\s+sys\.argv\[0\] = re\.sub\(r?'\(-script\\\.pyw\?\|\\\.exe\)\?\$', '', sys\.argv\[0\]\)\n"
    rb"\s+sys\.exit\((?P<call>[\w.]+)\(\)\)\s*\Z"
)
"""What conda, mamba and rattler write for an entry point."""
_SITE = re.compile(r".*/site-packages/")
_STARTED = re.compile(r"(?:s?bin|lib[0-9a-z]*|libexec|etc/conda|ssl)/|.*\.so[0-9.]*\Z")
"""Where programs, libraries and what activates an environment are looked for."""
_NOT_OURS = ("envs/", "pkgs/")
_LEFT = frozenset({"pyvenv.cfg", "CACHEDIR.TAG", ".lock"})
"""What the installers leave there themselves, where nothing looks for code."""


class Link(NamedTuple):
    """A symbolic link of a package's; or the place from which a file of it was put aside."""

    package: CondaPackage
    row: Placed
    place: str


def held_against(files: Files, package: CondaPackage, held: Held) -> Iterator[Link]:
    """Compare the files of one package; its links are left for when all packages' are known."""
    environment, others = files.environment, [each.path for each in package.files]
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
        if each.place != each.path:
            yield Link(package, each, f"{environment.prefix}/{each.path}")
        if each.kind == "link":
            yield Link(package, each, place)
        elif each.kind == "program":
            _program(files, package.name, place, others)
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
        each, prefix = self.row, self.environment.prefix
        if not each.placeholder:
            return entry.sha256
        if not is_placeholder(each.placeholder):
            return None
        text = self.environment.tree.contents.get(place)
        try:
            if text is None:
                return self.held.original(prefix, entry.sha256, each)
            is_text = each.mode == "text"
            return of_bytes(text, prefix, each.placeholder, is_text=is_text)
        except OriginalError:
            return ""


def links(files: Files, found: list[Link]) -> None:
    """Tell of links that do not lead to what a package has."""
    tree = files.environment.tree
    prefix = files.environment.prefix
    for package, row, place in found:
        entry, real = tree.entries.get(place), tree.real(place)
        if place != f"{prefix}/{row.place}":
            if place not in files.named:  # put aside, and for nobody else's file
                files.tell("missing", place, package.name, wanted=row.sha256)
            continue
        if entry is None:
            files.tell("missing", place, package.name, wanted=row.sha256)
            continue
        if real is None or real == place:
            # Into what another package brings, which may be left out; or a copy of it.
            if real == place and entry.sha256 != row.sha256 and entry.kind != "folder":
                files.tell("edited", place, package.name, wanted=row.sha256, found=entry.sha256)
            continue
        inner = real.removeprefix(f"{prefix}/")
        own = next((each for each in package.files if each.path == inner), None)
        is_other = own is not None and row.sha256 and own.sha256 not in {"", row.sha256}
        is_known = real in files.named or tree.entries[real].kind == "folder"
        if is_other or not is_known or not files.environment.is_inside(real):
            files.tell("link", place, package.name, found=entry.link)


def _program(files: Files, package: str, place: str, paths: list[str]) -> None:
    """A program that an installer wrote: it must call what the package itself has."""
    environment = files.environment
    entry, text = environment.inside.get(place), environment.tree.contents.get(place)
    if entry is None:
        files.tell("missing", place, package)
        return
    match = _PROGRAM.match(text or b"")
    if match is None:
        files.unknown.append(place)
        return
    folder, name = f"{environment.prefix}/bin", posixpath.basename(place)
    fault = compared.script_fault(f"bin/{name}", text or b"", folder)
    if fault is not None:
        files.tell("script", place, package, found=fault.found)
        return
    module, function = match["module"].decode(), match["call"].decode()
    known = _entry_points(files, paths).get(name)
    called = f"{module}:{function}"
    if known is not None and known != called:
        files.tell("script", place, package, found=repr(called))
    elif known is None and not _has(paths, module):
        files.unknown.append(place)


def _has(paths: list[str], module: str) -> bool:
    """Whether a package brings a module."""
    inner = module.replace(".", "/")
    names = {_SITE.sub("", path) for path in paths if _SITE.match(path)}
    return f"{inner}.py" in names or f"{inner}/__init__.py" in names


def _entry_points(files: Files, paths: list[str]) -> Mapping[str, str]:
    """What the package's own entry_points.txt says of its programs."""
    prefix, found = files.environment.prefix, {}
    for path in paths:
        if not path.endswith(".dist-info/entry_points.txt"):
            continue
        text = files.environment.tree.contents.get(f"{prefix}/{path}", b"")
        section = ""
        for line in map(str.strip, text.decode("utf-8", "replace").splitlines()):
            if line.startswith("["):
                section = line.strip("[] \t")
            elif section in {"console_scripts", "gui_scripts"} and "=" in line:
                name, _, called = line.partition("=")
                found[name.strip()] = called.partition("[")[0].replace(" ", "")
    return found


def beyond(files: Files) -> tuple[list[str], list[str]]:
    """What lies in the environment's other folders and is no package's: what runs, what does not.

    Of a virtual environment nobody knows all files there; of conda's every one is a package's.
    """
    environment = files.environment
    done = (*(f"{each}/" for each in environment.sites), f"{environment.prefix}/bin/")
    runs, others = [], []
    for path, entry in environment.inside.items() if environment.conda else ():
        inner = path.removeprefix(f"{environment.prefix}/")
        is_judged = path in files.named or path.startswith(done) or inner.startswith("conda-meta/")
        if entry.kind == "folder" or is_judged or inner in _LEFT:
            continue
        if inner.endswith(".pyc") and "/__pycache__/" in inner:
            files.bytecode.append(path)
        elif _STARTED.match(inner) and not inner.startswith(_NOT_OURS):
            runs.append(path)
        else:
            others.append(path)
    return runs, others
