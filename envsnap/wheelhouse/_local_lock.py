"""The lock that a folder of files is, for an environment: nobody is asked over the network.

A file is a package's by its name, its version and what it installs, which is hashed here: what the
folder's own list says of a file proves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from envsnap import __version__
from envsnap.engines.conda import archive_path, is_right
from envsnap.errors import FileError
from envsnap.lock import LockOptions
from envsnap.lock._choose import Target, choose
from envsnap.lock._conda import CondaLocked, conda_artifacts
from envsnap.lock._lock import wanted_of
from envsnap.lock._pylock import File, Release
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.sections import (
    Artifact,
    CondaArtifact,
    Fact,
    Lock,
    Package,
    Packages,
    Python,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from envsnap.wheelhouse._conda_content import conda_content_of
from envsnap.wheelhouse._content import content_of
from envsnap.wheelhouse._store import CONDA, SOURCES, is_plain, sha256_of

_NOWHERE = "no file of it is in the wheelhouse, and no index was asked (--offline)"
_SOURCE = "only its source is in the wheelhouse, and what builds it would be fetched (--offline)"
_OTHER = (
    "{} in the wheelhouse has its name and version, and installs other files than were captured"
)
_BROKEN = "{} in the wheelhouse is no wheel that is whole"
_BUILT_AGAIN = "it was installed as an editable project, whose own files no wheel has"
_NO_DIGEST = "nothing tells what was installed"
_NO_FILES = (
    "{} in the wheelhouse was made again, and the capture does not know which files it installed"
)
_NO_ARCHIVE = "{} in the wheelhouse is no archive of it that is whole"
_SOURCE_ENDS = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")


class _Wheel(NamedTuple):
    """A wheel that is called as one package's."""

    path: str
    sha256: str
    size: int
    content: str | None
    """envsnap-content-1 of what it installs; None of what is no usable wheel."""

    @property
    def filename(self) -> str:
        return os.path.basename(self.path)


def local_lock(manifest: Manifest, folder: str, only: Container[str] | None = None) -> Lock:
    """A file of the folder for every package that has one there, and why the others have none.

    Addresses are those of the manifest's earlier lock, where it names the same bytes; conda's are
    of the capture. `only` has the wheels that count, by their names; None for all that are there.

    Raises:
        PlanError: The manifest does not say which packages of which Python it has.
        FileError: The folder, or a file in it, cannot be read.
    """
    target = wanted_of(manifest, LockOptions()).target
    conda = conda_artifacts(manifest)
    packages = _active(manifest)
    wheels = _wheels(packages, folder, only)
    sources = _names(os.path.join(folder, SOURCES))
    artifacts: list[Artifact] = []
    unlocked: list[Unlocked] = []
    for package in packages:
        found = _found(package, wheels.get(canonical_name(package.name), ()), target)
        if isinstance(found, Artifact):
            artifacts.append(_with_address(found, manifest.lock))
        elif package.conda is None:
            is_source = found == _NOWHERE and any(_is_source(each, package) for each in sources)
            why = _SOURCE if is_source else found
            name = canonical_name(package.name)
            unlocked.append(Unlocked(name=name, version=package.version, why=why))
    known = {each.name for each in artifacts} | {each.name for each in unlocked}
    archives, others = _archives(conda, manifest, folder)
    unlocked += [each for each in (*conda.unlocked, *others) if each.name not in known]
    return Lock(
        environment=str(environment_id(manifest)), locker=f"envsnap {__version__}",
        artifacts=tuple(sorted(artifacts, key=lambda each: each.name)),
        unlocked=tuple(sorted(unlocked, key=lambda each: each.name)),
        conda=archives,
    )  # fmt: skip


def _active(manifest: Manifest) -> tuple[Package, ...]:
    """The packages that import would use; what conda owns comes as its archives."""
    section = manifest.section(Packages)
    found = section if isinstance(section, Unknown) else section.installed
    known = () if isinstance(found, Unknown) else found
    return tuple(each for each in known if each.active and each.conda is None)


def is_whole(lock: Lock, folder: str) -> bool:
    """Whether a folder has the file of every package of its lock."""
    archives = (archive_path(folder, each) for each in lock.conda)
    return not lock.unlocked and all(os.path.isfile(each) for each in archives)


def _wheels(
    packages: Sequence[Package], folder: str, only: Container[str] | None
) -> Mapping[str, tuple[_Wheel, ...]]:
    """The wheels that are called as a package is, by its canonical name; several read at a time."""
    versions = {canonical_name(each.name): each.version for each in packages}
    paths: list[tuple[str, str]] = []
    for filename in _names(folder):
        if only is not None and filename not in only:
            continue
        name, version = _said(filename)
        if is_plain(filename) and name in versions and _same(version, versions[name]):
            paths.append((name, os.path.join(folder, filename)))
    found: dict[str, list[_Wheel]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            read = pool.map(_read, [path for _, path in paths])
            for (name, _), wheel in zip(paths, read, strict=True):
                found.setdefault(name, []).append(wheel)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: tuple(each) for name, each in found.items()}


def _names(folder: str) -> list[str]:
    """The files of a folder; none where there is no folder.

    Raises:
        FileError: It cannot be read.
    """
    try:
        return sorted(each.name for each in os.scandir(folder) if each.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(f"Cannot read {folder}: {error.strerror}") from error


def _read(path: str) -> _Wheel:
    return _Wheel(path, sha256_of(path) or "", os.path.getsize(path), content_of(path))


def _said(filename: str) -> tuple[str, str]:
    """The canonical name and the version that a wheel is called by; empty of what is none."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) < 2:  # noqa: PLR2004 - a name and a version
        return "", ""
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:  # what was made here of an odd version has one in its name
        return canonical_name(parts[0]), parts[1]
    return canonical_name(name), str(version)


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _is_source(filename: str, package: Package) -> bool:
    """Whether a file of sources is called as those of a package."""
    stem = next((filename.removesuffix(e) for e in _SOURCE_ENDS if filename.endswith(e)), filename)
    try:
        name, version = parse_sdist_filename(f"{stem}.tar.gz")
    except InvalidSdistFilename:  # an odd version: what is called so was kept by its name
        return canonical_name(stem) == canonical_name(f"{package.name}-{package.version}")
    return name == canonical_name(package.name) and _same(str(version), package.version)


def _found(package: Package, wheels: Sequence[_Wheel], target: Target) -> Artifact | str:
    """The file of a package, or why none of these is it."""
    usable = [each for each in wheels if each.content is not None]
    if not usable:
        return _BROKEN.format(wheels[0].filename) if wheels else _NOWHERE
    if isinstance(package.content, str) and package.origin.kind != "editable":
        equal = [each for each in usable if each.content == package.content]
        others = ", ".join(each.filename for each in usable)
        return _artifact(package, equal[0], is_installed=True) if equal else _OTHER.format(others)
    files = tuple(File(each.filename, "", each.sha256, each.size) for each in usable)
    chosen = choose(package, Release(package.version, files, None), target)
    if package.origin.kind == "editable":  # its wheel was built: no tag of what is installed counts
        why = Unknown(Reason.NOT_SUPPORTED, _BUILT_AGAIN)
        return _artifact(package, usable[0], is_installed=why, how="built")
    if chosen is None:
        return _OTHER.format(", ".join(each.filename for each in usable))
    wheel = next(each for each in usable if each.sha256 == chosen.file.sha256)
    return _artifact(package, wheel, is_installed=Unknown(Reason.NOT_RECORDED, _NO_DIGEST))


def _artifact(
    package: Package, wheel: _Wheel, *, is_installed: Fact[bool], how: str = "index"
) -> Artifact:
    return Artifact(
        name=canonical_name(package.name), version=package.version, filename=wheel.filename,
        url=None, sha256=wheel.sha256, size=wheel.size, is_installed=is_installed, how=how,
        content=wheel.content,
    )  # fmt: skip


def _with_address(found: Artifact, earlier: Lock | None) -> Artifact:
    """The same with the address of these very bytes, where an earlier lock knew it."""
    known = earlier.artifacts if earlier is not None else ()
    same = next((e for e in known if (e.name, e.sha256) == (found.name, found.sha256)), None)
    return found if same is None else replace(found, url=same.url, how=same.how)


def _archives(
    conda: CondaLocked, manifest: Manifest, folder: str
) -> tuple[tuple[CondaArtifact, ...], tuple[Unlocked, ...]]:
    """As the capture names the archives of conda's packages, or as the folder has them made.

    Beside them those of which it has one that is not the package's, each with the reason.
    """
    earlier = manifest.lock.conda if manifest.lock is not None else ()
    made = {each.name: each for each in earlier if each.how == "made"}
    wanted, site = _contents(manifest), _site(manifest)
    found: list[CondaArtifact] = []
    unlocked: list[Unlocked] = []
    try:
        for each in conda.artifacts:
            known = _archive(each, made.get(each.name), folder)
            why = None
            if known is None:
                known, why = _made(each, folder, (wanted.get(each.name), site))
            if why is None:
                found.append(known)
            else:
                name = canonical_name(each.name)
                unlocked.append(Unlocked(name=name, version=each.version, why=why))
    except OSError as error:
        raise FileError(f"Cannot read {folder}/{CONDA}: {error.strerror}") from error
    return tuple(found), tuple(unlocked)


def _contents(manifest: Manifest) -> Mapping[str, str | None]:
    """The digests of conda's packages as they were captured, by conda's names."""
    section = manifest.section(Packages)
    if isinstance(section, Unknown):
        return {}
    installed = () if isinstance(section.installed, Unknown) else section.installed
    others = () if isinstance(section.conda_only, Unknown) else section.conda_only
    records = [*(each.conda for each in installed), *others]
    return {each.name: each.content for each in records if each is not None}


def _site(manifest: Manifest) -> str:
    """Where the captured Python has its packages, below the prefix; empty where nothing tells."""
    python = manifest.section(Python)
    if isinstance(python, Unknown):
        return ""
    series = ".".join(python.version.split(".")[:2])
    return f"lib/python{series}{'t' if python.free_threaded is True else ''}/site-packages"


def _archive(
    artifact: CondaArtifact, made: CondaArtifact | None, folder: str
) -> CondaArtifact | None:
    """The archive whose hash the capture knows, or an earlier lock; None where none is there."""
    for known in filter(None, (artifact, made)):
        path = archive_path(folder, known)
        if os.path.isfile(path) and is_right(path, known):
            return _told(known, path)
    return None


def _made(
    artifact: CondaArtifact, folder: str, known: tuple[str | None, str]
) -> tuple[CondaArtifact, str | None]:
    """The archive that was made again, by what it installs; and why one that is there is not it.

    `known` are the digest that was captured, and where Python has its packages.
    """
    stem = f"{artifact.name}-{artifact.version}-{artifact.build}"
    new = replace(artifact, filename=f"{stem}.tar.bz2", url=None, sha256=None, md5=None, how="made")
    path, (wanted, site) = archive_path(folder, new), known
    if not os.path.isfile(path):
        return artifact, None
    if wanted is None:
        return artifact, _NO_FILES.format(new.filename)
    found = conda_content_of(path, new, site)
    if found is None:
        return artifact, _NO_ARCHIVE.format(new.filename)
    if found != wanted:
        return artifact, _OTHER.format(new.filename)
    return _told(replace(new, content=found), path), None


def _told(artifact: CondaArtifact, path: str) -> CondaArtifact:
    """The same with its size, and the SHA-256 where only its MD5 is known."""
    sha256 = artifact.sha256 if isinstance(artifact.sha256, str) else sha256_of(path)
    return replace(artifact, size=os.path.getsize(path), sha256=sha256)
