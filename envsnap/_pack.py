"""pack: the one file to attach to a paper.

A zip whose members are stored as they are, sorted and without times: the same manifest and wheels
give the same bytes on every machine, and its size is known before it is written.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from envsnap import __version__
from envsnap.errors import FileError, PlanError
from envsnap.formats import formats
from envsnap.formats._context import is_executable
from envsnap.lock._trust import host_counts, host_of, is_inside
from envsnap.manifest import FILE_NAME, Manifest, canonical_name, encode
from envsnap.manifest._file import fill_whole
from envsnap.plan import PlanOptions, Resolve, plan
from envsnap.plan._native import NativePlan, native_plan
from envsnap.sections import Artifact, CondaArtifact, Lock, Packages, Unknown, replace
from envsnap.wheelhouse._member import listed
from envsnap.wheelhouse._packed import WHEELS
from envsnap.wheelhouse._store import LIST_NAME, Stored, Wheelhouse, list_bytes, open_wheelhouse

OUTPUT = "environment.zip"
README = "README.txt"
MAX_MB = 100
MB = 1_000_000
_MARK = b"envsnap pack 1 of environment "
_LOCAL_BYTES, _CENTRAL_BYTES, _END_BYTES = 30, 46, 22
"""What a zip adds to each member, in two places, and at its end; names come on top."""
_README = """\
Environment {environment}, captured {time}: Python {python} and its packages ({packages}).
Written by envsnap {version}: it records environments, compares machines with them, rebuilds them.
Get it from the project's own repository; the package called envsnap on the index is another one.
With envsnap, beside this zip (whose first name is {pack}):
  envsnap restore DIR --manifest {pack}   makes the environment again, each file by its hash
  envsnap build {pack} --docker           makes a container of it (or --singularity)
  envsnap check {pack}                    says what your machine does to the result
Without it, unzipped: {manifest} is the record; uv and pip read pylock.toml, requirements.txt.
The folder {folder} holds what no index has (files: {wheels}); the record has all other addresses.
On no index and not in here: {missing}.
"""
_PIECE = 1 << 20
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """What goes into the pack, and where it goes."""

    output: str = OUTPUT
    wheelhouses: tuple[str, ...] = ()
    """Folders to take files from, the first that has one."""
    without: frozenset[str] = frozenset()
    """Canonical names whose wheels stay out."""
    force: bool = False
    """Replace a file that is no pack of this environment."""


class Carried(NamedTuple):
    """A file of the wheelhouse that no index has."""

    stored: Stored
    source: str


class Pack(NamedTuple):
    """Everything that will be written."""

    environment: str
    texts: Mapping[str, bytes]
    """By their names in the zip."""
    wheels: tuple[Carried, ...]
    left_out: tuple[str, ...]
    """What is not in it and on no index, as 'torch 2.3.0: why'."""
    hosts: tuple[tuple[str, int], ...]
    """How many of the other files lie on each host."""
    without_recipes: str | None
    """Why it has no recipes of containers; None where it has."""

    @property
    def size(self) -> int:
        """Its size in bytes, to the byte."""
        return (
            sum(
                _LOCAL_BYTES + _CENTRAL_BYTES + 2 * len(name) + count
                for name, count in self._sizes()
            )
            + _END_BYTES
            + len(_comment(self.environment))
        )

    def _sizes(self) -> Iterator[tuple[str, int]]:
        yield from ((name, len(raw)) for name, raw in self.texts.items())
        yield from ((f"{WHEELS}/{each.stored.filename}", each.stored.size) for each in self.wheels)


def make_pack(manifest: Manifest, options: PackOptions, resolve: Resolve) -> Pack:
    """What the pack of a locked manifest holds; `resolve` asks for the base image's digest.

    Raises:
        PlanError: The manifest has no lock, or does not say what to restore.
        FileError: The wheelhouse cannot be used, or the output is somebody else's file.
    """
    planned = native_plan(manifest, allow_missing=True)
    refuse_foreign(options.output, planned.environment, force=options.force)
    alone: list[Artifact | CondaArtifact] = [
        *(each for each in planned.artifacts if _is_ours_alone(each.url)),
        *(each for each in planned.conda if _is_ours_alone(each.url)),
    ]
    wheels, left_out = _parted(alone, _here(options), options.without)
    left_out += [f"{each.name} {each.version}: {each.why}" for each in planned.left_out]
    stored = frozenset(each.stored.sha256 for each in wheels)
    inner = frozenset(each.sha256 for each in planned.artifacts if _is_ours_alone(each.url))
    options_of_plan = PlanOptions(stored=stored, alone=inner, allow_missing=True)
    recipes, why = _recipes(manifest, options_of_plan, resolve)
    texts = {FILE_NAME: encode(manifest), **recipes, **_locks(_for_others(manifest), wheels)}
    if wheels:
        listed = Wheelhouse("", planned.environment, tuple(each.stored for each in wheels))
        texts[f"{WHEELS}/{LIST_NAME}"] = list_bytes(listed).decode()
    about = (planned.python.version, planned.packages, len(wheels))
    texts[README] = _readme(manifest, planned.environment, about, left_out)
    return Pack(
        planned.environment, {name: text.encode() for name, text in sorted(texts.items())},
        tuple(wheels), tuple(left_out), _hosts(planned), why,
    )  # fmt: skip


def to_make(manifest: Manifest, options: PackOptions) -> Manifest | None:
    """The manifest of those packages alone that have no file anywhere; None where all have.

    Where the environment still is, `wheelhouse.fill` makes them of it.
    """
    section, lock = manifest.section(Packages), manifest.lock
    if isinstance(section, Unknown) or isinstance(section.installed, Unknown) or lock is None:
        return None
    have = {*_here(options), *options.without}
    nowhere = {each.name for each in lock.unlocked}
    nowhere |= {
        each.name for each in lock.artifacts if _is_ours_alone(each.url) and each.sha256 not in have
    }
    wanted = {canonical_name(each) for each in nowhere} - options.without
    kept = tuple(each for each in section.installed if canonical_name(each.name) in wanted)
    conda = tuple(
        each for each in lock.conda if _is_ours_alone(each.url) and str(each.sha256) not in have
    )
    if not kept and not conda:
        return None
    packages = replace(section, installed=kept)
    reduced = replace(
        lock, conda=conda,
        artifacts=tuple(each for each in lock.artifacts if canonical_name(each.name) in wanted),
    )  # fmt: skip
    return replace(manifest, sections={**manifest.sections, "packages": packages}, lock=reduced)


def _is_ours_alone(url: str | None) -> bool:
    """Whether nobody else can fetch a file: it has no address, or one of an inner network."""
    host = None if url is None else host_of(url)
    return host is None or is_inside(host)


def with_made(manifest: Manifest, made: Lock) -> Manifest:
    """The manifest, its lock naming the files that were made just now."""
    lock = manifest.lock
    if lock is None:
        return manifest
    artifacts = {each.name: each for each in (*lock.artifacts, *made.artifacts)}
    conda = {each.name: each for each in (*lock.conda, *made.conda)}
    return manifest.with_lock(
        replace(
            lock,
            artifacts=tuple(artifacts[name] for name in sorted(artifacts)),
            unlocked=tuple(each for each in lock.unlocked if each.name not in artifacts),
            conda=tuple(conda[name] for name in sorted(conda)),
        )
    )


def _here(options: PackOptions) -> Mapping[str, Carried]:
    """What the wheelhouses have, by SHA-256."""
    found = {}
    for folder in reversed(options.wheelhouses):
        for each in open_wheelhouse(folder).files:
            path = os.path.join(folder, *each.filename.split("/"))
            found[each.sha256] = Carried(each, path)
    return found


def _parted(
    alone: Sequence[Artifact | CondaArtifact],
    here: Mapping[str, Carried],
    without: frozenset[str],
) -> tuple[list[Carried], list[str]]:
    """The files that no index has: those that go into the pack, and why others do not."""
    wheels, left_out, nowhere = [], [], []
    for each in alone:
        found = here.get(each.sha256) if isinstance(each.sha256, str) else None
        if canonical_name(each.name) in without:
            left_out.append(f"{each.name} {each.version}: left out of this file (--without)")
        elif found is None:
            nowhere.append(f"{each.name} {each.version}")
        else:
            wheels.append(found)
    if nowhere:
        raise PlanError(
            "No index has the files of these, and no wheelhouse that was named: "
            f"{listed(nowhere, _SHOWN)}",
            hint="Name the wheelhouse with --wheelhouse DIR; where the environment still is, make "
            "one: envsnap lock --wheelhouse DIR; or leave them out with --without NAME",
        )
    wheels.sort(key=lambda each: each.stored.filename)
    return wheels, left_out


def _recipes(
    manifest: Manifest, options: PlanOptions, resolve: Resolve
) -> tuple[Mapping[str, str], str | None]:
    """The recipes of every format; or why no container can be planned."""
    found: dict[str, str] = {}
    try:
        planned = plan(manifest, options, resolve)
        for each in formats().values():
            found.update(each.render(planned))
    except PlanError as error:
        return {}, error.message
    return found, None


def _hosts(planned: NativePlan) -> tuple[tuple[str, int], ...]:
    urls = [each.url for each in planned.artifacts] + [each.url for each in planned.conda]
    return host_counts(url for url in urls if not _is_ours_alone(url))


def _for_others(manifest: Manifest) -> Manifest:
    """The manifest without the addresses that nobody else can fetch from."""
    lock = manifest.lock
    if lock is None:
        return manifest
    known = tuple(
        replace(each, url=None) if _is_ours_alone(each.url) else each for each in lock.artifacts
    )
    return manifest.with_lock(replace(lock, artifacts=known))


def _locks(manifest: Manifest, wheels: Sequence[Carried]) -> Mapping[str, str]:
    """The lock in the forms that other installers read."""
    from envsnap.lock._conda import explicit
    from envsnap.lock._export import pylock, requirements

    paths = {each.stored.sha256: f"{WHEELS}/{each.stored.filename}" for each in wheels}
    found = {
        "pylock.toml": pylock(manifest, paths).text,
        "requirements.txt": requirements(manifest, paths).text,
    }
    conda = () if manifest.lock is None else manifest.lock.conda
    if manifest.lock is not None and any(each.url is not None for each in conda):
        found["conda-explicit.txt"] = explicit(manifest.lock)
    return found


def _readme(
    manifest: Manifest, environment: str, about: tuple[str, int, int], left_out: Sequence[str]
) -> str:
    """Ten lines for whoever unzips it."""
    python, packages, wheels = about
    text = _README.format(
        environment=environment, time=manifest.captured.time, python=python, packages=packages,
        version=__version__, pack=OUTPUT, manifest=FILE_NAME, folder=WHEELS, wheels=wheels,
        missing=", ".join(each.partition(":")[0] for each in left_out) or "nothing",
    )  # fmt: skip
    return "".join(f"{_one_line(each)}\n" for each in text.splitlines())


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def refuse_foreign(output: str, environment: str, *, force: bool) -> None:
    """Refuse to replace what is no pack of this environment.

    Raises:
        FileError: It is somebody else's file.
    """
    if force or not os.path.exists(output):
        return
    ours = _comment(environment)
    try:
        with open(output, "rb") as file:
            file.seek(-min(len(ours), os.fstat(file.fileno()).st_size), os.SEEK_END)
            tail = file.read()
    except OSError as error:
        raise FileError(f"Cannot write {output}: {error.strerror}") from error
    if tail != ours:
        raise FileError(
            f"{output} is there already, and is no pack of this environment",
            hint="Name another file with -o, or replace it with --force",
        )


def write_pack(pack: Pack, output: str) -> None:
    """Write the zip whole or not at all, every wheel hashed as it goes.

    Raises:
        FileError: A wheel has other bytes than its list says, or the file cannot be written.
    """

    def fill(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as target:
            target.comment = _comment(pack.environment)
            for name, raw in pack.texts.items():
                target.writestr(_member(name, len(raw)), raw)
            for each in pack.wheels:
                _add(target, each)

    fill_whole(output, fill)


def _comment(environment: str) -> bytes:
    return _MARK + environment.encode()


def _member(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _NO_TIME)
    info.create_system = 3  # Unix, whatever wrote it
    info.external_attr = (0o100755 if is_executable(name) else 0o100644) << 16
    info.file_size = size
    return info


def _add(target: zipfile.ZipFile, carried: Carried) -> None:
    digest = hashlib.sha256()
    info = _member(f"{WHEELS}/{carried.stored.filename}", carried.stored.size)
    with open(carried.source, "rb") as source, target.open(info, "w") as member:
        while piece := source.read(_PIECE):
            digest.update(piece)
            member.write(piece)
    if digest.hexdigest() != carried.stored.sha256:
        raise FileError(f"{carried.source} has other bytes than its list says")


__all__ = ["MAX_MB", "MB", "OUTPUT", "Pack", "PackOptions", "make_pack", "write_pack"]
