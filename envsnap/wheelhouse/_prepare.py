"""What has to be done to fill a wheelhouse, decided before anything is fetched or written."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from envsnap.errors import ManifestError, PlanError
from envsnap.host import LocalHost
from envsnap.lock import LockOptions
from envsnap.lock._conda_hosts import conda_hosts
from envsnap.lock._locate import Offered, locate
from envsnap.lock._pylock import File
from envsnap.lock._trust import Trust, host_counts, own_of, refuse_strangers
from envsnap.manifest import Manifest, canonical_name
from envsnap.probes import Options
from envsnap.probes._located import Environment, Located, located
from envsnap.sections import Artifact, Lock, Package, Packages, Unknown
from envsnap.wheelhouse._fetch import Source
from envsnap.wheelhouse._kept import earlier_of, holds_made
from envsnap.wheelhouse._member import listed
from envsnap.wheelhouse._own import own_files
from envsnap.wheelhouse._store import SOURCES, is_plain, sha256_of

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class FillOptions:
    """Where files may come from."""

    lock: LockOptions = field(default_factory=LockOptions)
    python: str | None = None
    """The interpreter or folder of the environment on this machine; None to choose one."""
    allow_host: frozenset[str] = frozenset()
    allow_build: frozenset[str] = frozenset()
    """Canonical names whose source may be built here, which runs its code."""
    look_here: bool = True
    """Look for the environment on this machine, to make again what is gone."""
    offline: bool = False
    """Fetch nothing, and ask nobody."""
    refuse_lost: bool = False
    """Refuse, before anybody is asked, what no address is known of and nobody here has."""


class Job(NamedTuple):
    """One package, and what there is to have it from."""

    package: Package
    artifact: Artifact | None
    """As the lock has it; None for what is not locked."""
    why: str
    """Why it is not locked; empty where it is."""
    here: Located | None
    """Where it is installed on this machine, just as it was captured."""
    source: Source | None
    """Where its file is fetched; None where that is there already, or nobody has it."""
    is_there: bool = False
    """Whether the wheelhouse has its file, which was hashed."""

    @property
    def name(self) -> str:
        """Canonical."""
        return canonical_name(self.package.name)

    @property
    def filename(self) -> str:
        """Where its file goes, relative to the wheelhouse; empty where nothing is locked."""
        return place_of(self.artifact) if self.artifact else ""


class Prepared(NamedTuple):
    """What will be done. Nothing was written or fetched yet."""

    manifest: Manifest
    lock: Lock
    folder: str
    options: FillOptions
    jobs: tuple[Job, ...]
    here: Environment | None
    """The environment on this machine, where one was found."""
    trust: Trust
    hosts: tuple[tuple[str, int], ...]
    """How many files each host is asked for."""

    @property
    def to_fetch(self) -> tuple[Job, ...]:
        """Those whose file comes from somewhere."""
        return tuple(each for each in self.jobs if each.source is not None)

    @property
    def known_bytes(self) -> int:
        """How many bytes are fetched at least: of some files nobody states the size."""
        return sum((each.source.size or 0) for each in self.jobs if each.source is not None)


def prepare(manifest: Manifest, folder: str, options: FillOptions) -> Prepared:
    """What is fetched from where, what is made, what is built.

    Raises:
        PlanError: The manifest has no lock, or does not know its packages.
        ManifestError: Its lock names a file in a way that no wheelhouse can have.
        ToolError: The index cannot be asked, or a host is neither the user's own nor allowed.
        FileError: The folder has a file of somebody else in the place of one that is fetched.
    """
    lock, packages = _known(manifest)
    _refuse_names(lock)
    here = _here(options) if options.look_here else None
    places = _same(packages, here)
    there = {each.name: _is_there(each, folder) for each in lock.artifacts}
    absent = [each for each in lock.artifacts if not there[each.name]]
    needed = [] if options.offline else _to_fetch(absent, places, (folder, lock.environment))
    if options.refuse_lost:
        _refuse_lost([each for each in absent if each.name not in places])
    offered = locate(manifest, options.lock) if needed else Offered({}, (), frozenset())
    fetched = {each.name for each in needed}
    artifacts = {each.name: each for each in lock.artifacts}
    reasons = {each.name: each.why for each in lock.unlocked}
    jobs = []
    for package in packages:
        name = canonical_name(package.name)
        artifact = artifacts.get(name)
        offer = offered.by_sha256.get(artifact.sha256) if artifact is not None else None
        source = _source(artifact, offer) if artifact is not None and name in fetched else None
        why = "" if artifact else reasons.get(name, "the lock does not name it")
        jobs.append(Job(package, artifact, why, places.get(name), source, there.get(name, False)))
    own = _own_hosts(offered, places, here)
    own |= conda_hosts(os.environ) if lock.conda else frozenset()
    trust = Trust(own=own, allowed=options.allow_host)
    urls = [job.source.url for job in jobs if job.source is not None]
    conda = () if options.offline else lock.conda
    urls += [each.url for each in conda if each.url and not each.url.startswith("file:")]
    refuse_strangers(urls, _locals(offered), trust)
    counts = host_counts(url for url in urls if not url.startswith("file:"))
    return Prepared(manifest, lock, folder, options, tuple(jobs), here, trust, counts)


def _refuse_lost(absent: Sequence[Artifact]) -> None:
    """Refuse what only a wheelhouse has, where that was not named or lacks it.

    Raises:
        PlanError: There is such a file.
    """
    lost = [each for each in absent if not is_fetched(each)]
    if lost:
        names = listed([f"{each.name} {each.version}" for each in lost], _SHOWN)
        raise PlanError(
            f"Only a wheelhouse has the file of {names}, and none that was named",
            hint="Name the one that the manifest was locked with: --wheelhouse DIR",
        )


def _to_fetch(
    absent: Sequence[Artifact], places: Mapping[str, Located], of: tuple[str, str]
) -> list[Artifact]:
    """What somebody else has; not what would take the place of a wheel that only this folder has.

    Where a package is installed here, such a wheel can be made once more: in place of one of this
    environment, and the same bytes as one of another, which stays. `of` is folder and environment.

    Raises:
        FileError: A file of somebody else is in the place of one.
    """
    earlier, own = earlier_of(*of), own_files(*of)
    found = [
        each
        for each in absent
        if is_fetched(each)
        and not (
            own.is_made_for_another(place_of(each))
            if each.name in places
            else holds_made(earlier, place_of(each))
        )
    ]
    own.refuse(map(place_of, found))
    return found


def is_fetched(artifact: Artifact) -> bool:
    """Whether somebody else has the file; a wheel that was made has only its wheelhouse."""
    return artifact.how in {"index", "address"}


def place_of(artifact: Artifact) -> str:
    """Where a file goes, relative to the wheelhouse: sources are kept apart.

    >>> from types import SimpleNamespace
    >>> place_of(SimpleNamespace(filename="a-1.tar.gz"))
    'sources/a-1.tar.gz'
    """
    is_wheel = artifact.filename.endswith(".whl")
    return artifact.filename if is_wheel else f"{SOURCES}/{artifact.filename}"


def _known(manifest: Manifest) -> tuple[Lock, tuple[Package, ...]]:
    section = manifest.section(Packages)
    found = section if isinstance(section, Unknown) else section.installed
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its packages ({found})")
    if manifest.lock is None:
        raise PlanError("The manifest has no lock", hint="Lock it: envsnap lock")
    wanted = tuple(each for each in found if each.active and each.conda is None)
    return manifest.lock, wanted


def _refuse_names(lock: Lock) -> None:
    for index, each in enumerate(lock.artifacts):
        if not is_plain(place_of(each)):
            raise ManifestError(
                f"{each.filename[:120]!a} is no name of a file",
                where=f"lock.artifacts[{index}].filename",
            )


def _here(options: FillOptions) -> Environment | None:
    """The environment on this machine; None where there is none to be seen."""
    ours = sys.prefix if sys.prefix != sys.base_prefix else None
    found = located(LocalHost(), Options(python=options.python, ours=ours))
    return None if isinstance(found, Unknown) else found


def _same(packages: Sequence[Package], here: Environment | None) -> Mapping[str, Located]:
    """The packages that are installed here just as the manifest has them, by canonical name."""
    found = {}
    if here is not None:
        active = {canonical_name(e.package.name): e for e in here.packages if e.package.active}
        for package in packages:
            place = active.get(canonical_name(package.name))
            if place is not None and _is_same(package, place.package):
                found[canonical_name(package.name)] = place
    return found


def _is_same(wanted: Package, found: Package) -> bool:
    """Whether two packages are the same: by content, or where nobody states it, by place.

    A capture with --verify has the digest of the files themselves, which is another one where a
    file was edited: then the place decides, too.
    """
    if (wanted.version, wanted.origin.kind) != (found.version, found.origin.kind):
        return False
    if isinstance(wanted.content, str) and wanted.content == found.content:
        return True
    is_stated = isinstance(wanted.content, str) and isinstance(wanted.changes, Unknown)
    return not is_stated and (wanted.location, wanted.layer) == (found.location, found.layer)


def _is_there(artifact: Artifact, folder: str) -> bool:
    path = os.path.join(folder, place_of(artifact))
    return os.path.isfile(path) and sha256_of(path) == artifact.sha256


def _source(artifact: Artifact, offered: File | None) -> Source | None:
    """Where a file is fetched: the user's own index before what the manifest says."""
    size = artifact.size if isinstance(artifact.size, int) else None
    if offered is not None:
        return Source(offered.url, artifact.sha256, size or offered.size)
    return Source(artifact.url, artifact.sha256, size) if artifact.url else None


def _own_hosts(
    offered: Offered, places: Mapping[str, Located], here: Environment | None
) -> frozenset[str]:
    """Whom the user's settings name, and where what is installed here came from.

    Of the packages here only those count that are the manifest's; conda's by their addresses.
    """
    urls: list[object] = [each.package.origin.url for each in places.values()]
    if here is not None:
        conda = here.section.conda_only
        urls += [] if isinstance(conda, Unknown) else [each.url for each in conda]
        urls += [each.package.conda.url for each in here.packages if each.package.conda]
    return offered.own | own_of(url for url in urls if isinstance(url, str))


def _locals(offered: Offered) -> frozenset[str]:
    """Folders of the user's own --find-links, which no manifest can name."""
    return frozenset(
        file.url for file in offered.by_sha256.values() if file.url.startswith("file:")
    )
