"""PRJ: the project's own code, by its version control."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, Side, drift, need
from envsnap.rules._findings import Condition, Outcome, Scope
from envsnap.rules._sources import ENVSNAP
from envsnap.sections import Git, Project

_SHOWN = 12


@drift("PRJ001", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Project,), source=ENVSNAP)
def uncommitted(pair: Pair) -> Iterator[Condition]:
    """Which code made the results is not recorded, only the commit it came from.

    Files of the project differed from the commit that was checked out when the wanted side was
    captured, or were not in it. The manifest itself, and what the project ignores, do not count.
    """
    git = _git(pair.wanted)
    changed = need(git.changed_files, pair.wanted.path("project.git.changed_files")) if git else 0
    if changed:
        files = "1 file" if changed == 1 else f"{changed} files"
        yield Condition(
            code="PRJ001", text=f"{files} of the project not committed at capture",
            remedy="commit them, then envsnap capture again",
        )  # fmt: skip


@drift("PRJ002", scope=Scope.BOTH, worst=Outcome.NOTE, reads=(Project,), source=ENVSNAP)
def other_commit(pair: Pair) -> Iterator[Said]:
    """The project's own code may have changed; its environment is compared here.

    Both sides are of the project of that name, at different commits. The commit that adds the
    manifest comes after the one that the manifest names.
    """
    wanted, found = _git(pair.wanted), _git(pair.found)
    if wanted is None or found is None:
        return
    theirs, ours = (
        need(side.need(Project).name, side.path("project.name"))
        for side in (pair.wanted, pair.found)
    )
    if theirs != ours:
        return  # another project's commits tell nothing
    there = need(wanted.commit, pair.wanted.path("project.git.commit"))
    here = need(found.commit, pair.found.path("project.git.commit"))
    if there != here:
        yield Said(
            "commit", Outcome.NOTE, f"commit {there[:_SHOWN]} -> {here[:_SHOWN]}",
            remedy=f"git checkout {there}" if there.isalnum() else None,
            wanted=there, found=here,
        )  # fmt: skip


def _git(side: Side) -> Git | None:
    return need(side.need(Project).git, side.path("project.git"))
