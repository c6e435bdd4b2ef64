"""What only the author can still mend before a manifest is sent."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.manifest import Manifest
from envsnap.reports._words import active_packages, count, known, project_git
from envsnap.sections import (
    Broken,
    Git,
    Origin,
    Package,
    Packages,
    Project,
    Unknown,
    exists_only_here,
    is_local,
)

_SHOWN = 4


class Mend(NamedTuple):
    """One thing to mend: what it is, examples, and the step."""

    what: str
    examples: tuple[str, ...]
    step: str


def to_mend(manifest: Manifest) -> tuple[Mend, ...]:
    """The things that nobody but the author can mend, the gravest first."""
    return tuple(
        mend
        for find in (_only_here, _uncommitted, _unpushed, _newer, _broken, _not_locked)
        for mend in find(manifest)
    )


def _only_here(manifest: Manifest) -> Iterator[Mend]:
    active = active_packages(manifest)
    if isinstance(active, Unknown):
        return
    local = [
        each
        for each in active
        if exists_only_here(each.origin) and not _can_be_fetched(each.origin)
    ]
    if local:
        yield Mend(
            f"{len(local)} of {count(len(active), 'package')} exist on this machine only; "
            "nobody could rebuild this",
            _examples([f"{each.name} {each.version}   {_where(each)}" for each in local]),
            "envsnap pack puts them into the file that you attach; or publish them, and install "
            "from a commit that others can fetch",
        )


def _can_be_fetched(origin: Origin) -> bool:
    """Whether its folder is, as it lies there, a commit that a remote has."""
    git = origin.git
    return (
        isinstance(git, Git)
        and git.pushed is True
        and origin.difference is None
        and isinstance(git.remote, str)
        and not is_local(git.remote)
    )


def _where(package: Package) -> str:
    origin = package.origin
    kinds = {"editable": "editable", "directory": "folder", "archive": "file", "vcs": "repository"}
    url = known(origin.url).rpartition("file://")[2]
    place = f"{kinds.get(origin.kind, '')} {url}".strip()
    return ", ".join(filter(None, (place, *_state(origin))))


def _state(origin: Origin) -> Iterator[str]:
    """What of a folder's repository nobody else has."""
    git = origin.git
    if origin.kind == "vcs" and isinstance(origin.commit, str):
        yield f"{known(origin.vcs)} commit {origin.commit[:7]}".strip()
    if git is None and origin.kind in {"editable", "directory"}:
        yield "under no version control"
    if not isinstance(git, Git):
        return
    if git.pushed is False and isinstance(git.commit, str):
        yield f"git commit {git.commit[:7]} is on no remote"
    if isinstance(git.changed_files, int) and git.changed_files:
        yield count(git.changed_files, "changed file")


def _uncommitted(manifest: Manifest) -> Iterator[Mend]:
    git = project_git(manifest)
    if git and not isinstance(git.changed_files, Unknown) and git.changed_files:
        yield Mend(
            f"{count(git.changed_files, 'file')} of the project not committed: "
            "the results come from code that no commit holds",
            (),
            "git add and commit, then capture again",
        )


def _unpushed(manifest: Manifest) -> Iterator[Mend]:
    git = project_git(manifest)
    if git and git.pushed is False and isinstance(git.commit, str):
        yield Mend(
            f"commit {git.commit[:7]} is on no remote: nobody else can fetch it",
            (),
            "git push",
        )


def _newer(manifest: Manifest) -> Iterator[Mend]:
    project, git = manifest.section(Project), project_git(manifest)
    if isinstance(project, Unknown) or git is None:
        return
    installed, committed = known(project.newest_install), known(git.commit_time)
    minute = len("2026-11-21T12:34")  # two programs' clocks: a minute decides nothing
    if installed and committed and installed[:minute] > committed[:minute]:
        length = len("2026-11-21") if installed[:10] != committed[:10] else minute
        when, last = (each[:length].replace("T", " ") for each in (installed, committed))
        yield Mend(
            f"the newest package was installed on {when}, after the last commit ({last})",
            (),
            "results older than that come from another environment",
        )


def _broken(manifest: Manifest) -> Iterator[Mend]:
    packages = manifest.section(Packages)
    broken = () if isinstance(packages, Unknown) else packages.broken
    if not isinstance(broken, Unknown) and broken:
        yield Mend(
            f"{count(len(broken), 'installation')} could not be read",
            _examples([f"{each.location}   {each.why}" for each in broken]),
            _broken_step(broken),
        )


def _broken_step(broken: tuple[Broken, ...]) -> str:
    """To reinstall what this user may only not read would mend nothing."""
    if all("permission" in each.why for each in broken):
        return "capture as a user who may read them"
    return "reinstall or remove them, then capture again"


def _not_locked(manifest: Manifest) -> Iterator[Mend]:
    active = active_packages(manifest)
    if manifest.lock is None and not isinstance(active, Unknown) and active:
        yield Mend("not locked: no URL and hash of any package yet", (), "envsnap lock")


def _examples(all_of_them: list[str]) -> tuple[str, ...]:
    shown = all_of_them[:_SHOWN]
    left = len(all_of_them) - len(shown)
    return tuple(shown) + ((f"and {left} more",) if left else ())
