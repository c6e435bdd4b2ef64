"""Fills a wheelhouse: every package of an environment as a file, fetched, built or made again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from envsnap.errors import EnvsnapError, FileError, ToolError
from envsnap.lock._trust import RefusedError
from envsnap.manifest import Manifest
from envsnap.sections import Artifact, Lock, Reason, Unknown, Unlocked, replace
from envsnap.wheelhouse._arrive import arrive
from envsnap.wheelhouse._build import Builder, build_own, source_of
from envsnap.wheelhouse._claim import MAKING, claimed
from envsnap.wheelhouse._conda_fill import fill_archives
from envsnap.wheelhouse._fetch import GoneError
from envsnap.wheelhouse._importable import pack_importable
from envsnap.wheelhouse._kept import earlier_of, left_by, proved_by
from envsnap.wheelhouse._legacy import Known
from envsnap.wheelhouse._make import Made, home_of, make_wheel
from envsnap.wheelhouse._own import Own, forget, note, own_files
from envsnap.wheelhouse._prepare import FillOptions, Job, Prepared, is_fetched, prepare
from envsnap.wheelhouse._public import public
from envsnap.wheelhouse._stand_in import covered_content
from envsnap.wheelhouse._store import Stored, Wheelhouse, write_list
from envsnap.wheelhouse._stranger import build_stranger
from envsnap.wheelhouse._tree import NOT_CAPTURED, BuildError, Folder, differences

Listener = Callable[[str], None]
"""Gets one line of what is going on."""


class Filled(NamedTuple):
    """A wheelhouse, and the manifest whose lock names its files."""

    wheelhouse: Wheelhouse
    manifest: Manifest
    failed: tuple[Unlocked, ...]
    """Packages that could not be had, and what can be done."""

    @property
    def differing(self) -> tuple[Stored, ...]:
        """Files that install something else than was captured; their notes say how."""
        return tuple(
            each
            for each in self.wheelhouse.files
            if any(note.startswith(NOT_CAPTURED) for note in each.notes)
        )


class _Task(NamedTuple):
    """One package to be had."""

    job: Job
    prepared: Prepared
    known: Known
    own: Own
    contents: Mapping[str, str | None]
    """What the wheels that are there install, by their place."""


class _Had(NamedTuple):
    """One package in the wheelhouse."""

    stored: tuple[Stored, ...]
    artifact: Artifact
    lost: Unlocked | None = None
    """What the lock names, where that is not what the wheelhouse has."""


def fill(manifest: Manifest, folder: str, options: FillOptions, listen: Listener) -> Filled:
    """Every package of the manifest's lock as a file in the folder, its bytes proved.

    Raises:
        PlanError: The manifest has no lock.
        ToolError: The index cannot be asked, or a host is neither the user's own nor allowed.
        FileError: The folder cannot be written, or has a file of somebody else in the place of
            one that is fetched.
    """
    return carry_out(prepare(manifest, folder, options), listen)


def carry_out(prepared: Prepared, listen: Listener) -> Filled:
    """Do what was prepared. What an interrupted or earlier run has left is gone on with.

    Raises:
        FileError: The folder cannot be written, its disk has not enough room, another run fills
            it, or it has a file of somebody else in the place of one that is fetched.
    """
    with claimed(prepared.folder):
        return _carried_out(prepared, listen)


def _carried_out(prepared: Prepared, listen: Listener) -> Filled:
    own = _begun(prepared)
    arrived = arrive(prepared, listen)
    earlier = earlier_of(prepared.folder, prepared.lock.environment)
    found: list[_Had | Unlocked] = []
    known = Known()
    for number, job in enumerate(prepared.jobs, 1):
        listen(f"Looking at {number} of {len(prepared.jobs)}: {job.name}")
        task = _Task(job, prepared, known, own, arrived.contents)
        found.append(_had_before(task, arrived.failed.get(job.name), earlier))
    archives = fill_archives(prepared, own, listen)
    anchors = _anchors(prepared)
    had = [each for each in found if isinstance(each, _Had)]
    gone = [each if isinstance(each, Unlocked) else each.lost for each in found]
    lost = [each for each in gone if each is not None]
    files = (*(stored for each in had for stored in each.stored), *archives.stored)
    files = (*files, *left_by(earlier, files, prepared.jobs))
    told = [e._replace(notes=tuple(public(note, anchors) for note in e.notes)) for e in files]
    failed = [replace(e, why=public(e.why, anchors)) for e in (*lost, *archives.failed)]
    wheelhouse = Wheelhouse(
        prepared.folder,
        prepared.lock.environment,
        tuple(sorted(told, key=lambda each: each.filename)),
    )
    write_list(wheelhouse)
    forget(own)
    lock = replace(
        _updated(prepared.lock, [each.artifact for each in had], failed[: len(lost)]),
        conda=archives.artifacts,
    )
    return Filled(wheelhouse, prepared.manifest.with_lock(lock), tuple(failed))


def _begun(prepared: Prepared) -> Own:
    """What the run may replace, judged now that nobody else fills the folder.

    Raises:
        FileError: A file of somebody else is in the place of one that is fetched.
    """
    own = own_files(prepared.folder, prepared.lock.environment)
    wanted = {
        job.filename: job.artifact.sha256 for job in prepared.to_fetch if job.artifact is not None
    }
    own.refuse(wanted)
    return note(own, wanted.items())


def _had_before(task: _Task, fault: EnvsnapError | None, earlier: Wheelhouse) -> _Had | Unlocked:
    """One package's files; what an earlier run has left of it, where that is proved, for none."""
    found = _had(task, fault)
    is_passing = fault is not None and not isinstance(fault, (GoneError, RefusedError))
    has_none = isinstance(found, Unlocked) or not found.stored
    before = proved_by(earlier, task.job) if has_none and not is_passing else None
    if before is None:
        return found
    artifact = Artifact(
        name=task.job.name, version=before.version, filename=before.filename, url=None,
        sha256=before.sha256, size=before.size, how=before.how, content=task.job.package.content,
        is_installed=True,
    )  # fmt: skip
    return _Had((before,), artifact)


def _anchors(prepared: Prepared) -> Mapping[str, str]:
    """The folders of this machine that a reader of the wheelhouse knows by another name."""
    found = {os.path.abspath(prepared.folder): "{wheelhouse}", os.path.expanduser("~"): "{home}"}
    if prepared.here is not None:
        said = prepared.here.interpreter
        found |= {said.base_prefix: "{base}", said.prefix: "{env}"}
    return found | {os.path.realpath(path): name for path, name in found.items()}


def _had(task: _Task, fault: EnvsnapError | None) -> _Had | Unlocked:
    """One package's files, or why there is none."""
    job, artifact = task.job, task.job.artifact
    if artifact is None:
        return _without_file(task, job.why)
    if fault is not None:
        return _not_fetched(task, artifact, fault)
    if not (job.is_there or job.source is not None):
        return _without_file(task, _why_not_asked(artifact, task.prepared.options))
    if not artifact.filename.endswith(".whl"):
        return _of_source(task, artifact)
    return _of_wheel(task, artifact)


def _why_not_asked(artifact: Artifact, options: FillOptions) -> str:
    if not is_fetched(artifact):
        return "only its wheelhouse had it"
    return _NOT_ASKED if options.offline else _TAKEN


def _of_wheel(task: _Task, artifact: Artifact) -> _Had | Unlocked:
    """A wheel that lies there. One that would install other files is no use where the others are.

    Tags and version can be equal and the files not: a wheel that was built here has the tags of
    the index's, too.
    """
    job, prepared = task.job, task.prepared
    path = os.path.join(prepared.folder, job.filename)
    content, wanted = task.contents[job.filename], job.package.content
    if not is_fetched(artifact):
        stored = _stored(job, artifact, prepared)._replace(content=content)
        return _Had((stored,), replace(artifact, content=content))
    if content is None or (isinstance(wanted, str) and content != wanted):
        if task.own.may_replace(job.filename):
            os.unlink(path)
        return _of_another(task, artifact, content)
    stored = _stored(job, artifact, prepared)._replace(content=content)
    proved = isinstance(wanted, str) or artifact.is_installed
    return _Had((stored,), replace(artifact, content=content, is_installed=proved))


def _of_another(task: _Task, artifact: Artifact, content: str | None) -> _Had | Unlocked:
    """A package whose file on the index is of no use."""
    if content is None:
        return _without_file(task, "the file of that name on the index is no wheel that is whole")
    than = "than are installed"
    if task.job.here is None:
        than = "than were captured, and the captured environment is not here (name it: --python)"
    why = f"the file of that name on the index installs other files {than}"
    found = _without_file(task, why)
    if isinstance(found, _Had):
        return found
    return _Had((), replace(artifact, content=content, is_installed=False), found)


def _not_fetched(task: _Task, artifact: Artifact, fault: EnvsnapError) -> _Had | Unlocked:
    """A package whose file has not come.

    Where its index fails just now, it is made again, and the lock still names the index's file.
    """
    is_gone = isinstance(fault, (GoneError, RefusedError))
    if isinstance(fault, FileError) or not (is_gone or task.job.here):
        return _lost(task.job, fault.message, fault.hint)
    found = _without_file(task, fault.message)
    if is_gone or artifact.how != "index" or isinstance(found, Unlocked):
        return found
    why = f"made again for now, for its file was not fetched: {fault.message}"
    return found._replace(artifact=artifact, lost=_lost(task.job, why, fault.hint))


def _of_source(task: _Task, artifact: Artifact) -> _Had | Unlocked:
    """A source that lies there, as bytes, and beside it the wheel that came of it.

    A wheel that installs what was captured and no more needs nobody's word for it; another one, as
    of files that were edited or with scripts, is what the lock names from now on.
    """
    job, prepared = task.job, task.prepared
    source = _stored(job, artifact, prepared)
    if job.here is None and job.name not in prepared.options.allow_build:
        note = "a source: it is built where it is restored, which runs its code (--allow-build)"
        return _Had((source._replace(notes=(note,)),), artifact)
    made = _without_file(task, "the index has its source alone")
    if isinstance(made, Unlocked):
        return _Had((source._replace(notes=(made.why,)),), artifact)
    wheel = os.path.join(prepared.folder, made.artifact.filename)
    covered = covered_content(wheel)
    stands_in = covered is not None and covered == job.package.content
    return _Had((source, *made.stored), artifact if stands_in else made.artifact)


def _without_file(task: _Task, why: str) -> _Had | Unlocked:
    """The package made again or built, for nobody has its file."""
    job = task.job
    try:
        how, made = _remade(task)
    except (EnvsnapError, OSError) as error:
        return _lost(job, f"{why}; {error}" if str(error) else why, None)
    if made is None:
        return _lost(job, why, _what_can_be_done(task))
    version = job.package.version
    equal = made.content == job.package.content
    said = (_SAME_BYTES,) if (how, job.package.origin.kind, equal) == ("made", "vcs", True) else ()
    differs = any(note.startswith(NOT_CAPTURED) for note in made.notes)
    unknown = Unknown(Reason.NOT_SUPPORTED, "it was " + _HOW[how])
    stored = Stored(
        job.name, version, os.path.basename(made.path), made.sha256, made.size, how,
        made.content, (*made.notes, *said, f"not fetched: {_first_part(why)}"),
    )  # fmt: skip
    artifact = Artifact(
        name=job.name, version=version, filename=stored.filename, url=None, sha256=made.sha256,
        size=made.size, how=how, content=made.content,
        is_installed=False if differs else equal or unknown,
    )  # fmt: skip
    return _Had((stored,), artifact)


def _first_part(why: str) -> str:
    """Why there is no file, without what else could be done about it."""
    return why.partition(";")[0].partition(" (")[0]


_SAME_BYTES = "made again from the installed files: the same bytes, and no build code runs"
_NOT_ASKED = "it is not in the wheelhouse, and --offline fetches nothing"
_TAKEN = "a wheel that was made for another environment has its place"
_HOW = {"made": "made again from the installed files", "built": "built from its source"}
_ANONYMOUS = (
    "The manifest is anonymous, so its names may not be those that are installed: fill the "
    "wheelhouse from the manifest that is not, and restore from that one"
)
_NOT_HERE = (
    "Fill the wheelhouse where the environment still is: envsnap lock --wheelhouse DIR --python ENV"
)


def _what_can_be_done(task: _Task) -> str:
    job = task.job
    if task.prepared.manifest.captured.anonymous:
        return _ANONYMOUS
    if job.package.origin.kind == "vcs":
        return f"{_NOT_HERE}, or build its commit here: --allow-build {job.name}"
    return _NOT_HERE


def _remade(task: _Task) -> tuple[str, Made | None]:
    """How a package could be had although nobody has its file, and the wheel.

    It is made in a folder of its own, so that nothing is lost where that fails.
    """
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=task.prepared.folder) as folder:
        try:
            how, made = _made(task, folder)
        except EnvsnapError as error:  # its name is chance
            error.message = error.message.replace(folder, task.prepared.folder)
            error.args = (error.message,)
            raise
        if made is None:
            return how, None
        artifact = task.job.artifact
        follows = artifact is None or not is_fetched(artifact)  # nobody else has the package
        path = task.own.put(made.path, os.path.basename(made.path), follows=follows)
        return how, made._replace(path=path)


def _made(task: _Task, folder: str) -> tuple[str, Made | None]:
    job, prepared, known = task.job, task.prepared, task.known
    here, located = prepared.here, job.here
    is_allowed = job.name in prepared.options.allow_build
    if here is None or located is None:
        return ("built", build_stranger(job, prepared, folder)) if is_allowed else ("", None)
    if is_allowed and job.package.origin.kind == "vcs":
        return "built", build_stranger(job, prepared, folder)
    home = home_of(here.interpreter)
    if job.package.origin.kind != "editable":
        return "made", make_wheel(located, home, folder, known)
    try:
        offline = prepared.options.offline
        builder = Builder(home, here.interpreter.executable, folder, offline)
        return "built", build_own(located, job.package, builder)
    except (BuildError, ToolError, FileError) as error:
        made = pack_importable(located, home, folder, error.message)
    source = source_of(located)
    if source is None:
        return "made", made
    recorded = Folder(source, job.package.origin, located.package.origin)
    return "made", made._replace(notes=(*made.notes, *differences(recorded)))


def _lost(job: Job, why: str, hint: str | None) -> Unlocked:
    said = f"{why}. {hint}" if hint else why
    return Unlocked(name=job.name, version=job.package.version, why=said)


def _stored(job: Job, artifact: Artifact, prepared: Prepared) -> Stored:
    size = os.path.getsize(os.path.join(prepared.folder, *job.filename.split("/")))
    return Stored(job.name, artifact.version, job.filename, artifact.sha256, size, artifact.how)


def _updated(lock: Lock, artifacts: Sequence[Artifact], failed: Sequence[Unlocked]) -> Lock:
    """The lock with the files that the wheelhouse has; what could not be had stays as it was."""
    have = {each.name: each for each in artifacts}
    kept = {each.name: each for each in lock.artifacts} | have
    lost = {each.name: each for each in failed if each.name not in kept}
    unlocked = [
        replace(each, why=lost.pop(each.name, each).why)
        for each in lock.unlocked
        if each.name not in have
    ]
    return replace(
        lock,
        artifacts=tuple(sorted(kept.values(), key=lambda each: each.name)),
        unlocked=tuple(sorted((*unlocked, *lost.values()), key=lambda each: each.name)),
    )
