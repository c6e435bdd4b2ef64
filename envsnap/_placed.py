"""Everything that was fetched, in its place: the folder that needs no network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from envsnap._build import BuildOptions
from envsnap._fetched import on_archive
from envsnap._installers import Brought
from envsnap._project import NoCode, Packed
from envsnap._record import record
from envsnap.errors import FileError
from envsnap.formats import named
from envsnap.formats._context import KEPT, RECORD, SUMS, write_context, write_record
from envsnap.formats._files import PROJECT, conda_place
from envsnap.formats._halves import Contents, build_script, readme
from envsnap.manifest import write_whole
from envsnap.plan import BuildPlan
from envsnap.plan._model import WHEELS
from envsnap.wheelhouse._fill import Filled
from envsnap.wheelhouse._store import sha256_of


class Parts(NamedTuple):
    """What has come."""

    filled: Filled
    images: tuple[Brought, ...]
    """The base image's archive first; empty where no recipe starts from one."""
    others: tuple[Brought, ...]
    project: Packed | NoCode


class Placed(NamedTuple):
    """A folder that has everything."""

    plan: BuildPlan
    folder: str
    files: tuple[str, ...]
    size: int
    """Bytes."""
    images: tuple[str, ...]
    """The archives of images in it, each to be loaded by an engine that starts from its name."""
    notes: tuple[str, ...]
    """What whoever builds has to know."""


def place_all(planned: BuildPlan, parts: Parts, options: BuildOptions) -> Placed:
    """Everything in its place, the recipe beside it, and the list of hashes last.

    Raises:
        FileError: The folder cannot be written.
    """
    folder, formats = options.output, options.formats
    known = _placed(planned, parts, folder)
    sizes = {path: os.path.getsize(_path(folder, path)) for path in known}
    images = tuple(each.path for each in parts.images)
    contents = Contents(
        files=len(known), size=sum(sizes.values()), formats=formats, images=images,
        base=sum(sizes[each] for each in images), notes=_notes(planned, parts),
    )  # fmt: skip
    texts: dict[str, str] = {}
    for name in formats:
        texts.update(named(name).render(on_archive(planned, name, parts.images)))
    if "apptainer" in formats:
        texts.update(build_script(planned, contents))
    texts.update(readme(planned, contents))
    files = tuple(sorted({*texts, *known}))
    write_context(folder, texts, there=known)
    # A base image that is a file is told by its place here: where it lay is nobody's business.
    told = on_archive(planned, "apptainer", parts.images) if planned.base.is_file else planned
    write_record(folder, {**record(told, formats, None), "fetched": True}, files)
    _sweep(folder, {*files, RECORD})
    _write_sums(folder, files, known)
    return Placed(planned, folder, files, contents.size, images, contents.notes)


def _placed(planned: BuildPlan, parts: Parts, folder: str) -> Mapping[str, str]:
    """Every file that travels moved into its place; their hashes, by their paths."""
    wheels = {each.sha256: each for each in parts.filled.wheelhouse.files}
    known = {f"{WHEELS}/{each.filename}": each.sha256 for each in planned.carried}
    known |= {conda_place(each): str(each.sha256) for each in planned.carried_conda}
    for path, sha256 in known.items():
        move(_path(os.path.join(folder, KEPT, WHEELS), wheels[sha256].filename),
             _path(folder, path))  # fmt: skip
    if parts.project.code is not None:
        move(os.path.join(folder, KEPT, PROJECT), os.path.join(folder, PROJECT))
        known[PROJECT] = parts.project.code.sha256
    for other in (*parts.images, *parts.others):
        move(other.source, _path(folder, other.path))
        known[other.path] = other.sha256
    return known


def _path(folder: str, path: str) -> str:
    return os.path.join(folder, *path.split("/"))


def move(source: str, target: str) -> None:
    """A file into its place, at once.

    Raises:
        FileError: It cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(source, target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror}") from error


def names_in(folder: str) -> list[str]:
    """The files that a folder of ours has; a link is none of ours."""
    with suppress(OSError):
        return sorted(
            each.name for each in os.scandir(folder) if each.is_file(follow_symlinks=False)
        )
    return []


def _notes(planned: BuildPlan, parts: Parts) -> tuple[str, ...]:
    notes = [f"{each.name} {each.version} is not in it: {each.why}" for each in planned.left_out]
    return (*notes, *parts.project.notes)


def _sweep(folder: str, files: set[str]) -> None:
    """Remove what a run that was killed while it wrote one of these files has left of it."""
    for path in files:
        place, name = os.path.split(_path(folder, path))
        for each in names_in(place):
            if re.fullmatch(re.escape(name) + r"\.[0-9a-f]{8}\.tmp", each):
                os.unlink(os.path.join(place, each))


def _write_sums(folder: str, files: tuple[str, ...], known: Mapping[str, str]) -> None:
    """The list that sha256sum reads; what has come was hashed on its way."""
    lines = []
    for path in files:
        digest = known.get(path) or sha256_of(_path(folder, path))
        lines.append(f"{digest}  {path}\n")
    write_whole(os.path.join(folder, SUMS), "".join(lines).encode())
