"""Builds a wheel of one's own source, by its own backend, from the commit that was recorded.

A clean folder under git is cloned, so that what is built is the commit and nothing else; one with
changes is copied as it is, and said to be so. Where no backend can run, as without a network, the
importable files are packed instead.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from envsnap.engines import run
from envsnap.errors import FileError, ToolError
from envsnap.probes._located import Located
from envsnap.sections import Git, Package
from envsnap.wheelhouse._installed import read
from envsnap.wheelhouse._make import Made, pack
from envsnap.wheelhouse._member import Gathered, Home, Member, is_member_name
from envsnap.wheelhouse._tags import stem_of

_TIMEOUT_S = 1800.0
_GIT_S = 300.0
_TREE_LIMIT_BYTES = 4 * 1024**3
_MEMBER_LIMIT_BYTES = 8 * 1024**3
_LIMIT_BYTES = 1024 * 1024
_LEFT_OUT = frozenset(
    {".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox", ".mypy_cache"}
)
_BEGINNING = "315532800"
"""1980, when zip's times begin: backends write it instead of the time of the build."""


class BuildError(ToolError):
    """No wheel came of a source."""


class Tree(NamedTuple):
    """A folder to build from, which is not the user's own."""

    path: str
    notes: tuple[str, ...]


def source_of(located: Located) -> str | None:
    """The folder that a distribution was installed from; None where it is not there any more."""
    if located.kind == "egg-link":
        link = read(located.path, _LIMIT_BYTES).decode("utf-8", "surrogateescape")
        lines = [line.strip() for line in link.split("\n")]
        folder = os.path.normpath(os.path.join(lines[0], "".join(lines[1:2])))
        return folder if os.path.isdir(folder) else None
    try:
        tree = json.loads(read(f"{located.path}/direct_url.json", _LIMIT_BYTES))
    except (FileError, ValueError, RecursionError):
        return None
    url = tree.get("url") if isinstance(tree, dict) else None
    if not isinstance(url, str) or not url.startswith("file:"):
        return None
    below = tree.get("subdirectory")
    folder = unquote(urlsplit(url).path)
    if isinstance(below, str) and is_member_name(below):
        folder = os.path.join(folder, below)
    return folder if os.path.isdir(folder) else None


def build_own(located: Located, home: Home, python: str, folder: str) -> Made:
    """A wheel of the user's own source, built in a folder of its own.

    Raises:
        BuildError: Its backend could not run, or failed.
        FileError: The source cannot be read.
    """
    source = source_of(located)
    if source is None:
        raise BuildError("the folder that it was installed from is not there any more")
    with tempfile.TemporaryDirectory(prefix="envsnap-build-") as temporary:
        tree = _tree(source, located.package, temporary)
        return build(tree, located.package, Builder(home, python, folder), temporary)


class Builder(NamedTuple):
    """What a wheel is built for, and where it goes."""

    home: Home
    python: str
    """The interpreter of the environment."""
    folder: str


def build(tree: Tree, package: Package, builder: Builder, temporary: str) -> Made:
    """The wheel that the tree's own backend makes, packed again so that its bytes are stable.

    Raises:
        BuildError: It failed.
    """
    out = os.path.join(temporary, "out")
    argv = _command(tree.path, out, builder.python)
    done = run(argv, timeout_s=_TIMEOUT_S, variables=_variables(package))
    wheels = [each for each in _names(out) if each.endswith(".whl")]
    if done.status != 0 or len(wheels) != 1:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise BuildError(f"its backend failed: {(said or ['it said nothing'])[-1][:200]}")
    notes = ("built from its source by its own backend", *tree.notes)
    return repack(os.path.join(out, wheels[0]), package, builder, notes)


def repack(path: str, package: Package, builder: Builder, notes: Sequence[str]) -> Made:
    """A wheel's own files as a wheel whose bytes depend on them alone.

    Raises:
        BuildError: It is no wheel, or names files outside itself.
    """
    members: list[Member] = []
    total = 0
    try:
        with zipfile.ZipFile(path) as wheel:
            rows = [each for each in wheel.infolist() if not each.is_dir()]
            for row in rows:
                total += row.file_size
                if not is_member_name(row.filename) or total > _MEMBER_LIMIT_BYTES:
                    raise BuildError(f"its wheel has an unusable file: {row.filename[:120]!a}")
                members.append(Member(row.filename, data=wheel.read(row)))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BuildError(f"its wheel cannot be read: {error}") from error
    infos = {each.name.split("/")[0] for each in members if each.name.count("/") == 1}
    stems = [each.removesuffix(".dist-info") for each in infos if each.endswith(".dist-info")]
    if len(stems) != 1:
        raise BuildError("its wheel has no dist-info folder of its own")
    signed = tuple(f"{stems[0]}.dist-info/{name}" for name in _OF_RECORD)
    kept = tuple(each for each in members if each.name not in signed)
    version = stems[0].partition("-")[2]
    if version != stem_of(package.name, package.version).partition("-")[2]:
        raise BuildError(f"its source is version {version[:60]} now")
    named = (package.name, package.version)
    return pack(Gathered(stems[0], kept, tuple(notes)), builder.home, builder.folder, named)


_OF_RECORD = ("RECORD", "RECORD.jws", "RECORD.p7s")


def _command(source: str, out: str, python: str) -> list[str]:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    uv = beside if os.access(beside, os.X_OK) else shutil.which("uv")
    if uv is not None:
        return [uv, "build", "--wheel", "--python", python, "--out-dir", out, source]
    return [python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, source]


def _variables(package: Package) -> Mapping[str, str]:
    """What makes a build repeatable, and lets backends that ask git say what was installed."""
    version = package.version
    return {
        "SOURCE_DATE_EPOCH": _BEGINNING,
        "PYTHONHASHSEED": "0",
        "SETUPTOOLS_SCM_PRETEND_VERSION": version,
        "PDM_BUILD_SCM_VERSION": version,
        "POETRY_DYNAMIC_VERSIONING_BYPASS": version,
    }


def _tree(source: str, package: Package, temporary: str) -> Tree:
    """The source as it was recorded, in the temporary folder."""
    target = os.path.join(temporary, "tree")
    top = _git(source, "rev-parse", "--show-toplevel")
    if top is None:
        _copy(source, target, _walked(source))
        return Tree(target, ("its folder is under no version control: taken as it is",))
    below = os.path.relpath(os.path.realpath(source), os.path.realpath(top))
    head = _git(top, "rev-parse", "HEAD")
    changed = _changed(top)
    notes = _other_commit(package, head)
    if head is None or changed is None or changed > 0:
        listed = _git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard") or ""
        names = [each for each in listed.split("\0") if each]
        _copy(top, target, names)
        return Tree(os.path.join(target, below), (*notes, _changes(package, changed, head)))
    cloned = _git(
        temporary, "-c", "core.hooksPath=/dev/null", "clone", "--quiet", "--shared", top, target
    )
    if cloned is None or _git(target, "checkout", "--quiet", "--detach", head) is None:
        raise BuildError("git could not clone its folder")
    return Tree(os.path.join(target, below), (*notes, f"built from commit {head}"))


def _other_commit(package: Package, head: str | None) -> tuple[str, ...]:
    git = package.origin.git
    recorded = git.commit if isinstance(git, Git) else None
    if isinstance(recorded, str) and recorded != head:
        return (f"its folder is at another commit than was recorded, {recorded[:12]}",)
    return ()


def _changed(top: str) -> int | None:
    """How many files differ from the commit, without what editable installs write beside them."""
    said = _git(top, "status", "--porcelain", "--untracked-files=all")
    if said is None:
        return None
    own = (".egg-info/", "__pycache__/")
    lines = [line for line in said.splitlines() if line]
    return sum(not (line.startswith("??") and any(each in line for each in own)) for line in lines)


def _changes(package: Package, changed: int | None, head: str | None) -> str:
    """What there is to say of a folder that differs from its commit."""
    digest = package.origin.difference
    of = f", difference {digest}" if isinstance(digest, str) else ""
    where = f"commit {head[:12]}" if head else "no commit yet"
    return f"built from its folder as it is: {changed or 0} changed files on {where}{of}"


def _git(folder: str, *words: str) -> str | None:
    """What git answers; None where it fails, or is not there."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        done = run(["git", "-C", folder, *words], timeout_s=_GIT_S, variables=quiet)
    except ToolError:
        return None
    return done.stdout.strip("\n") if done.status == 0 else None


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


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
