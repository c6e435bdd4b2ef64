"""project: the project's own code at the manifest's commit, as an archive that a recipe carries."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from envsnap.engines._commit import Contents, Entry, NoGitError, committed, contents, entries
from envsnap.errors import FileError, PlanError
from envsnap.formats import heeds
from envsnap.manifest import Manifest
from envsnap.manifest._file import part_of
from envsnap.plan._model import ProjectCode
from envsnap.sections import Git, Project, Unknown

_COMMIT = re.compile(r"\A(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_LINK = "120000"
_PROGRAM = "100755"
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_BYTES = 1024
_SHOWN = 3
_PIECE = 1 << 20


class Packed(NamedTuple):
    """The project's code, and what of it the archive cannot hold."""

    code: ProjectCode
    notes: tuple[str, ...]
    """Sentences for the user: changes that no commit has, submodules, files in Git LFS."""


class NoCode(NamedTuple):
    """Why an image gets no code of the project."""

    why: str
    notes: tuple[str, ...] = ()
    """For the user, where the manifest names a commit that nobody said to leave out."""
    code: None = None


def pack_project(
    manifest: Manifest, folder: str, target: str, *, asked: bool | None
) -> Packed | NoCode:
    """Write the files of the manifest's commit to `target`, from the repository around `folder`.

    The archive has the same bytes wherever it is made. `asked` is None where nobody said: then
    only a tree that had no changes is packed.

    Raises:
        PlanError: It was asked for and cannot be done.
    """
    if asked is False:
        return NoCode("it was not wanted (--no-project)")
    found = _recorded(manifest)
    if isinstance(found, NoCode):
        return found if not asked else _missing(found.why, asked=True)
    commit, git, name = found
    if git.changed_files != 0 and asked is None:
        return _missing(f"{_changed(git)}; --with-project takes the commit without them")
    try:
        listed = entries(folder, commit)
    except NoGitError as error:
        return _missing(str(error), asked=asked)
    if listed is None:
        why = f"the repository at {folder} does not have the commit {commit[:12]}"
        return _missing(why, asked=asked)
    notes = [f"Not in the image: {_changed(git)}"] if git.changed_files != 0 else []
    lfs = _write(folder, listed, committed(folder, commit), target)
    notes += _named("submodule", [each.path for each in listed if each.is_submodule])
    notes += _named("file in Git LFS", lfs)
    return Packed(ProjectCode(name, commit, _digest(target)), tuple(notes))


def project_code(
    manifest: Manifest, formats: Iterable[str], target: str, *, asked: bool | None
) -> Packed | NoCode:
    """The project's own code as `pack_project` has it, where one of the formats takes it.

    Raises:
        PlanError: It was asked for, and cannot be had.
        FileError: The archive cannot be written.
    """
    if not heeds(formats, "with_project"):
        return NoCode("nothing that is written takes it")
    return pack_project(manifest, os.curdir, target, asked=asked)


def _recorded(manifest: Manifest) -> tuple[str, Git, str] | NoCode:
    """The commit that the manifest names, and what it says of the tree."""
    project = manifest.section(Project)
    git = project if isinstance(project, Unknown) else project.git
    if git is None:
        return NoCode("the project is in no repository")
    if isinstance(git, Unknown) or isinstance(git.commit, Unknown):
        return NoCode("the manifest knows no commit of the project")
    if not _COMMIT.match(git.commit):
        raise PlanError(f"Expected a commit, not {git.commit[:60]!a} in 'sections.project.git'")
    named = None if isinstance(project, Unknown) else project.name
    name = _NAME.sub("-", named if isinstance(named, str) else "project").strip("-.") or "project"
    return git.commit, git, name[:100]


def _missing(why: str, *, asked: bool | None = None) -> NoCode:
    """Say that the code stays out, or refuse where it was asked for."""
    if asked:
        raise PlanError(
            f"The project's code cannot be in the image: {why}",
            hint="Build where the repository is, or leave the code out: --no-project",
        )
    return NoCode(why, (f"Not in the image: the project's own code ({why})",))


def _changed(git: Git) -> str:
    count = git.changed_files
    if isinstance(count, Unknown):
        return f"whatever was changed since the commit: nobody knows ({count})"
    return f"{count} changed {'file' if count == 1 else 'files'} that the commit does not have"


def _named(what: str, paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    few = ", ".join(ascii(each)[1:-1] for each in paths[:_SHOWN])
    more = ", ..." if len(paths) > _SHOWN else ""
    noun = what if len(paths) == 1 else what.replace("submodule", "submodules").replace(
        "file ", "files "
    )  # fmt: skip
    return [f"Not in the image: {len(paths)} {noun} ({few}{more})"]


def _write(folder: str, listed: Sequence[Entry], time: int, target: str) -> list[str]:
    """Write the archive; the paths of the files whose content is elsewhere."""
    part = part_of(target)
    try:
        with (
            contents(folder) as blobs,
            tarfile.open(part, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive,
        ):
            elsewhere = [
                each.path
                for each in listed
                if not each.is_submodule and _add(archive, each, blobs, time)
            ]
        os.replace(part, target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror or error}") from error
    finally:
        if os.path.lexists(part):
            os.unlink(part)
    return elsewhere


def _add(archive: tarfile.TarFile, entry: Entry, blobs: Contents, time: int) -> bool:
    """Put one file into the archive; whether it only says where its content is."""
    row = tarfile.TarInfo(entry.path)
    row.mtime = time
    row.mode = 0o755 if entry.mode == _PROGRAM else 0o644
    blob = blobs.open(entry)
    if entry.mode == _LINK:
        row.type, row.mode = tarfile.SYMTYPE, 0o777
        row.linkname = os.fsdecode(blob.read(entry.size))
        archive.addfile(row)
        return False
    row.size = entry.size
    if entry.size >= _LFS_BYTES:
        archive.addfile(row, blob)
        return False
    text = blob.read(entry.size)
    archive.addfile(row, io.BytesIO(text))
    return text.startswith(_LFS)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
