"""fetch: everything that a build needs is brought into one folder that needs no network.

One half of a build for clusters: the login node has a network and no container engine; the node
that builds has Apptainer and no network. What an interrupted run has left is gone on with.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from envsnap._build import BuildOptions, record, resolve_digest, without_network
from envsnap._fetched import (
    STARTS,
    TOOLS,
    Brought,
    By,
    bring_base,
    bring_system,
    bring_tools,
    missing_images,
    on_archive,
    planned_hosts,
)
from envsnap._project import Packed, pack_project
from envsnap.engines._workdir import choose_workdir, places
from envsnap.errors import FileError, PlanError, ToolError
from envsnap.formats import named
from envsnap.formats._context import RECORD, SUMS, claim, read_record, write_context, write_record
from envsnap.formats._files import DEBS, PROJECT, conda_place
from envsnap.formats._halves import Contents, build_script, readme
from envsnap.lock import LockOptions, hosts
from envsnap.lock._trust import host_counts
from envsnap.manifest import Manifest, write_whole
from envsnap.plan import BuildPlan, Resolve, plan
from envsnap.sections import Artifact, replace
from envsnap.wheelhouse._claim import claimed
from envsnap.wheelhouse._fill import Filled, fill
from envsnap.wheelhouse._part import judge_room
from envsnap.wheelhouse._prepare import FillOptions, place_of
from envsnap.wheelhouse._store import Stored, is_plain, open_wheelhouse, sha256_of

KEPT = ".fetch"
"""What was fetched and has not found its place yet."""
_WHEELS = "wheels"
_SHOWN = 5

Listener = Callable[[str], None]
"""Gets one line of what is going on."""


@dataclass(frozen=True, kw_only=True)
class FetchOptions:
    """What is fetched, and where it may come from."""

    build: BuildOptions
    lock: LockOptions = field(default_factory=LockOptions)
    allow_host: frozenset[str] = frozenset()
    allow_build: frozenset[str] = frozenset()
    """Canonical names whose source may be built here, which runs its code."""
    python: str | None = None
    """The captured environment, where it is on this machine; None to look for it."""


class Fetched(NamedTuple):
    """A folder that has everything."""

    plan: BuildPlan
    folder: str
    files: tuple[str, ...]
    size: int
    """Bytes."""
    base: str | None
    """The name that the base image gets where its archive is loaded; None where none travels."""
    notes: tuple[str, ...]
    """What whoever builds has to know."""


def fetch_hosts(manifest: Manifest, options: FetchOptions) -> tuple[str, ...]:
    """The hosts that a fetch talks to, as far as they can be told before."""
    known = hosts(options.lock.indexes, os.environ, locker=options.lock.locker)
    lock = manifest.lock
    urls = [each.url for each in lock.artifacts] if lock is not None else []
    urls += [each.url for each in lock.conda] if lock is not None else []
    counts = [f"{host} ({count})" for host, count in host_counts(urls)]
    return tuple(dict.fromkeys([*known, *counts, *planned_hosts(manifest, options.build.plan)]))


def fetch(
    manifest: Manifest,
    options: FetchOptions,
    listen: Listener,
    resolve: Resolve = resolve_digest,
) -> Fetched:
    """The folder of a locked manifest, whole: recipe, base image, packages, tools.

    Raises:
        PlanError: No image can be planned from this manifest, or it has no lock.
        ToolError: The network failed, or a host is neither the user's own nor allowed.
        FileError: The folder is not ours, cannot be written, or has not enough room.
    """
    folder = options.build.output
    claim(folder, force=options.build.force)
    kept = os.path.join(folder, KEPT)
    _begin(folder)
    with claimed(kept), _caches(options.build.workdir):
        _judge_room(manifest, folder)
        filled = _packages(manifest, folder, options, listen)
        code = pack_project(
            manifest, os.curdir, os.path.join(kept, PROJECT), asked=options.build.with_project
        )
        packed = code if isinstance(code, Packed) else None
        planned = _planned(filled, options, packed, resolve)
        by = By(options.lock, options.allow_host, kept, listen)
        tools = bring_tools(planned, filled.manifest, by)
        base = bring_base(planned, by) if STARTS.keys() & {*options.build.formats} else ()
        others = (*tools, *base, *bring_system(planned, by))
        parts = _Parts(filled, others, packed)
        listen("Writing the recipe ...")
        fetched = _finish(without_network(planned), parts, options)
    shutil.rmtree(kept, ignore_errors=True)
    return fetched


def _begin(folder: str) -> None:
    """Mark the folder as ours, and as one that is not whole."""
    try:
        os.makedirs(folder, exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, SUMS))
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error
    if read_record(folder) is None:
        write_record(folder, {}, ())


@contextmanager
def _caches(workdir: str | None) -> Iterator[None]:
    """Every tool that is started keeps its cache in the working folder while the block runs."""
    with places(choose_workdir(workdir, os.environ)) as found:
        before = {name: os.environ.get(name) for name in found.variables}
        os.environ.update(found.variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _judge_room(manifest: Manifest, folder: str) -> None:
    """Refuse before anything is fetched where the packages alone do not fit.

    Raises:
        FileError: They do not.
    """
    artifacts = manifest.lock.artifacts if manifest.lock is not None else ()
    missing = [each for each in artifacts if not _lies(folder, each)]
    judge_room(folder, sum(each.size for each in missing if isinstance(each.size, int)))


def _lies(folder: str, artifact: Artifact) -> bool:
    """Whether a file of that name came already, in an earlier run."""
    if not is_plain(place_of(artifact)):
        return False
    kept = os.path.join(folder, KEPT, _WHEELS, place_of(artifact))
    return os.path.isfile(kept) or os.path.isfile(os.path.join(folder, _WHEELS, artifact.filename))


# --- packages -------------------------------------------------------------------------------------


def _packages(manifest: Manifest, folder: str, options: FetchOptions, listen: Listener) -> Filled:
    """Every package as a file.

    Raises:
        ToolError: One could not be fetched, and none is to be left out.
    """
    wheels = os.path.join(folder, KEPT, _WHEELS)
    _put_back(manifest, folder, wheels)
    _take_from(options.build.wheelhouse, wheels)
    asked = FillOptions(
        lock=options.lock, python=options.python, allow_host=options.allow_host,
        allow_build=options.allow_build,
    )  # fmt: skip
    filled = fill(manifest, wheels, asked, listen)
    lost = {each.name: each for each in filled.failed}
    locked = filled.manifest.lock.artifacts if filled.manifest.lock is not None else ()
    here = {each.sha256 for each in filled.wheelhouse.files}
    gone = [lost[each.name] for each in locked if each.sha256 not in here and each.name in lost]
    if gone and not options.build.plan.allow_missing:
        names = ", ".join(f"{each.name} {each.version}" for each in gone[:_SHOWN])
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        raise ToolError(
            f"Not fetched: {names}{more}; {gone[0].name}: {gone[0].why}",
            hint="Run the same command again: what has come is kept",
        )
    return filled


def _put_back(manifest: Manifest, folder: str, wheels: str) -> None:
    """What an earlier run had put into its place; it is hashed there again."""
    artifacts, conda = (lock.artifacts, lock.conda) if (lock := manifest.lock) else ((), ())
    places = [(f"{_WHEELS}/{each.filename}", place_of(each)) for each in artifacts]
    for placed, place in [*places, *((conda_place(each), conda_place(each)) for each in conda)]:
        if is_plain(place) and os.path.isfile(os.path.join(folder, placed)):
            _move(os.path.join(folder, placed), os.path.join(wheels, *place.split("/")))
    for source, target in ((DEBS, DEBS), (_WHEELS, TOOLS)):
        for name in _names(os.path.join(folder, source)):
            _move(os.path.join(folder, source, name), os.path.join(folder, KEPT, target, name))


def _names(folder: str) -> list[str]:
    """The files that a folder of ours has; a link is none of ours."""
    with suppress(OSError):
        return sorted(
            each.name for each in os.scandir(folder) if each.is_file(follow_symlinks=False)
        )
    return []


def _take_from(wheelhouse: str | None, wheels: str) -> None:
    """The files of the user's own wheelhouse, which need not be fetched."""
    if wheelhouse is None:
        return
    known = open_wheelhouse(wheelhouse)
    for each in known.files:
        target = os.path.join(wheels, *each.filename.split("/"))
        if not os.path.lexists(target):
            _link(known.path(each), target)


def _link(source: str, target: str) -> None:
    """The same file under another name; a copy where the disk is another one."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, f"{target}.tmp")
            os.replace(f"{target}.tmp", target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror}") from error


def _move(source: str, target: str) -> None:
    """A file into its place, at once."""
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.replace(source, target)
    except OSError as error:
        raise FileError(f"Cannot write {target}: {error.strerror}") from error


# --- the plan -------------------------------------------------------------------------------------


def _planned(
    filled: Filled, options: FetchOptions, packed: Packed | None, resolve: Resolve
) -> BuildPlan:
    """The plan of an image all of whose files travel."""
    manifest = _by_wheels(filled)
    artifacts = manifest.lock.artifacts if manifest.lock is not None else ()
    asked = dataclasses.replace(
        options.build.plan,
        project=packed.code if packed is not None else None, offline=True,
        stored=frozenset(each.sha256 for each in filled.wheelhouse.files),
        alone=frozenset(each.sha256 for each in artifacts),
    )  # fmt: skip
    planned = plan(manifest, asked, resolve)
    if planned.sources:
        names = [each.name for each in planned.sources]
        few = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        flags = " ".join(f"--allow-build {name}" for name in names[:_SHOWN])
        raise PlanError(
            f"Only the source of {few} is on the index, and what builds it needs a network",
            hint="Fetch where the captured environment is (--python ENV), or build the wheels "
            f"here, which runs their code: {flags}",
        )
    return planned


def _by_wheels(filled: Filled) -> Manifest:
    """The manifest, its lock naming the wheel wherever one was made of a source."""
    manifest, lock = filled.manifest, filled.manifest.lock
    if lock is None:
        return manifest
    kept = []
    for each in lock.artifacts:
        found = None if each.filename.endswith(".whl") else filled.wheelhouse.find(each.name)
        is_wheel = found is not None and found.filename.endswith(".whl")
        kept.append(_artifact(each, found) if found is not None and is_wheel else each)
    return manifest.with_lock(replace(lock, artifacts=tuple(kept)))


def _artifact(source: Artifact, wheel: Stored) -> Artifact:
    return replace(
        source, filename=wheel.filename, url=None, sha256=wheel.sha256, size=wheel.size,
        how=wheel.how, content=wheel.content, is_installed=False,
    )  # fmt: skip


# --- the folder -----------------------------------------------------------------------------------


class _Parts(NamedTuple):
    """What has come."""

    filled: Filled
    others: tuple[Brought, ...]
    project: Packed | None


def _finish(planned: BuildPlan, parts: _Parts, options: FetchOptions) -> Fetched:
    """Everything in its place, the recipe beside it, and the list of hashes last."""
    folder = options.build.output
    known = _placed(planned, parts, folder)
    size = sum(os.path.getsize(os.path.join(folder, *path.split("/"))) for path in known)
    base = next((each for each in parts.others if each.base is not None), None)
    contents = Contents(
        files=len(known), size=size, formats=options.build.formats,
        base=os.path.getsize(os.path.join(folder, base.path)) if base is not None else 0,
        notes=_notes(planned, parts, options.build.formats),
    )  # fmt: skip
    texts: dict[str, str] = {}
    for name in options.build.formats:
        texts.update(named(name).render(on_archive(planned, name, base)))
    if "apptainer" in options.build.formats:
        texts.update(build_script(planned, contents))
    texts.update(readme(planned, contents))
    files = tuple(sorted({*texts, *known}))
    write_context(folder, texts, there=known)
    formats = options.build.formats
    write_record(folder, {**record(planned, formats, None), "fetched": True}, files)
    _sweep(folder, {*files, RECORD})
    _write_sums(folder, files, known)
    return Fetched(planned, folder, files, size, base and base.base, contents.notes)


def _placed(planned: BuildPlan, parts: _Parts, folder: str) -> Mapping[str, str]:
    """Every file that travels moved into its place; their hashes, by their paths."""
    wheels = {each.sha256: each for each in parts.filled.wheelhouse.files}
    known = {f"{_WHEELS}/{each.filename}": each.sha256 for each in planned.carried}
    known |= {conda_place(each): str(each.sha256) for each in planned.carried_conda}
    for path, sha256 in known.items():
        source = os.path.join(folder, KEPT, _WHEELS, *wheels[sha256].filename.split("/"))
        _move(source, os.path.join(folder, *path.split("/")))
    if parts.project is not None:
        _move(os.path.join(folder, KEPT, PROJECT), os.path.join(folder, PROJECT))
        known[PROJECT] = parts.project.code.sha256
    for other in parts.others:
        _move(other.source, os.path.join(folder, *other.path.split("/")))
        known[other.path] = other.sha256
    return known


def _notes(planned: BuildPlan, parts: _Parts, formats: tuple[str, ...]) -> tuple[str, ...]:
    notes = [f"{each.name} {each.version} is not in it: {each.why}" for each in planned.left_out]
    notes += missing_images(planned, formats)
    return (*notes, *(parts.project.notes if parts.project is not None else ()))


def _sweep(folder: str, files: set[str]) -> None:
    """Remove what a run that was killed while it wrote one of these files has left of it."""
    for path in files:
        place, name = os.path.split(os.path.join(folder, *path.split("/")))
        for each in _names(place):
            if re.fullmatch(re.escape(name) + r"\.[0-9a-f]{8}\.tmp", each):
                os.unlink(os.path.join(place, each))


def _write_sums(folder: str, files: tuple[str, ...], known: Mapping[str, str]) -> None:
    """The list that sha256sum reads; what has come was hashed on its way."""
    lines = []
    for path in files:
        digest = known.get(path) or sha256_of(os.path.join(folder, *path.split("/")))
        lines.append(f"{digest}  {path}\n")
    write_whole(os.path.join(folder, SUMS), "".join(lines).encode())


__all__ = ["FetchOptions", "Fetched", "fetch", "fetch_hosts"]
