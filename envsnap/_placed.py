"""Everything that was fetched, in its place: the folder that needs no network."""

from __future__ import annotations

import os
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
from envsnap.formats._context import (
    KEPT,
    RECORD,
    SUMS,
    Carried,
    digests,
    remove,
    write_context,
    write_record,
)
from envsnap.formats._files import PROJECT, conda_place
from envsnap.formats._halves import Contents, build_script, readme
from envsnap.formats._standing import Standing, look
from envsnap.manifest import write_whole
from envsnap.plan import BuildPlan
from envsnap.plan._model import WHEELS
from envsnap.wheelhouse._fill import Filled

UNFINISHED = {
    "unfinished": "not fetched to its end: the same envsnap build --fetch goes on with what is "
    "here, or delete it"
}
"""What the record of a fetch says until it has ended."""


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


def place_all(planned: BuildPlan, parts: Parts, options: BuildOptions, begun: Standing) -> Placed:
    """Everything in its place, the recipe beside it, and the list of hashes last.

    `begun` is what lay in the folder before the fetch.

    Raises:
        FileError: The folder cannot be written, or holds somebody's own file where one is to go.
    """
    folder, formats = options.output, options.formats
    sources = _sources(planned, parts, folder)
    images = tuple(each.path for each in parts.images)
    contents = _contents(planned, parts, sources, formats)
    texts = _texts(planned, parts, contents)
    wanted = digests(texts, sources)
    standing = look(folder, wanted, options.manifest)
    standing.refuse_others(folder, force=options.force)
    write_record(os.path.join(folder, KEPT), UNFINISHED, wanted, standing.written)
    _unmark(folder, begun)
    remove(folder, (*standing.stale, *standing.unfinished))
    for path, each in sources.items():
        if path not in standing.own:
            _move(each.source, _path(folder, path))
    write_context(folder, texts, own=standing.own)
    sums = "".join(f"{wanted[path]}  {path}\n" for path in sorted(wanted))
    # A base image that is a file is told by its place here: where it lay is nobody's business.
    told = on_archive(planned, "apptainer", parts.images) if planned.base.is_file else planned
    written = {path: each for path, each in wanted.items() if path not in standing.own}
    done = {**record(told, formats, None), "fetched": True}
    write_record(folder, done, {**written, **digests({SUMS: sums})})
    files = tuple(sorted(wanted))
    write_whole(os.path.join(folder, SUMS), sums.encode())
    replaced = {*begun.others} & {*files, RECORD, SUMS}
    said = standing._replace(others=tuple(sorted({*standing.others, *replaced}))).notes
    return Placed(planned, folder, files, contents.size, images, (*contents.notes, *said))


def _contents(
    planned: BuildPlan, parts: Parts, sources: Mapping[str, Carried], formats: tuple[str, ...]
) -> Contents:
    sizes = {path: os.path.getsize(each.source) for path, each in sources.items()}
    images = tuple(each.path for each in parts.images)
    return Contents(
        files=len(sources), size=sum(sizes.values()), formats=formats, images=images,
        base=sum(sizes[each] for each in images), notes=_notes(planned, parts),
    )  # fmt: skip


def _texts(planned: BuildPlan, parts: Parts, contents: Contents) -> Mapping[str, str]:
    """The recipes, and what turns them into one half of a build."""
    texts: dict[str, str] = {}
    for name in contents.formats:
        texts.update(named(name).render(on_archive(planned, name, parts.images)))
    if "apptainer" in contents.formats:
        texts.update(build_script(planned, contents))
    texts.update(readme(planned, contents))
    return texts


def _sources(planned: BuildPlan, parts: Parts, folder: str) -> Mapping[str, Carried]:
    """Every file that travels, where it lies now, by its place."""
    wheels = {each.sha256: each for each in parts.filled.wheelhouse.files}
    known = {f"{WHEELS}/{each.filename}": each.sha256 for each in planned.carried}
    known |= {conda_place(each): str(each.sha256) for each in planned.carried_conda}
    kept = os.path.join(folder, KEPT)
    found = {
        path: Carried(_path(os.path.join(kept, WHEELS), wheels[sha256].filename), sha256)
        for path, sha256 in known.items()
    }
    if parts.project.code is not None:
        found[PROJECT] = Carried(os.path.join(kept, PROJECT), parts.project.code.sha256)
    return found | {
        each.path: Carried(each.source, each.sha256) for each in (*parts.images, *parts.others)
    }


def _path(folder: str, path: str) -> str:
    return os.path.join(folder, *path.split("/"))


def _unmark(folder: str, begun: Standing) -> None:
    """Take off what calls the folder whole, then its record: from now on that of `KEPT` tells."""
    for name in (SUMS, RECORD):
        if name == RECORD or name in (*begun.written, *begun.others):
            try:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name))
            except OSError as error:
                raise FileError(f"Cannot write into {folder}: {error.strerror}") from error


def _move(source: str, target: str) -> None:
    """A file into its place, at once."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(source, target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror}") from error


def _notes(planned: BuildPlan, parts: Parts) -> tuple[str, ...]:
    notes = [f"{each.name} {each.version} is not in it: {each.why}" for each in planned.left_out]
    return (*notes, *parts.project.notes)
