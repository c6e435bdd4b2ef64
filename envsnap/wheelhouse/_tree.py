"""The source that a wheel is built from: the recorded commit of a folder, in a folder of our own.

What counts is what the manifest recorded, not what the folder shows today. Where that commit is not
to be had any more, or lay under changes that are others now, the folder is taken as it is, and the
wheel is said not to be what was captured.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from envsnap.engines import run
from envsnap.engines._archives import file_hash
from envsnap.errors import ToolError
from envsnap.probes._git import SAFE, is_ours
from envsnap.sections import Git, Origin, Unknown
from envsnap.wheelhouse._member import is_member_name, listed

_GIT_S = 300.0
_TREE_LIMIT_BYTES = 4 * 1024**3
_DEEPEST = 8
_LEFT_OUT = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache"}
)
_SUBMODULE = "160000"
_LARGE = ":(attr:filter=lfs)"
_POINTER = re.compile(
    rb"\Aversion https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n"
)
_LOCAL = ("-c", "protocol.file.allow=always")
"""A clone of a folder here needs no other way."""
QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
_NO_GIT = "git is not here: its commit is not proved"
NOT_CAPTURED = "not what was captured: "
"""How a note begins that says so."""


class BuildError(ToolError):
    """No wheel came of a source."""


class Tree(NamedTuple):
    """A folder to build from, which is not the user's own."""

    path: str
    notes: tuple[str, ...]


class Folder(NamedTuple):
    """Where a package was installed from, as it was recorded and as it is."""

    path: str
    recorded: Origin
    now: Origin


def tree_of(folder: Folder, temporary: str) -> Tree:
    """The source as it was recorded, in the temporary folder.

    Raises:
        BuildError: It cannot be copied.
    """
    target = os.path.join(temporary, "tree")
    top = git(folder.path, "rev-parse", "--show-toplevel")
    if top is None:
        _copy(folder.path, target, _walked(folder.path))
        note = "its folder is under no version control: taken as it is"
        if not _has_git():
            note = f"its folder is taken as it is: {_NO_GIT}"
        return Tree(target, (note, *differences(folder)))
    below = os.path.relpath(os.path.realpath(folder.path), os.path.realpath(top))
    inner = os.path.join(target, below)
    recorded = _commit(folder.recorded)
    if recorded and folder.recorded.difference is None and _has(top, recorded):
        notes = _at_commit(top, recorded, target)
        return Tree(inner, (*_moved(top, recorded), f"built from commit {recorded}", *notes))
    modules: list[str] = []
    _copy(top, target, list(_files(top, modules)))
    notes = (f"with its submodules as they are: {listed(modules)}",) if modules else ()
    return Tree(inner, (_as_it_is(folder, top), *notes, *differences(folder)))


def git(folder: str, *words: str) -> str | None:
    """What git answers; None where it fails, or is not there."""
    try:
        argv = ["git", "-C", folder, *SAFE, *words]
        done = run(argv, timeout_s=_GIT_S, variables=QUIET)
    except ToolError:
        return None
    return done.stdout.strip("\n") if done.status == 0 else None


def _has_git() -> bool:
    return shutil.which("git") is not None


def _commit(origin: Origin) -> str | None:
    found = origin.git.commit if isinstance(origin.git, Git) else None
    return found if isinstance(found, str) else None


def _has(top: str, commit: str) -> bool:
    return git(top, "cat-file", "-e", f"{commit}^{{commit}}") is not None


def _moved(top: str, commit: str) -> tuple[str, ...]:
    head = git(top, "rev-parse", "--verify", "HEAD")
    if head == commit:
        return ()
    return (f"its folder is at commit {head[:12] if head else 'none'} now",)


def _at_commit(top: str, commit: str, target: str, depth: int = 0) -> tuple[str, ...]:
    """Put a repository's files there as a commit has them, its submodules' too; what is missing.

    Raises:
        BuildError: git cannot.
    """
    os.makedirs(target, exist_ok=True)
    clone = ("clone", "--quiet", "--shared", "--no-checkout", "--no-recurse-submodules", "--")
    checkout = ("-c", "submodule.recurse=false", "checkout", "--quiet", "--detach", commit)
    if git(target, *_LOCAL, *clone, top, target) is None or git(target, *checkout) is None:
        raise BuildError(f"git could not clone commit {commit[:12]} of its folder")
    notes = _large_files(top, target)
    for path, wanted in submodules(target, commit):
        there = os.path.join(top, path)
        own = git(there, "rev-parse", "--show-prefix") == "" if os.path.isdir(there) else False
        if not own and not (os.path.isdir(there) and os.listdir(there)):
            notes.append(f"its submodule {ascii(path)[1:-1]} is empty in its folder, too")
        elif not own or depth >= _DEEPEST or not _has(there, wanted):
            shown = ascii(path)[1:-1]
            notes.append(f"{NOT_CAPTURED}its submodule {shown} lacks commit {wanted[:12]}")
        else:
            notes.append(f"with its submodule {ascii(path)[1:-1]} at commit {wanted[:12]}")
            notes += _at_commit(there, wanted, os.path.join(target, path), depth + 1)
    return tuple(notes)


def _large_files(top: str, target: str) -> list[str]:
    """Put files that git keeps elsewhere (LFS) in place of what stands for them; what is missing.

    Nobody is asked for them: they are those of the folder, if their bytes are right.
    """
    missing = []
    for name in filter(None, (git(target, "ls-files", "-z", _LARGE) or "").split("\0")):
        place, there = os.path.join(target, name), os.path.join(top, name)
        if os.path.islink(place) or not os.path.isfile(place) or not os.path.isfile(there):
            continue
        with open(place, "rb") as file:
            pointer = _POINTER.match(file.read(1024))
        if pointer and file_hash(there) == pointer[1].decode():
            shutil.copyfile(there, place)
        elif pointer and file_hash(there) != file_hash(place):
            missing.append(name)
    return [f"{NOT_CAPTURED}large files differ: {listed(missing)}"] if missing else []


def submodules(repository: str, commit: str) -> list[tuple[str, str]]:
    """The submodules of a commit: where each lies, and its own commit."""
    rows = git(repository, "ls-tree", "-r", "-z", commit) or ""
    words = [
        (row.partition("\t")[2], row.partition("\t")[0].split(" ")) for row in rows.split("\0")
    ]
    return [
        (path, said[2]) for path, said in words if said[0] == _SUBMODULE and is_member_name(path)
    ]


def _as_it_is(folder: Folder, top: str) -> str:
    """What there is to say of a folder that is taken as it is."""
    head = git(top, "rev-parse", "--verify", "HEAD")
    where = f"commit {head[:12]}" if head else "no commit yet"
    now = folder.now
    count = now.git.changed_files if isinstance(now.git, Git) else None
    changed = f"{count} changed files on " if isinstance(count, int) else ""
    digest = f", difference {now.difference}" if isinstance(now.difference, str) else ""
    return f"built from its folder as it is: {changed}{where}{digest}"


def differences(folder: Folder) -> tuple[str, ...]:
    """How a folder that is taken as it is differs from what was recorded of it."""
    top = git(folder.path, "rev-parse", "--show-toplevel")
    recorded = _commit(folder.recorded)
    if top is None and recorded and not _has_git():
        return (_NO_GIT,)
    if top is None:
        return (f"{NOT_CAPTURED}its commit {recorded[:12]} is gone",) if recorded else ()
    head = git(top, "rev-parse", "--verify", "HEAD")
    if recorded is not None and recorded != head:
        gone = "" if _has(top, recorded) else ", which its repository has no more"
        return (f"{NOT_CAPTURED}that was commit {recorded[:12]}{gone}",)
    then, now = folder.recorded.difference, folder.now.difference
    if recorded is None or isinstance(then, Unknown) or isinstance(now, Unknown):
        return ("nobody knows whether it is what was captured",)
    if then != now:
        was = "without changes" if then is None else f"with difference {then}"
        return (f"{NOT_CAPTURED}that was commit {recorded[:12]} {was}",)
    return ()


def _files(top: str, modules: list[str], depth: int = 0) -> Iterator[str]:
    """The files of a repository's folder that are its own, those of its submodules, too."""
    said = git(top, "ls-files", "-z", "--cached") or ""
    others = git(top, "ls-files", "-z", "--others", "--exclude-standard") or ""
    names = [*said.split("\0"), *(each for each in others.split("\0") if not is_ours(each))]
    for name in dict.fromkeys(filter(None, names)):
        inner = os.path.join(top, name.rstrip("/"))
        if not os.path.isdir(inner) or os.path.islink(inner):
            yield name
        elif depth < _DEEPEST and git(inner, "rev-parse", "--show-prefix") == "":
            modules.append(name.rstrip("/"))
            yield from (f"{name.rstrip('/')}/{each}" for each in _files(inner, modules, depth + 1))


def _walked(source: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(each for each in folders if each not in _LEFT_OUT)
        found += [os.path.relpath(os.path.join(folder, name), source) for name in sorted(files)]
    return found


def _copy(source: str, target: str, names: Sequence[str]) -> None:
    """Copy regular files; a link is followed only where it stays in the source.

    Raises:
        BuildError: They are too large together.
    """
    root, total = os.path.realpath(source), 0
    for name in names:
        path = os.path.join(source, name)
        real = os.path.realpath(path)
        if not os.path.isfile(real) or not real.startswith(f"{root}/"):
            continue
        total += os.path.getsize(real)
        if total > _TREE_LIMIT_BYTES:
            raise BuildError(f"its folder is larger than {_TREE_LIMIT_BYTES >> 30} GiB")
        place = os.path.join(target, name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy2(real, place)
