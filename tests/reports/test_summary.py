"""The end of a capture: the parts of a manifest, and what only its author can mend."""

from __future__ import annotations

from envsnap.reports._words import project_words
from envsnap.reports.summary import mending
from envsnap.sections import Broken, Git, Project, Reason, Unknown, replace
from tests import made
from tests.rules.machines import machine, packages

NEW = Git(
    commit=Unknown(Reason.NOT_SUPPORTED, "the repository has no commit yet"),
    commit_time=Unknown(Reason.NOT_SUPPORTED, "the repository has no commit yet"),
    branch="main",
    changed_files=2,
    remote=None,
    pushed=False,
)


def project(git: Git) -> Project:
    return Project(name="work", git=git, lock_files=(), newest_install=None)


def test_a_repository_without_a_commit_is_said_to_be_one() -> None:
    assert project_words(machine(project=project(NEW))) == (
        "the repository has no commit yet, 2 changed files not committed"
    )
    hidden = replace(NEW, commit=Unknown(Reason.NOT_ASKED), changed_files=0)
    assert project_words(machine(project=project(hidden))) == "commit not seen, clean"


def test_nobody_is_told_to_push_what_is_no_commit() -> None:
    told = list(mending(machine(project=project(NEW)), 80))
    assert told[:2] == [
        "Before you send it: 2 things that only you can mend",
        "  1  2 files of the project not committed: the results come from code that no",
    ]
    assert "-> git push" not in "\n".join(told)


def test_long_examples_are_wrapped_and_lose_no_word() -> None:
    broken = Broken(
        location="{env}/lib/python3.11/site-packages/a.dist-info", why="its metadata names no name"
    )
    told = list(mending(machine(packages=packages(made.package("a", "1"), broken=(broken,))), 80))
    assert told[:4] == [
        "Before you send it: 2 things that only you can mend",
        "  1  1 installation could not be read",
        "       {env}/lib/python3.11/site-packages/a.dist-info   its metadata names no",
        "         name",
    ]
