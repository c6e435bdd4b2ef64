"""fetch: everything that a build needs is brought into one folder that needs no network.

One half of a build for clusters: the login node has a network and no container engine; the node
that builds has Apptainer and no network. What an interrupted run has left is gone on with.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache

from envsnap._build import BuildOptions, alone, asking, resolve_digest, without_network
from envsnap._caches import caches
from envsnap._fetched import (
    TOOLS,
    bring_base,
    bring_system,
    builder_of,
    on_archive,
    planned_hosts,
    refuse_absent,
    stand_in,
    starting,
)
from envsnap._installers import (
    By,
    bring_interpreter,
    bring_programs,
    early_plan,
    installing,
    is_there,
)
from envsnap._placed import UNFINISHED, Parts, Placed, place_all
from envsnap._project import project_code
from envsnap._room import judge_room, room_of
from envsnap._typing import NamedTuple
from envsnap.errors import FileError, PlanError, ToolError
from envsnap.formats import named
from envsnap.formats._context import (
    KEPT,
    SUMS,
    claim,
    digests,
    is_mark,
    read_record,
    refuse_kept,
    remove_kept,
    write_record,
)
from envsnap.formats._files import DEBS, DEBS_PYTHON, PROJECT, conda_place
from envsnap.formats._halves import BUILD, README
from envsnap.formats._standing import Standing, look
from envsnap.lock import LockOptions, hosts
from envsnap.lock._trust import host_counts
from envsnap.manifest import Manifest
from envsnap.plan import BaseImage, BuildPlan, Resolve, plan
from envsnap.plan._model import WHEELS, ProjectCode
from envsnap.plan._safe import is_wheel
from envsnap.sections import Artifact, Unknown, replace
from envsnap.wheelhouse._claim import claimed
from envsnap.wheelhouse._fill import Filled, carry_out
from envsnap.wheelhouse._prepare import FillOptions, Prepared, place_of, prepare
from envsnap.wheelhouse._stand_in import stand_ins
from envsnap.wheelhouse._store import Stored, is_plain, open_wheelhouse

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


def fetch_hosts(manifest: Manifest, options: FetchOptions) -> tuple[str, ...]:
    """The hosts that a fetch talks to, as far as they can be told before."""
    known = hosts(options.lock.indexes, os.environ, locker=options.lock.locker)
    lock = manifest.lock
    urls = [each.url for each in lock.artifacts] if lock is not None else []
    urls += [each.url for each in lock.conda] if lock is not None else []
    counts = [f"{host} ({count})" for host, count in host_counts(urls)]
    return tuple(dict.fromkeys([*known, *counts, *planned_hosts(manifest, options.build)]))


def fetch(
    manifest: Manifest,
    options: FetchOptions,
    listen: Listener,
    resolve: Resolve = resolve_digest,
) -> Placed:
    """The folder of a locked manifest, whole: recipe, base image, packages, tools.

    What this machine has is looked at first. A fetch that fails leaves what has come, beside what
    an earlier one made: a folder that was whole stays so until everything is here to replace it.

    Raises:
        PlanError: No image can be planned from this manifest, or it has no lock.
        ToolError: The network failed, or a host is neither the user's own nor allowed.
        FileError: The folder is not ours, cannot be written, has not enough room, or is another
            run's for now.
    """
    claim(options.build.output, force=options.build.force)
    with alone(options.build.output):
        return _fetched(manifest, options, listen, resolve)


def _fetched(
    manifest: Manifest, options: FetchOptions, listen: Listener, resolve: Resolve
) -> Placed:
    """The same, in a folder that nobody else writes into."""
    folder, ask = options.build.output, cache(asking(options.build.formats, resolve)[0])
    given = _with_own_wheels(manifest, options.build.wheelhouse)
    early, texts = _early(given, options.build)
    standing = look(folder, {**texts, **_places(given)}, options.build.manifest)
    standing.refuse_others(folder, force=options.build.force)
    refuse_kept(folder)
    kept = os.path.join(folder, KEPT)
    with claimed(kept), _begun(folder, standing), caches(options.build.workdir):
        _take_placed(given, folder, standing)
        prepared = _prepared(given, early, options)
        judge_room(folder, room_of(prepared, _images(early, options.build, ask), early.platform))
        filled = _packages(prepared, options, listen)
        archive, asked = os.path.join(kept, PROJECT), options.build.with_project
        packed = project_code(manifest, options.build.formats, archive, asked=asked)
        planned = _planned(_Whole.of(manifest, filled), options, packed.code, ask)
        by = By(options.lock, options.allow_host, kept, listen)
        beside = by._replace(folder=os.path.join(kept, TOOLS))
        tools = bring_programs(planned, filled.manifest, beside)
        tools += bring_interpreter(planned, beside)
        images = bring_base(planned, options.build.formats, by)
        parts = Parts(filled, images, (*tools, *bring_system(planned, by)), packed)
        listen("Writing the recipe ...")
        return place_all(without_network(planned), parts, options.build, standing)


def left_of(folder: str) -> tuple[int, int]:
    """How many files a fetch that did not end has left to go on with, and their bytes."""
    count = size = 0
    for place, _, names in os.walk(os.path.join(folder, KEPT)):
        for name in names:
            if not is_mark(name):
                with suppress(OSError):
                    size += os.path.getsize(os.path.join(place, name))
                    count += 1
    return count, size


def _early(manifest: Manifest, options: BuildOptions) -> tuple[BuildPlan, Mapping[str, str]]:
    """The plan as far as it can be told now, once every format was found to take it.

    With it what will be written, by SHA-256; empty where its bytes are yet to come.

    Raises:
        PlanError: A format cannot be built without a network, or not from this base image.
        FileError: The base image is no file that is here.
    """
    planned = early_plan(manifest, options.plan)
    texts: dict[str, str] = {}
    for name in options.formats:
        beside = on_archive(without_network(planned), name, stand_in(planned, name))
        texts.update(named(name).render(beside))
    refuse_absent(planned.base)
    to_come = [README, SUMS, *([BUILD] if "apptainer" in options.formats else [])]
    return planned, {**digests(texts), **dict.fromkeys(to_come, "")}


def _places(manifest: Manifest) -> Mapping[str, str]:
    """Where the packages of a lock will lie, by SHA-256."""
    artifacts, conda = (lock.artifacts, lock.conda) if (lock := manifest.lock) else ((), ())
    wheels = {f"{WHEELS}/{each.filename}": each.sha256 for each in artifacts}
    return wheels | {conda_place(each): str(each.sha256) for each in conda}


def _images(early: BuildPlan, options: BuildOptions, resolve: Resolve) -> list[BaseImage]:
    """The images that will come, with their digests as far as somebody answers."""
    if not starting(options.formats):
        return []
    found = [early.base, builder_of(early, options.formats)]
    return [
        dataclasses.replace(each, digest=resolve(each.reference))
        if isinstance(each.digest, Unknown) and not each.is_file
        else each
        for each in found
        if each is not None
    ]


@contextmanager
def _begun(folder: str, standing: Standing) -> Iterator[None]:
    """Mark what comes as a fetch's while the block runs, and after it where it fails.

    Raises:
        FileError: It cannot be written.
    """
    edited = dict.fromkeys(standing.edited, "")  # named as such when the fetch ends
    write_record(os.path.join(folder, KEPT), UNFINISHED, {**edited, **standing.written})
    try:
        yield
    except BaseException:
        # Of what a killed run had half placed, the mark is all that says whose it is.
        is_needed = read_record(folder) is None and os.listdir(folder) != [KEPT]
        if left_of(folder) == (0, 0) and not is_needed:
            remove_kept(folder)
        raise
    remove_kept(folder)


# --- packages -------------------------------------------------------------------------------------


def _with_own_wheels(manifest: Manifest, wheelhouse: str | None) -> Manifest:
    """The manifest, its lock naming the user's own wheels where it knows a source alone."""
    lock = manifest.lock
    if wheelhouse is None or lock is None:
        return manifest
    found = stand_ins(manifest, open_wheelhouse(wheelhouse))
    artifacts = tuple(found.get(each.sha256, each) for each in lock.artifacts)
    return manifest.with_lock(replace(lock, artifacts=artifacts))


def _prepared(manifest: Manifest, early: BuildPlan, options: FetchOptions) -> Prepared:
    """What is to be fetched, once all that is here was looked at.

    Raises:
        PlanError: Only a wheelhouse has a file, and it was not named.
        FileError: A file of the wheelhouse has other bytes than it should.
    """
    folder, wheelhouse = options.build.output, options.build.wheelhouse
    wheels = os.path.join(folder, KEPT, WHEELS)
    if wheelhouse is not None:
        _take_from(wheelhouse, wheels)
        for each in installing(early):
            target = os.path.join(folder, KEPT, TOOLS, each.filename)
            if not os.path.lexists(target) and is_there(each, wheelhouse):
                _link(os.path.join(wheelhouse, each.filename), target)
    asked = FillOptions(
        lock=options.lock, python=options.python, allow_host=options.allow_host,
        allow_build=options.allow_build, refuse_lost=not options.build.plan.allow_missing,
    )  # fmt: skip
    return prepare(manifest, wheels, asked)


def _packages(prepared: Prepared, options: FetchOptions, listen: Listener) -> Filled:
    """Every package as a file.

    Raises:
        ToolError: One could not be fetched, and none is to be left out.
    """
    filled = carry_out(prepared, listen)
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


def _take_placed(manifest: Manifest, folder: str, standing: Standing) -> None:
    """What an earlier run put into its place, and nobody's own; it is hashed again, and stays."""
    kept = os.path.join(folder, KEPT)
    artifacts, conda = (lock.artifacts, lock.conda) if (lock := manifest.lock) else ((), ())
    places = [(f"{WHEELS}/{each.filename}", place_of(each)) for each in artifacts]
    places += [(conda_place(each), conda_place(each)) for each in conda]
    known = {placed: f"{WHEELS}/{place}" for placed, place in places if is_plain(place)}
    for path in standing.written:
        source, _, name = path.rpartition("/")
        tool = {WHEELS: TOOLS, DEBS: DEBS, DEBS_PYTHON: DEBS_PYTHON}.get(source)
        target = known.get(path) or (f"{tool}/{name}" if tool is not None else None)
        if target is not None:
            place = os.path.join(kept, *target.split("/"))
            with suppress(FileNotFoundError):
                os.unlink(place)
            _link(os.path.join(folder, *path.split("/")), place)


def _take_from(wheelhouse: str, wheels: str) -> None:
    """The files of the user's own wheelhouse, which need not be fetched."""
    known = open_wheelhouse(wheelhouse)
    paths = {each.filename: known.path(each) for each in known.files}  # all, before one is taken
    for filename, path in paths.items():
        target = os.path.join(wheels, *filename.split("/"))
        if not os.path.lexists(target):
            _link(path, target)


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


# --- the plan -------------------------------------------------------------------------------------


def _planned(
    whole: _Whole, options: FetchOptions, code: ProjectCode | None, resolve: Resolve
) -> BuildPlan:
    """The plan of an image all of whose files travel."""
    lock = whole.manifest.lock
    artifacts = lock.artifacts if lock is not None else ()
    asked = dataclasses.replace(
        options.build.plan,
        project=code, offline=True, stored=whole.stored, stand_ins=whole.stand_ins,
        alone=frozenset(each.sha256 for each in artifacts),
    )  # fmt: skip
    planned = plan(whole.manifest, asked, resolve)
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


class _Whole(NamedTuple):
    """What an image is planned from: its manifest names the files that the published one does."""

    manifest: Manifest
    stand_ins: Mapping[str, Artifact]
    """The wheels that were made of a source, or are the user's own, by the source's SHA-256."""
    stored: frozenset[str]

    @classmethod
    def of(cls, published: Manifest, filled: Filled) -> _Whole:
        """What was fetched for a manifest."""
        stored = frozenset(each.sha256 for each in filled.wheelhouse.files)
        lock, before = filled.manifest.lock, published.lock
        if lock is None:
            return cls(filled.manifest, {}, stored)
        sources = {each.name: each for each in (before.artifacts if before else ())
                   if not is_wheel(each)}  # fmt: skip
        kept, wheels = [], {}
        for each in lock.artifacts:
            source = sources.get(each.name, each)
            kept.append(source)
            made = filled.wheelhouse.find(each.name)
            if is_wheel(each) and each is not source:
                wheels[source.sha256] = each
            elif not is_wheel(each) and made is not None and made.filename.endswith(".whl"):
                wheels[source.sha256] = _artifact(each, made)
        manifest = filled.manifest.with_lock(replace(lock, artifacts=tuple(kept)))
        return cls(manifest, wheels, stored)


def _artifact(source: Artifact, wheel: Stored) -> Artifact:
    return replace(
        source, filename=wheel.filename, url=None, sha256=wheel.sha256, size=wheel.size,
        how=wheel.how, content=wheel.content, is_installed=False,
    )  # fmt: skip


__all__ = ["FetchOptions", "fetch", "fetch_hosts", "left_of"]
