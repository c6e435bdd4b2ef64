"""The archives of an environment's conda packages, in a wheelhouse.

An archive is taken from where it is nearest: the wheelhouse, conda's own cache, its channel. One
that is gone everywhere is made again, from conda's unpacked copy or from the installed files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from envsnap.engines._archives import file_hash
from envsnap.engines.conda import archive_path, checked, is_right
from envsnap.errors import FileError, ToolError
from envsnap.sections import CondaArtifact, Unlocked, replace
from envsnap.wheelhouse._claim import MAKING
from envsnap.wheelhouse._conda_make import Remade, make_archive, pack_cached
from envsnap.wheelhouse._own import Own, own_files
from envsnap.wheelhouse._store import MADE_AGAIN

Fetch = Callable[[CondaArtifact, str], None]
"""Puts the archive behind an artifact's address at a path; raises ToolError where it cannot."""
Listener = Callable[[str], None]
"""Gets one line of what is going on."""
_NAMED_BY = ("name", "version", "build")
_RECORD_LIMIT_BYTES = 256 * 1024 * 1024


class CondaFilled(NamedTuple):
    """The conda half of a wheelhouse."""

    artifacts: tuple[CondaArtifact, ...]
    """As the lock has them now: sizes known, and those that were made with hashes of their own."""
    notes: Mapping[str, tuple[str, ...]]
    """What the reader should know of an archive, by conda's name of the package."""
    failed: tuple[Unlocked, ...]


def fill_conda(  # noqa: PLR0913 - the last two for callers that know the machine and the folder
    artifacts: Sequence[CondaArtifact],
    folder: str,
    fetch: Fetch | None,
    listen: Listener,
    *,
    prefix: str | None = None,
    own: Own | None = None,
) -> CondaFilled:
    """Every archive at FOLDER/conda/SUBDIR/FILE, hash-checked, or why it could not be had.

    `prefix` is the environment's folder where it is on this machine. Without `fetch`, no address
    is asked. `own` says what may be replaced; None to read it from the folder's list.

    Raises:
        FileError: The wheelhouse cannot be written.
        ManifestError: The lock names an archive in a way that no channel knows.
    """
    records = _records(prefix)
    own = own or own_files(folder, "")
    done: list[CondaArtifact] = []
    notes: dict[str, tuple[str, ...]] = {}
    failed: list[Unlocked] = []
    for index, artifact in enumerate(artifacts):
        checked(artifact, f"lock.conda[{index}]")
        listen(f"conda archive {index + 1} of {len(artifacts)}: {artifact.name}")
        here = _Here(prefix, records.get(_key(artifact), {}), own)
        found = _had(artifact, folder, fetch, here)
        if isinstance(found, str):
            name, version = artifact.name, artifact.version
            failed.append(Unlocked(name=name, version=version, why=found))
            done.append(artifact)
        else:
            done.append(found.artifact)
            notes |= {artifact.name: found.notes} if found.notes else {}
    return CondaFilled(tuple(done), notes, tuple(failed))


class _Here(NamedTuple):
    """What this machine knows of a package."""

    prefix: str | None
    record: Mapping[str, object]
    """conda-meta's; empty where the environment is not here."""
    own: Own


class _Had(NamedTuple):
    """An archive that lies in the wheelhouse."""

    artifact: CondaArtifact
    notes: tuple[str, ...] = ()


def _had(artifact: CondaArtifact, folder: str, fetch: Fetch | None, here: _Here) -> _Had | str:
    """The archive, from the nearest place that has it; or what is gone and what can be done."""
    path = archive_path(folder, artifact)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if _is_here(path, artifact):
            return _Had(_told(artifact, path))
        name = os.path.relpath(path, folder)
        if not here.own.may_replace(name):
            return here.own.stays(name)
        if any(_copied(source, path, artifact) for source in _sources(artifact, here)):
            return _Had(_told(artifact, path))
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}") from error
    why = "it has no address"
    if artifact.url is not None:
        why = _fetched(artifact, path, fetch)
        if not why:
            return _Had(_told(artifact, path))
    return _made(artifact, folder, here, why)


def _fetched(artifact: CondaArtifact, path: str, fetch: Fetch | None) -> str:
    """Nothing once the archive was fetched; else why not."""
    if fetch is None:
        return "no address was asked"
    try:
        fetch(artifact, path)
    except ToolError as error:
        return error.message
    if _is_here(path, artifact):
        return ""
    with contextlib.suppress(OSError):
        os.unlink(path)
    return f"{artifact.url} has other bytes than the lock says"


def _made(artifact: CondaArtifact, folder: str, here: _Here, why: str) -> _Had | str:
    """The archive made again. Its bytes are new, and so are its hashes."""
    if here.prefix is None or not here.record:
        return (
            f"{why}, and the environment is not on this machine; "
            "fill a wheelhouse where it still is: envsnap lock --wheelhouse DIR"
        )
    stem = f"{artifact.name}-{artifact.version}-{artifact.build}"
    new = replace(artifact, filename=f"{stem}.tar.bz2", url=None, sha256=None, md5=None, how="made")
    path = archive_path(folder, new)
    copy = here.record.get("extracted_package_dir")
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=folder) as beside:
        fresh = os.path.join(beside, new.filename)
        found: Remade | str = pack_cached(copy, fresh) if isinstance(copy, str) and copy else ""
        source = f"{MADE_AGAIN}from conda's unpacked copy"
        if isinstance(found, str):
            found = make_archive(here.record, here.prefix, fresh)
            source = f"{MADE_AGAIN}from the installed files"
        if isinstance(found, str):
            return f"{why}, and it cannot be made again: {found}"
        try:
            here.own.put(fresh, os.path.relpath(path, folder))
        except FileError as error:
            return f"{why}; {error.message}"
    made = replace(new, content=found.content)
    return _Had(_told(made, path), (source, *found.notes))


def _told(artifact: CondaArtifact, path: str) -> CondaArtifact:
    """The artifact with what its file tells: the size, and the hashes where one was not known."""
    sha256 = file_hash(path, "sha256") if artifact.sha256 is None else artifact.sha256
    md5 = file_hash(path, "md5") if artifact.md5 is None else artifact.md5
    return replace(artifact, size=os.path.getsize(path), sha256=sha256, md5=md5)


def _is_here(path: str, artifact: CondaArtifact) -> bool:
    return os.path.isfile(path) and is_right(path, artifact)


def _copied(source: str, path: str, artifact: CondaArtifact) -> bool:
    """Whether a file of this machine is the archive; then it lies in the wheelhouse too."""
    try:
        if not _is_here(source, artifact):
            return False
    except OSError:
        return False
    part = f"{path}.part"
    try:
        shutil.copyfile(source, part)
        os.replace(part, path)
    finally:
        if os.path.lexists(part):
            os.unlink(part)
    return _is_here(path, artifact)


def _sources(artifact: CondaArtifact, here: _Here) -> Iterator[str]:
    """Where on this machine the archive may lie: conda's record of it, and its caches."""
    kept, url = here.record.get("package_tarball_full_path"), here.record.get("url")
    if isinstance(kept, str) and kept:
        yield kept
    if isinstance(url, str) and url.startswith("file://"):
        yield unquote(url.removeprefix("file://").partition("#")[0])
    for cache in _caches(here):
        yield os.path.join(cache, artifact.filename)


def _caches(here: _Here) -> Iterator[str]:
    """The folders of conda's package caches, as conda and mamba look for them."""
    variable = os.environ.get("CONDA_PKGS_DIRS", "")
    yield from (each for each in variable.replace(",", os.pathsep).split(os.pathsep) if each)
    copy = here.record.get("extracted_package_dir")
    if isinstance(copy, str) and copy:
        yield os.path.dirname(copy)
    for root in (os.environ.get("MAMBA_ROOT_PREFIX"), os.environ.get("CONDA_ROOT"), here.prefix):
        if root:
            yield os.path.join(root, "pkgs")
    if here.prefix is not None:  # an environment of an installation lies in ROOT/envs/NAME
        yield os.path.join(os.path.dirname(os.path.dirname(here.prefix)), "pkgs")
    yield os.path.expanduser("~/.conda/pkgs")


def _key(artifact: CondaArtifact) -> tuple[str, str, str]:
    return artifact.name, artifact.version, artifact.build


def _records(prefix: str | None) -> Mapping[tuple[str, str, str], Mapping[str, object]]:
    """conda-meta's records, by name, version and build."""
    found: dict[tuple[str, str, str], Mapping[str, object]] = {}
    folder = os.path.join(prefix or "", "conda-meta")
    if prefix is None or not os.path.isdir(folder):
        return found
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not name.endswith(".json") or not os.path.isfile(path):
            continue
        with contextlib.suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
            record = json.loads(file.read(_RECORD_LIMIT_BYTES))
            if isinstance(record, dict):
                package, version, build = (str(record.get(key)) for key in _NAMED_BY)
                found[package, version, build] = record
    return found
