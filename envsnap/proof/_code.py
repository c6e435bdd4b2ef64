"""The project's own code in an image, held against the commit that its manifest names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from envsnap.engines._commit import Contents, Entry, contents, entries
from envsnap.errors import ToolError
from envsnap.images import ImageTree
from envsnap.manifest import Manifest
from envsnap.proof._model import NotProved, Tampered
from envsnap.proof._outside import PROJECT
from envsnap.sections import Project, Unknown

_PIECE = 1 << 20
_LINK = "120000"


def code(
    tree: ImageTree, wanted: Manifest, repository: str | None
) -> tuple[list[Tampered], list[NotProved]]:
    """What differs from the commit; where no repository here has it, that nothing is known."""
    found: dict[str, tuple[str, str, int]] = {
        path.removeprefix(f"{PROJECT}/"): (each.kind, each.sha256 or each.link, each.layer)
        for path, each in tree.below(PROJECT)
        if each.kind != "folder"
    }
    if not found:
        return [], []
    commit = _commit(wanted)
    if not commit:
        says = "the project's code, for which the manifest knows no commit"
        return [], [NotProved("project", says, tuple(f"{PROJECT}/{each}" for each in found))]
    stated = _stated(repository, commit) if repository else None
    if stated is None:
        says = f"the project's code: verify it in a clone that has the commit {commit[:12]}"
        return [], [NotProved("project", says, tuple(f"{PROJECT}/{each}" for each in found))]
    return list(_differences(stated, found, commit)), []


def _differences(
    stated: dict[str, tuple[str, str]], found: dict[str, tuple[str, str, int]], commit: str
) -> Iterator[Tampered]:
    for path in sorted({*stated, *found}):
        kind, content, layer = found.get(path, ("", "", None))
        if (kind, content) == stated.get(path):
            continue
        what = "is not in" if path not in stated else "is not as in" if kind else "is gone, and in"
        says = f"{PROJECT}/{path} {what} the commit {commit[:12]}"
        wanted = stated.get(path, ("", ""))[1]
        yield Tampered(
            "project", says, path=f"{PROJECT}/{path}", wanted=wanted, found=content, layer=layer
        )


def _commit(wanted: Manifest) -> str:
    project = wanted.section(Project)
    git = None if isinstance(project, Unknown) else project.git
    if git is None or isinstance(git, Unknown) or isinstance(git.commit, Unknown):
        return ""
    is_one = len(git.commit) in {40, 64} and set(git.commit) <= set("0123456789abcdef")
    return git.commit if is_one else ""


def _stated(repository: str, commit: str) -> dict[str, tuple[str, str]] | None:
    """The commit's files: of each its kind, and its SHA-256 or where it points; None without it."""
    try:
        listed = entries(repository, commit)
        if listed is None:
            return None
        with contents(repository) as blobs:
            return {each.path: _one(each, blobs) for each in listed if not each.is_submodule}
    except ToolError:  # no git, or a clone without its files
        return None


def _one(entry: Entry, blobs: Contents) -> tuple[str, str]:
    blob = blobs.open(entry)
    if entry.mode == _LINK:
        return "link", os.fsdecode(blob.read(entry.size))
    digest, left = hashlib.sha256(), entry.size
    while left:
        piece = blob.read(min(left, _PIECE))
        if not piece:
            raise ToolError("git ended before it gave the whole of a file")
        digest.update(piece)
        left -= len(piece)
    return "file", digest.hexdigest()
