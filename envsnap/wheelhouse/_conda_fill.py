"""The conda half of a wheelhouse, with the same trust as the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from envsnap.engines.conda import archive_path
from envsnap.sections import CondaArtifact, Unlocked
from envsnap.wheelhouse._conda import fill_conda
from envsnap.wheelhouse._fetch import Source, fetch, way
from envsnap.wheelhouse._own import Own
from envsnap.wheelhouse._prepare import Prepared
from envsnap.wheelhouse._store import Stored, sha256_of


class Archives(NamedTuple):
    """Every conda package, as an archive."""

    stored: tuple[Stored, ...]
    artifacts: tuple[CondaArtifact, ...]
    failed: tuple[Unlocked, ...]


def fill_archives(prepared: Prepared, own: Own, listen: Callable[[str], None]) -> Archives:
    """The archives of the lock's conda packages, in the folder.

    Raises:
        FileError: The wheelhouse cannot be written.
    """
    if not prepared.lock.conda:
        return Archives((), (), ())
    by = way(prepared.trust)

    def get(artifact: CondaArtifact, path: str) -> None:
        fetch(archive_source(artifact), path, by)

    prefix = prepared.here.interpreter.prefix if prepared.here is not None else None
    asks = None if prepared.options.offline else get
    filled = fill_conda(prepared.lock.conda, prepared.folder, asks, listen, prefix=prefix, own=own)
    lost = {each.name for each in filled.failed}
    stored = tuple(
        _stored(each, prepared.folder, filled.notes.get(each.name, ()))
        for each in filled.artifacts
        if each.name not in lost
    )
    return Archives(stored, filled.artifacts, filled.failed)


def archive_source(artifact: CondaArtifact) -> Source:
    """Where an archive is fetched, and what its bytes must be."""
    size = artifact.size if isinstance(artifact.size, int) else None
    sha256 = artifact.sha256 if isinstance(artifact.sha256, str) else None
    md5 = artifact.md5 if isinstance(artifact.md5, str) else None
    return Source(artifact.url or "", sha256, size, md5)


def _stored(artifact: CondaArtifact, folder: str, notes: tuple[str, ...]) -> Stored:
    path = archive_path(folder, artifact)
    return Stored(
        artifact.name, artifact.version, os.path.relpath(path, folder), sha256_of(path) or "",
        os.path.getsize(path), "conda", None, notes,
    )  # fmt: skip
