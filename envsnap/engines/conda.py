"""conda packages installed from archives that are here, by py-rattler, without a network.

An archive is somebody else's: what it would write outside the environment is refused before
anything is written, and its scripts (post-link) are not run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from envsnap.engines._archives import file_hash, leads_out
from envsnap.engines._workdir import remove_tree
from envsnap.errors import FileError, ManifestError, MissingExtraError, ToolError
from envsnap.inside.conda import CondaError, settle
from envsnap.sections import CondaArtifact

_NAME = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_VERSION = re.compile(r"\A[A-Za-z0-9_.!+~]{1,128}\Z")
_SUBDIR = re.compile(r"\A(?:noarch|[a-z0-9]{1,20}-[a-z0-9_]{1,20})\Z")
_FILE = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9_.!+~-]{0,249}\.(?:conda|tar\.bz2)\Z")
_URL = re.compile(r"\Ahttps?://[A-Za-z0-9.\[\]:-]+/[A-Za-z0-9._~:/@!*+,=%-]+\Z")
_HASHES = {"sha256": re.compile(r"\A[0-9a-f]{64}\Z"), "md5": re.compile(r"\A[0-9a-f]{32}\Z")}
_USER = re.compile(r"(?<=//)[^/@]*@")
"""Name and password in an address: they are in no message."""
_PANIC = "PanicException"
"""What a fault inside py-rattler arrives as; its class has no module to be imported from."""
_SITE = re.compile(r"\Alib/python[0-9]{1,2}\.[0-9]{1,2}t?/site-packages\Z")
Listener = Callable[[str], None]
"""Gets one line of what is going on."""


def fault(artifact: CondaArtifact) -> str | None:
    """The field of an artifact that has a form which no channel knows; None where all are right.

    Every field of it ends up in a path, a list or a YAML file, and a manifest can be hostile.
    """
    held = {
        "name": _NAME.match(artifact.name),
        "version": _VERSION.match(artifact.version),
        "build": _VERSION.match(artifact.build),
        "subdir": _SUBDIR.match(artifact.subdir),
        "filename": _FILE.match(artifact.filename),
        "url": artifact.url is None or _URL.match(artifact.url),
        "sha256": not isinstance(artifact.sha256, str) or _HASHES["sha256"].match(artifact.sha256),
        "md5": not isinstance(artifact.md5, str) or _HASHES["md5"].match(artifact.md5),
    }
    return next((name for name, fits in held.items() if not fits), None)


def checked(artifact: CondaArtifact, where: str) -> CondaArtifact:
    """The artifact, once every field has the only form it may have.

    Raises:
        ManifestError: One has not; the message names it.
    """
    wrong = fault(artifact)
    if wrong is not None:
        value = _USER.sub("", str(getattr(artifact, wrong)))[:60]
        raise ManifestError(f"Unexpected {wrong} {value!a} of a conda package", where=where)
    return artifact


def archive_path(folder: str, artifact: CondaArtifact) -> str:
    """Where a wheelhouse keeps an archive.

    >>> archive_path("/w", CondaArtifact(name="zlib", version="1.3", build="h1_0", size=1, url=None,
    ...     subdir="linux-64", filename="zlib-1.3-h1_0.conda", sha256="0" * 64, md5=None))
    '/w/conda/linux-64/zlib-1.3-h1_0.conda'
    """
    found = checked(artifact, "lock.conda")
    return os.path.join(folder, "conda", found.subdir, found.filename)


def is_right(path: str, artifact: CondaArtifact) -> bool:
    """Whether a file is the archive, by its SHA-256; by its MD5 where no SHA-256 is known.

    Raises:
        OSError: It cannot be read.
    """
    if isinstance(artifact.sha256, str):
        return file_hash(path, "sha256") == artifact.sha256
    return isinstance(artifact.md5, str) and file_hash(path, "md5") == artifact.md5


def install(
    artifacts: Sequence[CondaArtifact],
    wheelhouse: str,
    prefix: str,
    listen: Listener,
    *,
    cache: str,
) -> tuple[str, ...]:
    """Make the environment from a wheelhouse's archives; what there is to know of it, in lines.

    `cache` is a folder that is not there yet and goes again: on the environment's own disk, so
    that files are linked and not copied out of it.

    Raises:
        MissingExtraError: py-rattler is not installed.
        FileError: An archive is missing, has other bytes, or would leave the environment.
        ToolError: py-rattler could not install them.
    """
    import asyncio  # every lock imports this module, and few have conda packages

    rattler = _rattler()
    prefix = os.path.abspath(prefix)
    _refuse_platform(artifacts, str(rattler.Subdir.current()))
    archives = [_archive(each, wheelhouse) for each in artifacts]
    os.makedirs(cache)
    try:
        asyncio.run(_install(archives, prefix, cache, listen))
    except BaseException as error:
        if isinstance(error, _faults(rattler)) or type(error).__name__ == _PANIC:
            raise ToolError(f"py-rattler could not install the conda packages: {error}") from error
        raise
    finally:
        remove_tree(cache)
    try:
        return tuple(settle([dict(row_of(each)) for each in artifacts], prefix))
    except CondaError as error:
        raise ToolError(str(error)) from error


def _rattler() -> Any:  # noqa: ANN401 - the module may be missing, and with it its types
    try:
        import_module("rattler.exceptions")
        return import_module("rattler")
    except ImportError:
        raise MissingExtraError("py-rattler", "conda") from None


def _faults(rattler: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401 - as above
    """What py-rattler raises where an archive or a disk is bad; it has no common root."""
    named = vars(rattler.exceptions).values()
    own = [each for each in named if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, OSError)


def _refuse_platform(artifacts: Sequence[CondaArtifact], ours: str) -> None:
    for each in artifacts:
        if each.subdir not in {"noarch", ours}:
            raise ToolError(
                f"{each.name!a} is a conda package for {each.subdir!a}; this machine is {ours}",
                hint="Restore it on a machine of that kind",
            )


class _Archive(NamedTuple):
    """An archive whose bytes are those of the lock."""

    path: str
    artifact: CondaArtifact


def _archive(artifact: CondaArtifact, wheelhouse: str) -> _Archive:
    path = archive_path(wheelhouse, artifact)
    try:
        if is_right(path, artifact):
            return _Archive(path, artifact)
    except OSError as error:
        raise FileError(
            f"Cannot read {path}: {error.strerror}",
            hint="Fill the wheelhouse where the environment is: envsnap lock --wheelhouse DIR",
        ) from error
    raise FileError(
        f"{path} has other bytes than the lock says",
        hint="Remove it and fill the wheelhouse again: envsnap lock --wheelhouse DIR",
    )


async def _install(archives: Sequence[_Archive], prefix: str, cache: str, listen: Listener) -> None:
    rattler = import_module("rattler")
    records = []
    for each in archives:
        record = await rattler.RepoDataRecord.from_package_archive(each.path)
        _refuse_other(record, each)
        records.append(record)
    sites = {_site_of(record) for record in records if record.name.normalized == "python"}
    members = []
    for each, record in zip(archives, records, strict=True):
        found = await _members(each)
        members += found
        if record.noarch.python:
            members += [_moved(member, site) for site in sorted(sites) for member in found]
    _refuse_outside(members)
    await rattler.install(
        records, prefix, cache_dir=cache, installed_packages=[], execute_link_scripts=False,
        show_progress=False, reporter=_reporter(listen, len(records)),
    )  # fmt: skip


class _Member(NamedTuple):
    """Something that an archive would put into the environment."""

    archive: str
    name: str
    target: str | None
    """What a link points to."""


async def _members(archive: _Archive) -> list[_Member]:
    """What the archive holds, what its list names, and the commands that an installer writes."""
    streaming = import_module("rattler.package_streaming")
    opened = await streaming.PackageArchive.from_path(archive.path)
    listed = [str(row.relative_path) for row in (await opened.paths_json()).paths]
    commands = _commands(await opened.read_file("info/link.json"))
    found = [_Member(archive.path, name, None) for name in [*listed, *commands]]
    async for entry in opened.stream("pkg"):
        target = entry.link_target if entry.is_link else None
        if entry.is_hardlink:  # its target counts from the archive's root, and not from its folder
            found.append(_Member(archive.path, str(target), None))
            target = None
        found.append(_Member(archive.path, entry.name.removeprefix("./"), target))
    return [each for each in found if each.name not in {"", "."}]  # the archive's own root


def _site_of(record: Any) -> str:  # noqa: ANN401 - py-rattler's
    """Where this Python has its packages: the files of noarch ones are moved there."""
    said = record.python_site_packages_path
    return str(said or f"lib/python{'.'.join(str(record.version).split('.')[:2])}/site-packages")


def _moved(member: _Member, site: str) -> _Member:
    """A file of a noarch package where the installer puts it.

    >>> _moved(_Member("a.conda", "site-packages/a.py", None), "lib/python3.11/site-packages").name
    'lib/python3.11/site-packages/a.py'
    """
    top, slash, rest = member.name.partition("/")
    to = {"site-packages": site, "python-scripts": "bin"}.get(top, top)
    return member._replace(name=f"{to}{slash}{rest}")


def _refuse_other(record: Any, archive: _Archive) -> None:  # noqa: ANN401 - py-rattler's
    """Refuse an archive that says it is another package, or moves others' files elsewhere.

    Its name becomes part of paths, and so does the folder that a Python names for packages.
    """
    wanted = archive.artifact
    found = (record.name.normalized, str(record.version), str(record.build))
    if found != (wanted.name.lower(), wanted.version, wanted.build):
        said = " ".join(found)[:120]
        raise FileError(f"{archive.path} says that it is {said!a}, which the lock does not")
    site = record.python_site_packages_path
    if site is not None and not _SITE.match(site):
        raise FileError(f"{archive.path} has packages in a folder of no Python: {site[:120]!a}")


def _refuse_outside(members: Sequence[_Member]) -> None:
    """Refuse what would be written outside the environment, also by way of a link.

    Links must stay inside, and nothing may lie below one, be it of another archive: then what a
    path says is where it is.
    """
    links = {each.name for each in members if each.target is not None}
    for archive, name, target in members:
        parts = name.rstrip("/").split("/")
        parents = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if leads_out(name.rstrip("/")) or parents & links:
            raise FileError(f"{archive} would write outside the environment: {name[:120]!a}")
        if target is not None and not _points_inside(target, len(parts) - 1):
            raise FileError(f"{archive} has a link out of the environment: {name[:120]!a}")


def _points_inside(target: str, depth: int) -> bool:
    """Whether a link that many folders deep stays inside: `..` may stand at its start alone."""
    parts = target.split("/")
    up = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    return not target.startswith("/") and up <= depth and ".." not in parts[up:]


def _commands(link_json: bytes | None) -> list[str]:
    """The commands that a noarch package brings: each becomes a file of that name in bin/."""
    try:
        tree = json.loads(link_json or b"{}")
        return [str(each).partition("=")[0].strip() for each in tree["noarch"]["entry_points"]]
    except (ValueError, KeyError, TypeError):
        return []


def _reporter(listen: Listener, count: int) -> object:
    class Reporter:
        """Tells what is linked; py-rattler asks it for nothing else."""

        def __init__(self) -> None:
            self.done = 0

        def on_link_start(self, _operation: int, name: str) -> int:
            self.done += 1
            listen(f"conda package {self.done} of {count}: {name}")
            return 0

        def __getattr__(self, name: str) -> Callable[..., int]:
            if name.startswith("on_"):
                return lambda *_: 0
            raise AttributeError(name)

    return Reporter()


def row_of(artifact: CondaArtifact) -> Mapping[str, str | None]:
    """An archive as the list of `envsnap.inside.conda` has it."""
    names = ("name", "version", "build", "subdir", "filename", "url", "sha256", "md5")
    values = {name: getattr(artifact, name) for name in names}
    return {name: value if isinstance(value, str) else None for name, value in values.items()}
