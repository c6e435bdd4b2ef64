"""The end of a capture: the parts of a manifest, and what only its author can mend."""

from __future__ import annotations

import pytest

from envsnap.reports._words import (
    identity_words,
    not_seen,
    packages_words,
    project_words,
    sentence,
)
from envsnap.reports.summary import mending, steps
from envsnap.sections import Broken, Git, GpuCode, Origin, Project, Reason, Unknown, replace
from tests import made
from tests.rules.machines import UNSEEN, device, gpu, machine, packages

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


COMMITTED = replace(
    NEW, commit="91be7d0" + "0" * 33, commit_time="2026-11-20T10:00:00Z", changed_files=0,
    remote="https://forge.example/lab/losses.git", pushed=True,
)  # fmt: skip
FOLDER = made.origin("editable", url="file://{project}/losses")


def only_here(origin: Origin) -> str:
    having = packages(made.package("idna", "3.7"), made.package("losses", "0.1", origin=origin))
    told = " ".join(map(str.strip, mending(machine(packages=having), 80)))
    before, found, rest = told.partition("losses 0.1 ")
    return rest.partition(" -> ")[0].strip() if found else before


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (FOLDER, "editable {project}/losses, under no version control"),
        (
            replace(FOLDER, git=replace(COMMITTED, pushed=False, remote=None)),
            "editable {project}/losses, git commit 91be7d0 is on no remote",
        ),
        (
            replace(
                FOLDER, kind="directory", git=replace(COMMITTED, changed_files=3), difference="ab"
            ),
            "folder {project}/losses, 3 changed files",
        ),
        (
            replace(FOLDER, git=replace(COMMITTED, remote="file://{home}/losses.git")),
            "editable {project}/losses",
        ),
        (replace(FOLDER, git=Unknown(Reason.TOOL_MISSING, "git")), "editable {project}/losses"),
        (
            made.origin(
                "vcs", url="git+file://{home}/losses", vcs="git", commit="91be7d0" + "0" * 33
            ),
            "repository {home}/losses, git commit 91be7d0",
        ),
    ],
)
def test_what_exists_only_here_is_told_with_its_state(origin: Origin, words: str) -> None:
    assert only_here(origin) == words


def test_a_clean_folder_of_a_commit_that_a_remote_has_can_be_fetched() -> None:
    assert "exist on this machine only" not in only_here(replace(FOLDER, git=COMMITTED))


def test_packages_are_counted_by_what_proves_them_where_that_differs() -> None:
    mixed = packages(
        made.package("a", "1"),
        made.package("b", "1", evidence="vcs"),
        made.package("c", "1", evidence="version"),
        made.package("d", "1", evidence="version", active=False),
    )
    assert identity_words(machine(packages=mixed)) == (
        "1 by commit, 1 by stated files, 1 by name and version alone"
    )
    proved = packages(made.package("a", "1", evidence="verified"))
    assert identity_words(machine(packages=proved)) == "1 by verified files"


def test_where_all_are_proved_as_usual_there_is_no_line() -> None:
    assert identity_words(machine(packages=packages(made.package("a", "1")))) == ""
    assert identity_words(machine(packages=Unknown(Reason.NOT_ASKED))) == ""


def test_wheels_that_were_built_from_source_are_counted() -> None:
    built = packages(made.package("a", "1", built_here=True), made.package("b", "1"))
    assert packages_words(machine(packages=built)) == "2: 2 from an index (1 built from source)"


@pytest.mark.parametrize(("installed", "is_said"), [("13:07:59", False), ("13:08:00", True)])
def test_what_was_installed_in_the_minute_of_the_commit_is_not_newer(
    installed: str, *, is_said: bool
) -> None:
    git = replace(NEW, commit="a" * 40, commit_time="2026-11-21T13:07:01Z", changed_files=0)
    time = f"2026-11-21T{installed}Z"
    work = replace(project(replace(git, pushed=True)), newest_install=time)
    told = "\n".join(mending(machine(project=work), 80))
    assert ("the newest package was installed" in told) is is_said


def test_nobody_is_told_to_lock_what_is_locked() -> None:
    locked = made.manifest()
    first = [steps(each, "envsnap.lock.json", 80)[0] for each in (locked.with_lock(None), locked)]
    assert [line.split()[:3] for line in first] == [
        ["Next", "envsnap", "lock"],
        ["Next", "envsnap", "build"],
    ]


def test_what_is_not_known_of_a_gpu_is_told_with_the_reason() -> None:
    hangs = Unknown(Reason.TIMED_OUT, "NVML: no answer within 10 s")
    silent = device(memory_mib=hangs, compute_capability=hangs)
    other = replace(device(), name=UNSEEN)
    assert not_seen(machine(gpu=gpu(silent, silent, other))) == [
        "2 GPUs: memory, compute capability (timed-out: NVML: no answer within 10 s)",
        "GPU: name (no-permission: for a test)",
    ]


def test_a_manifest_of_one_section_has_no_sentence_of_a_full_stop() -> None:
    alone = replace(machine(), sections={"gpu_code": GpuCode(files=())})
    assert sentence(alone) == "Nothing that a paper would name was captured."
