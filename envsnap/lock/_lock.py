"""make_lock: a manifest's packages become files with addresses and hashes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from envsnap.errors import PlanError
from envsnap.lock._address import public_address
from envsnap.lock._ask import OVERRULED, LockOptions, Pins, Wanted, ask
from envsnap.lock._candidates import nearest_versions
from envsnap.lock._choose import Chosen, Target, choose, nearest
from envsnap.lock._conda import CondaLocked, conda_artifacts
from envsnap.lock._content import Looks
from envsnap.lock._folders import Folders, is_wheel, local_path, may_be_in
from envsnap.lock._hosts import Indexes, indexes
from envsnap.lock._pins import MOST_CANDIDATES, OWN_ARCHIVE, Pin, sort_out, unlocked_of
from envsnap.lock._proof import is_proved, kept, kept_archives
from envsnap.lock._pylock import Release
from envsnap.lock._target import target_of
from envsnap.lock._uv import ANSWERED, Answer
from envsnap.lock._uv_settings import uv_indexes
from envsnap.manifest import Manifest, canonical_name, environment_id
from envsnap.sections import (
    Artifact,
    Lock,
    Package,
    Packages,
    Python,
    Reason,
    Unknown,
    Unlocked,
    replace,
)

_PYTHON = re.compile(r"\A[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?\Z")
_LONGEST_WHY = 120
_GONE = "it was removed from there, or came from another one"
_NO_SUCH_NAME = "no index has a package of this name"
_NO_SUCH_FILE = (
    "the index has this version, but no file that can be the installed one: "
    "it was removed from there, or built elsewhere"
)
_OTHER_FILES = (
    "{} on this machine has its name, version and tags, and installs other files than are installed"
)
_NO_ANSWER = "the index gave no answer about it"


def make_lock(manifest: Manifest, options: LockOptions) -> Lock:
    """The file of every active package, or why there is none and what comes nearest.

    Raises:
        PlanError: The manifest does not say which packages of which Python to ask for.
        ToolError: The locker or the network failed.
    """
    _, packages, environment = _known(manifest)
    wanted = wanted_of(manifest, options)
    places = indexes(options.indexes, os.environ)
    sorted_out = sort_out(packages)
    locker, found = _found(sorted_out.pins, wanted, places)
    conda = conda_artifacts(manifest)
    new = [each for each in found.values() if isinstance(each, Artifact)]
    artifacts = kept((*new, *sorted_out.artifacts), packages, manifest.lock, environment)
    had = {each.name for each in artifacts}
    missed = [each for each in found.values() if each.name not in had]
    unlocked = _with_candidates([each for each in missed if isinstance(each, Unlocked)],
                                wanted, places)  # fmt: skip
    others = [each for each in sorted_out.unlocked if each.name not in had]
    unproved = [each for each in sorted_out.unproved if each.name not in had]
    unlocked += _with_files(_without_conda(others, packages, conda), unproved, wanted, places)
    return Lock(
        environment=environment, locker=locker,
        conda=kept_archives(conda.artifacts, manifest.lock, environment),
        artifacts=tuple(sorted(artifacts, key=lambda each: each.name)),
        unlocked=tuple(sorted(unlocked, key=lambda each: each.name)),
    )  # fmt: skip


def _without_conda(
    unlocked: Sequence[Unlocked], packages: Sequence[Package], conda: CondaLocked
) -> list[Unlocked]:
    """Less what conda's archives bring, with the conda packages that have no archive."""
    locked = {each.name for each in conda.artifacts}
    owned = {
        canonical_name(each.name)
        for each in packages
        if each.active and each.conda is not None and each.conda.name in locked
    }
    left = [each for each in unlocked if each.name not in owned]
    named = {each.name for each in left}
    return [*left, *(each for each in conda.unlocked if each.name not in named)]


def wanted_of(manifest: Manifest, options: LockOptions) -> Wanted:
    """What the files of this environment must fit.

    Raises:
        PlanError: The manifest does not say it, or there is no lock for such a Python.
    """
    python, packages, _ = _known(manifest)
    return Wanted(python.version, target_of(manifest, python, packages), options)


def _found(
    pins: Sequence[Pin], wanted: Wanted, places: Indexes
) -> tuple[str, Mapping[str, Artifact | Unlocked]]:
    """The locker, and the file of every pin or why there is none.

    Folders of this machine count only for what no index proves: an address serves others, a
    folder does not. A local version (`+cu121`) that lies in one is on few indexes, and never on
    the one that uv has built in.
    """
    remote, looks = places.remote, Looks()
    if remote is None or remote == places:
        (answer,) = ask([Pins(_versions(pins), places)], wanted)
        judge = _Judge(answer, wanted.target, looks)
        return answer.locker, {pin.name: judge.locked(pin) for pin in pins}
    folders = Folders(places, pins, looks)
    known = folders.builds if _is_built_in(remote, wanted.options.locker) else frozenset()
    asked = [pin for pin in pins if pin.name not in known]
    (answer,) = ask([Pins(_versions(asked), remote)], wanted)
    here = _Judge(Answer("", folders.found(), {}), wanted.target, looks)
    judge = _Judge(answer, wanted.target, looks)
    found = {pin.name: judge.locked(pin) for pin in pins}
    _prove(found, [pin for pin in pins if pin.name in here.answer.releases], here)
    left = [pin for pin in pins if not _is_matched(found[pin.name])]
    may_be = may_be_in(places, left)
    left = [pin for pin in left if pin.name in may_be]
    if left:
        (again,) = ask([Pins(_versions(left), places)], wanted)
        _prove(found, left, _Judge(again, wanted.target, looks))
    return answer.locker, found


def _is_built_in(remote: Indexes, locker: str) -> bool:
    """Whether nothing but uv's own default index is asked."""
    named = remote.default or remote.extra or remote.find_links
    return locker == "uv" and not named and uv_indexes(os.environ) is None


def _prove(found: dict[str, Artifact | Unlocked], pins: Sequence[Pin], here: _Judge) -> None:
    """Put in what the folders of this machine have, where that is better."""
    for pin in pins:
        had, again = found[pin.name], here.locked(pin)
        if isinstance(had, Artifact) and isinstance(again, Artifact):
            if had.sha256 == again.sha256:
                found[pin.name] = replace(again, url=had.url)
            elif _rank(again, pin) > _rank(had, pin):
                found[pin.name] = again
        elif isinstance(had, Unlocked) or had.sha256 in here.hashes(pin):
            found[pin.name] = again


def _rank(artifact: Artifact, pin: Pin) -> tuple[bool, bool]:
    return is_proved(artifact, pin.package), artifact.is_installed is True


def _versions(pins: Sequence[Pin]) -> Mapping[str, str]:
    return {pin.name: pin.version for pin in pins}


def _is_matched(found: Artifact | Unlocked) -> bool:
    return isinstance(found, Artifact) and found.is_installed is True


def _with_candidates(
    unlocked: Sequence[Unlocked], wanted: Wanted, places: Indexes
) -> list[Unlocked]:
    """The same, each with the nearest versions, where it has no candidates yet."""
    bare = {
        each.name: each.version
        for each in unlocked
        if not each.candidates and not each.why.startswith(_NO_SUCH_NAME)
    }
    found = nearest_versions(bare, wanted, places) if bare else {}
    return [
        replace(each, candidates=found[each.name][:MOST_CANDIDATES])
        if each.name in found and not each.candidates
        else each
        for each in unlocked
    ]


def _with_files(
    unlocked: Sequence[Unlocked], unproved: Sequence[Pin], wanted: Wanted, places: Indexes
) -> list[Unlocked]:
    """The same; where an index has a file that may be it, that is named."""
    if not unproved:
        return [*unlocked]
    (answer,) = ask([Pins(_versions(unproved), places)], wanted)
    named = {
        pin.name: nearest(pin.package, release.files)
        for pin in unproved
        if (release := answer.releases.get(pin.name)) is not None
    }
    return [
        replace(each, candidates=named[each.name][:MOST_CANDIDATES]) if each.name in named else each
        for each in unlocked
    ]


def _known(manifest: Manifest) -> tuple[Python, tuple[Package, ...], str]:
    python, packages = manifest.section(Python), manifest.section(Packages)
    hint = "Capture the environment again: envsnap capture"
    if isinstance(python, Unknown):
        raise PlanError(f"The manifest does not know its Python ({python})", hint=hint)
    found = packages if isinstance(packages, Unknown) else packages.installed
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its packages ({found})", hint=hint)
    environment = environment_id(manifest)
    if isinstance(environment, Unknown):
        raise PlanError(f"The manifest does not know its environment ({environment})", hint=hint)
    if not _PYTHON.match(python.version):
        raise PlanError(
            f"Expected a Python version to the patch, not {python.version[:60]!a}, "
            "in 'sections.python.version'"
        )
    if python.implementation != "cpython":
        raise PlanError(f"No lock is made for {python.implementation!a}: only for CPython")
    return python, found, environment


class _Judge(NamedTuple):
    """Says of a package which file of an answer it came from."""

    answer: Answer
    target: Target
    looks: Looks

    def hashes(self, pin: Pin) -> frozenset[str]:
        """The SHA-256 of every file that the answer has of a package."""
        release = self.answer.releases.get(pin.name)
        return frozenset(each.sha256 for each in release.files) if release else frozenset()

    def locked(self, pin: Pin) -> Artifact | Unlocked:
        """The file, or why there is none."""
        if pin.name in self.answer.rejected:
            return unlocked_of(pin.package, _why_rejected(pin, self.answer.rejected[pin.name]))
        release = self.answer.releases.get(pin.name)
        if release is None:
            return unlocked_of(pin.package, "the locker does not say anything about it")
        chosen, others = self._chosen(pin, release)
        own = pin.package.origin.kind == "archive"
        if chosen is None or (own and chosen.is_installed is not True):
            why = OWN_ARCHIVE if own else _OTHER_FILES.format(*others) if others else _NO_SUCH_FILE
            return unlocked_of(pin.package, why, nearest(pin.package, release.files))
        return _artifact(pin, chosen)

    def _chosen(self, pin: Pin, release: Release) -> tuple[Chosen | None, list[str]]:
        """The file of a release, and the wheels here that were looked into and are not it.

        Their tags can be those of the installed wheel, and their files others.
        """
        others: list[str] = []
        while (chosen := choose(pin.package, release, self.target)) is not None:
            path = local_path(chosen.file.url) if is_wheel(chosen.file.filename) else None
            seen = self.looks.into(path, pin.package) if path else None
            if seen is None or seen.is_it is None:
                break
            if seen.is_it:
                return chosen._replace(is_installed=True, content=seen.content), others
            others.append(chosen.file.filename)
            left = tuple(each for each in release.wheels if each != chosen.file)
            release = release._replace(wheels=left)
        return chosen, others


def _artifact(pin: Pin, chosen: Chosen) -> Artifact:
    """An address that only this machine or its user can open stays out of the lock."""
    size = chosen.file.size
    return Artifact(
        name=pin.name, version=pin.version, filename=chosen.file.filename,
        url=public_address(chosen.file), sha256=chosen.file.sha256,
        is_installed=chosen.is_installed, content=chosen.content,
        size=Unknown(Reason.NOT_SUPPORTED, "the index does not say") if size is None else size,
    )  # fmt: skip


def _why_rejected(pin: Pin, complaint: str) -> str:
    local = pin.version.partition("+")[2]
    hint = pin.package.origin.index_hint
    if local and isinstance(hint, str):
        return (
            f"no index has the build {local}; name the one it came from: --extra-index-url {hint}"
        )
    if local:
        return f"no index has the build {local}; name the one it came from with --extra-index-url"
    if "was not found in" in complaint:
        return f"{_NO_SUCH_NAME}: {_GONE}"
    if complaint.startswith(OVERRULED):
        return f"{complaint}; see override-dependencies in them"
    if not complaint.startswith(ANSWERED):
        return f"{_NO_ANSWER}: {_cut(complaint)}"
    return f"the index has no such version: {_GONE}"


def _cut(complaint: str) -> str:
    return complaint if len(complaint) <= _LONGEST_WHY else complaint[:_LONGEST_WHY] + "..."
