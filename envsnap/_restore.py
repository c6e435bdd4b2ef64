"""restore: a manifest becomes a native environment, compared before it is said to be done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from envsnap._check import as_rebuilt, check, in_a_line, is_exact, rebuilt_contents
from envsnap.engines import conda, native
from envsnap.engines._folder import claim, making
from envsnap.engines.native import Base, File, Installed, Schemes, Wanted
from envsnap.errors import PlanError
from envsnap.lock import LockOptions
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.plan._native import NativePlan, native_plan
from envsnap.sections import Artifact, CondaArtifact, Fact, Package, Packages, Unknown, replace
from envsnap.wheelhouse._as_lock import as_lock
from envsnap.wheelhouse._gather import Places, bring_archives, bring_files, kept, places_of
from envsnap.wheelhouse._member import listed
from envsnap.wheelhouse._stand_in import stand_in
from envsnap.wheelhouse._store import Stored, Wheelhouse, open_wheelhouse

_SHOWN = 5
Listener = Callable[[str], None]
"""Gets one line of what is going on."""


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """Where to, from what, and what is allowed."""

    folder: str
    wheelhouses: tuple[str, ...] = ()
    """Folders to take files from, the first that has one."""
    python: str | None = None
    allow_host: frozenset[str] = frozenset()
    allow_build: frozenset[str] = frozenset()
    """Canonical names whose source may be built here, which runs its code."""
    allow_missing: bool = False
    force: bool = False
    """Make an environment anew that was restored before."""
    lock: LockOptions = field(default_factory=LockOptions)


class Prepared(NamedTuple):
    """What will be done. Nothing was written or asked yet."""

    manifest: Manifest
    options: RestoreOptions
    plan: NativePlan
    base: Base | None
    """The Python to make it from; None where conda brings it."""
    stored: Mapping[str, tuple[Wheelhouse, Stored]]
    """The file of each distribution that a wheelhouse has, by canonical name."""
    to_fetch: tuple[Artifact, ...]
    conda_to_fetch: tuple[CondaArtifact, ...]
    sources: tuple[str, ...]
    """What is built here from its source, with tools that are fetched."""
    is_half_made: bool
    """Whether the folder holds a half-made environment, which will be removed."""


class Restored(NamedTuple):
    """An environment that was made, captured and compared."""

    installed: Installed
    alike: int
    """Packages that are as they were captured."""
    differences: tuple[str, ...]
    python: str | None
    """How its Python differs, where that decides nothing; None where it does not."""
    notes: tuple[str, ...]
    """What there is to know of conda's packages."""


def locked_by(manifest: Manifest, folders: Sequence[str]) -> Manifest:
    """The manifest with the lock that one of the wheelhouses is, where it has none of its own.

    Raises:
        FileError: A wheelhouse cannot be used.
    """
    found = (as_lock(manifest, open_wheelhouse(each)) for each in folders)
    lock = next(filter(None, found), None) if manifest.lock is None else None
    return manifest if lock is None else manifest.with_lock(lock)


def strangers(manifest: Manifest, folders: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The wheelhouses of other environments, each with that environment's id."""
    own = environment_id(manifest)
    known = ((each, open_wheelhouse(each).environment) for each in folders)
    return tuple((folder, other) for folder, other in known if other != own)


def prepare(manifest: Manifest, options: RestoreOptions) -> Prepared:
    """What is to be done, refused early where it cannot be.

    Raises:
        FileError: The folder is not ours to fill, or the wheelhouse cannot be used.
        PlanError: The manifest does not say what to restore, or a file is nowhere.
        ToolError: There is no Python to make the environment from.
    """
    is_half_made = claim(options.folder, force=options.force)
    plan = native_plan(manifest, allow_missing=options.allow_missing)
    stored: dict[str, tuple[Wheelhouse, Stored]] = {}
    for folder in reversed(options.wheelhouses):
        stored.update(_stored(plan, manifest, open_wheelhouse(folder)))
    to_fetch = tuple(each for each in plan.artifacts if canonical_name(each.name) not in stored)
    _refuse_without_url([each for each in to_fetch if each.url is None])
    sources = _sources(plan, stored)
    _refuse_sources([each for each in sources if each not in options.allow_build])
    archives = tuple(
        each for each in plan.conda if each.url and kept(each, options.wheelhouses) is None
    )
    base = None if plan.conda else native.find_python(_wanted_python(plan), options.python)
    return Prepared(
        manifest=manifest, options=options, plan=plan, base=base, stored=stored,
        to_fetch=to_fetch, conda_to_fetch=archives, sources=sources, is_half_made=is_half_made,
    )  # fmt: skip


def _wanted_python(plan: NativePlan) -> Wanted:
    soabi = plan.python.soabi
    tag = soabi if isinstance(soabi, str) else None
    return Wanted(plan.python.implementation, plan.python.version, tag)


def _stored(
    plan: NativePlan, manifest: Manifest, wheelhouse: Wheelhouse
) -> dict[str, tuple[Wheelhouse, Stored]]:
    """The wheelhouse's files: the very one of the lock; for a source, a wheel that stands in."""
    contents = _contents(manifest)
    found = {}
    for each in plan.artifacts:
        name = canonical_name(each.name)
        here = wheelhouse.find(name, each.sha256)
        if here is not None and os.path.basename(here.filename) != each.filename:
            here = None  # a wheel under the name of a source, or a source under that of a wheel
        if not each.filename.endswith(".whl"):
            here = stand_in(wheelhouse, name, each.version, contents.get(name)) or here
        if here is not None:
            found[name] = wheelhouse, here
    return found


def _contents(manifest: Manifest) -> Mapping[str, Fact[str | None]]:
    """The content of every package that import would use, by canonical name."""
    section = manifest.section(Packages)
    packages = () if isinstance(section, Unknown) else _installed(section)
    return {canonical_name(each.name): each.content for each in packages if each.active}


def _refuse_without_url(nowhere: list[Artifact]) -> None:
    if nowhere:
        named = listed([f"{each.name} {each.version}" for each in nowhere], _SHOWN)
        raise PlanError(
            f"No index has the file of {named}, and no wheelhouse that was named",
            hint="Name the wheelhouse or pack that came with the manifest (--wheelhouse DIR); where"
            " the environment still is, make one: envsnap lock --wheelhouse DIR",
        )


def _sources(plan: NativePlan, stored: Mapping[str, tuple[Wheelhouse, Stored]]) -> tuple[str, ...]:
    """The distributions of which there is no wheel, by canonical name."""
    files = {canonical_name(each.name): each.filename for each in plan.artifacts}
    files |= {name: file.filename for name, (_, file) in stored.items()}
    return tuple(name for name, file in sorted(files.items()) if not file.endswith(".whl"))


def _refuse_sources(named: list[str]) -> None:
    """No build backend of a stranger runs here unasked."""
    if named:
        flags = " ".join(f"--allow-build {name}" for name in named[:_SHOWN])
        raise PlanError(
            "Only their source is there, and building it runs its code here: "
            f"{listed(named, _SHOWN)}",
            hint=f"Allow it ({flags}), or have wheels made where the environment still is: "
            "envsnap lock --wheelhouse DIR",
        )


def restore(prepared: Prepared, listen: Listener) -> Restored:
    """The environment, made and compared with its manifest; nothing of it where that failed.

    Raises:
        ToolError: A host is neither the user's own nor allowed, a file could not be had, or the
            installer refused one.
        FileError: A file of the wheelhouse has other bytes, or the folder cannot be written.
    """
    folder, options = os.path.abspath(prepared.options.folder), prepared.options
    if prepared.to_fetch:
        listen("Asking the package index ...")
    places = places_of(
        prepared.manifest, prepared.to_fetch, prepared.conda_to_fetch,
        options=options.lock, allow_host=options.allow_host,
    )  # fmt: skip
    with making(folder, prepared.plan.environment, force=options.force) as work:
        files = _files(prepared, places, os.path.join(work, "wheelhouse"), listen)
        into, base, notes = _environment(prepared, places, work, listen)
        listen(f"Installing {len(files)} files ...")
        installed = native.install(files, base, into, work)
        listen("Comparing it with the manifest ...")
        return _compared(prepared, installed, notes)


def _environment(
    prepared: Prepared, places: Places, work: str, listen: Listener
) -> tuple[Schemes, Base, tuple[str, ...]]:
    """The environment without its distributions: of a Python that is here, or of conda's."""
    folder = os.path.abspath(prepared.options.folder)
    if prepared.base is not None:
        return native.make_environment(prepared.base, folder), prepared.base, ()
    archives, cache = os.path.join(work, "conda"), os.path.join(work, "conda-cache")
    packages = prepared.plan.conda
    wheelhouses = prepared.options.wheelhouses
    bring_archives(packages, places, archives, listen, wheelhouses=wheelhouses)
    notes = conda.install(packages, archives, folder, listen, cache=cache)
    into, wanted = native.schemes_of(folder, site=False), _wanted_python(prepared.plan)
    return into, Base(into.python, *wanted), notes


def _files(prepared: Prepared, places: Places, folder: str, listen: Listener) -> list[File]:
    """Every file, its bytes compared with the hash just now."""
    fetched = bring_files(prepared.to_fetch, places, folder, listen) if prepared.to_fetch else {}
    files = []
    for each in prepared.plan.artifacts:
        name = canonical_name(each.name)
        if name in prepared.stored:
            wheelhouse, stored = prepared.stored[name]
            path = wheelhouse.path(stored)
            files.append(File(name, each.version, path, stored.sha256))
        else:
            files.append(File(name, each.version, fetched[name], each.sha256))
    return files


def _compared(prepared: Prepared, installed: Installed, notes: tuple[str, ...]) -> Restored:
    """The environment, captured like any other and judged by the rules on Python and packages."""
    from envsnap._capture import capture
    from envsnap.host import LocalHost
    from envsnap.probes import Options
    from envsnap.rules import CheckOptions, Scope

    where = os.path.abspath(prepared.options.folder)
    found = capture(
        LocalHost(),
        Options(python=where, verify=True, site=False),  # its .pth files are others' code
        sections=frozenset({"python", "packages"}),
    )
    wanted, here = _as_restored(prepared), _of_the_folder(found)
    options = CheckOptions(scope=Scope.NATIVE, select=("PKG", "PYT"))
    report = check(wanted, here, options).report
    counted = [each for each in report.findings if is_exact(each)]
    unseen = [f"not compared: {each.path}: {each.reason}" for each in report.not_checked]
    patch = next((each for each in report.findings if each.code == "PYT003"), None)
    return Restored(
        installed=installed, alike=_alike(wanted, here),
        differences=(
            *(in_a_line(each) for each in counted if each.code != "PYT003"),
            *dict.fromkeys(unseen),
        ),
        python=patch and f"{patch.what} ({patch.code})", notes=notes,
    )  # fmt: skip


def _as_restored(prepared: Prepared) -> Manifest:
    """The manifest as the environment can hold it: one copy of each package, none left out.

    A wheel that was made or built has the content that the lock says, which may hold edits that
    RECORD does not state; what is built from source here is told by its version alone. Nothing
    that a wheelhouse says of itself counts.
    """
    manifest = prepared.manifest
    section = manifest.section(Packages)
    if isinstance(section, Unknown):
        return manifest
    without = {canonical_name(each.name) for each in prepared.plan.left_out}
    others = rebuilt_contents(
        each
        for each in prepared.plan.artifacts
        if each.filename.endswith(".whl") or canonical_name(each.name) in prepared.sources
    )
    kept = tuple(
        as_rebuilt(each, others)
        for each in _installed(section)
        if each.active and canonical_name(each.name) not in without
    )
    return _with_packages(manifest, section, kept)


def _of_the_folder(found: Manifest) -> Manifest:
    """The capture without what this shell adds to every environment, as PYTHONPATH does."""
    section = found.section(Packages)
    if isinstance(section, Unknown) or isinstance(section.installed, Unknown):
        return found
    own = tuple(replace(each, active=True) for each in section.installed if each.layer == "env")
    return _with_packages(found, section, own)


def _with_packages(
    manifest: Manifest, section: Packages, installed: tuple[Package, ...]
) -> Manifest:
    packages = replace(section, installed=installed)
    return replace(manifest, sections={**manifest.sections, "packages": packages})


def _installed(section: Packages) -> tuple[Package, ...]:
    return () if isinstance(section.installed, Unknown) else section.installed


def _alike(wanted: Manifest, found: Manifest) -> int:
    """How many packages are the captured ones, by version and, where both have one, by content.

    A package of conda's counts once, however many distributions it brought.
    """
    theirs, ours = wanted.section(Packages), found.section(Packages)
    if isinstance(theirs, Unknown) or isinstance(ours, Unknown):
        return 0
    here = {canonical_name(each.name): each for each in _installed(ours)}
    count, changed = 0, set()
    for each in _installed(theirs):
        same = here.get(canonical_name(each.name))
        is_alike = same is not None and same.version == each.version
        if is_alike and same is not None:
            contents = (each.content, same.content)
            is_told = all(isinstance(one, str) for one in contents)
            is_alike = not is_told or contents[0] == contents[1]
        if each.conda is None:
            count += is_alike
        elif not is_alike:
            changed.add(each.conda.name)
    records = _records(ours)
    return count + sum(
        name not in changed and records.get(name) == said for name, said in _records(theirs).items()
    )


def _records(section: Packages) -> Mapping[str, tuple[object, ...]]:
    """Version and build of conda's packages, by conda's names."""
    others = () if isinstance(section.conda_only, Unknown) else section.conda_only
    owned = [each.conda for each in _installed(section) if each.conda is not None]
    return {each.name: (each.version, each.build) for each in (*owned, *others)}
