from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import LocalHost, Ran, RecordedHost
from envsnap.probes import Look, Options
from envsnap.probes._choose import Choice
from envsnap.probes._git import (
    Status,
    parse_commit_time,
    parse_remotes,
    parse_status,
)
from envsnap.probes._interpreter import Entry, Interpreter
from envsnap.probes.project import parse_project_name, probe_project, utc
from envsnap.sections import Git, Project, Reason, Unknown

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = Unknown(Reason.NOT_ASKED, "no interpreter in this test")
COMMIT = "fe61ca7dd9b4771a27573c9f1002d687cd7eb1d9"


def run_git(folder: Path, *words: str, time: str = "1700000000 +0000") -> str:
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_COMMITTER_DATE": time, "GIT_CONFIG_GLOBAL": os.devnull},
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tide"
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    monkeypatch.chdir(folder)
    return folder


def test_a_pushed_project_is_known_to_the_last_field(
    repository: Path, look_at: Callable[..., Look]
) -> None:
    (repository / "pyproject.toml").write_text('[project]\nname = "tide-model"\n')
    (repository / "uv.lock").write_text("")
    run_git(repository, "add", ".")
    run_git(repository, "commit", "-q", "-m", "one")
    run_git(repository, "remote", "add", "origin", "https://anna:s3cret@forge.example/lab/tide.git")
    run_git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    (repository / "notes.txt").write_text("")
    (repository / "uv.lock").write_text("changed")
    assert probe_project(look_at(LocalHost())) == Project(
        name="tide-model",
        git=Git(
            commit=run_git(repository, "rev-parse", "HEAD"),
            commit_time="2023-11-14T22:13:20Z",
            branch="main",
            changed_files=2,
            remote="https://forge.example/lab/tide.git",
            pushed=True,
        ),
        lock_files=("uv.lock",),
        newest_install=NOBODY,
    )


def test_a_commit_that_no_remote_has_is_not_pushed(
    repository: Path, look_at: Callable[..., Look]
) -> None:
    run_git(repository, "commit", "-q", "--allow-empty", "-m", "one")
    run_git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    run_git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    run_git(repository, "checkout", "-q", "--detach")
    found = probe_project(look_at(LocalHost())).git
    assert isinstance(found, Git)
    assert (found.pushed, found.branch, found.remote) == (False, None, None)


def test_a_repository_without_a_commit_says_so(
    repository: Path, look_at: Callable[..., Look]
) -> None:
    (repository / "notes.txt").write_text("")
    none = Unknown(Reason.NOT_SUPPORTED, "the repository has no commit yet")
    assert probe_project(look_at(LocalHost())).git == Git(
        commit=none,
        commit_time=none,
        branch="main",
        changed_files=1,
        remote=None,
        pushed=False,
    )


def test_nothing_of_the_repositorys_own_is_started(
    repository: Path, tmp_path: Path, look_at: Callable[..., Look]
) -> None:
    spy = tmp_path / "spy"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    spy.chmod(0o755)
    hook = repository / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(spy.read_text())
    hook.chmod(0o755)
    run_git(repository, "commit", "-q", "--allow-empty", "-m", "one")
    run_git(repository, "config", "core.fsmonitor", str(spy))
    (tmp_path / "started").unlink(missing_ok=True)
    assert isinstance(probe_project(look_at(LocalHost())).git, Git)
    assert not (tmp_path / "started").exists()


def made(**more: object) -> RecordedHost:
    return RecordedHost.made(
        cwd="/home/anna/tide/code",
        home="/home/anna",
        absent_below=["/"],
        **more,  # type: ignore[arg-type]
    )


class OneAnswer(RecordedHost):
    answer: Ran | Unknown

    def run(self, argv: object, *, timeout_s: float = 5.0) -> Ran | Unknown:  # noqa: ARG002
        return self.answer


@pytest.mark.parametrize(
    ("answer", "git"),
    [
        (Unknown(Reason.TOOL_MISSING, "git"), Unknown(Reason.TOOL_MISSING, "git")),
        (
            Ran(128, "", "fatal: detected dubious ownership in repository at '/home/anna/tide'\n"),
            Unknown(Reason.NO_PERMISSION, "git reads no repository that belongs to another user"),
        ),
        (Ran(128, "", "fatal: not a git repository: /home/anna/gone\n"), None),
        (Ran(1, "", "?"), Unknown(Reason.CRASHED, "git status ended with status 1")),
        (Ran(0, "nonsense\n", ""), Unknown(Reason.UNPARSABLE, "git status: 'nonsense'")),
    ],
)
def test_what_git_refuses_is_unknown_with_its_reason(
    answer: Ran | Unknown, git: object, look_at: Callable[..., Look]
) -> None:
    host = OneAnswer.made(
        files={"/home/anna/tide/.git/HEAD": "ref: refs/heads/main\n"},
        folders={"/home/anna/tide/code": []},
        cwd="/home/anna/tide/code",
        home="/home/anna",
        absent_below=["/"],
    )
    assert isinstance(host, OneAnswer)
    host.answer = answer
    found = probe_project(look_at(host))
    assert (found.name, found.git, found.lock_files) == ("tide", git, ())


def test_a_project_in_no_repository_starts_no_git(look_at: Callable[..., Look]) -> None:
    host = made(
        files={
            "/home/anna/tide/pyproject.toml": "[tool.poetry]\nname = 'tide'\n",
            "/home/anna/tide/environment.yml": "",
            "/home/anna/tide/requirements-dev.txt": "",
            "/home/anna/tide/readme.txt": "",
        },
        folders={"/home/anna/tide/code": []},
    )
    found = probe_project(look_at(host))
    assert (found.name, found.git) == ("tide", None)
    assert found.lock_files == ("environment.yml", "requirements-dev.txt")


def test_a_home_folder_is_no_project(look_at: Callable[..., Look]) -> None:
    host = made(files={"/home/anna/.git/HEAD": "ref\n"}, folders={"/home/anna/tide/code": []})
    assert probe_project(look_at(host)) == Project(
        name=None, git=None, lock_files=(), newest_install=NOBODY
    )


def test_the_newest_install_is_the_youngest_dist_info_of_the_environment(tmp_path: Path) -> None:
    packages, elsewhere = tmp_path / "env/site-packages", tmp_path / "base"
    for folder, seconds in (
        (packages / "old-1.dist-info", 1_500_000_000),
        (packages / "new-1.dist-info", 1_600_000_000),
        (packages / "new", 1_700_000_000),
        (elsewhere / "base-1.dist-info", 1_800_000_000),
    ):
        folder.mkdir(parents=True)
        os.utime(folder, (seconds, seconds))
    chosen: Choice | None = None
    environment = Interpreter(
        choice=chosen,
        said={"prefix": str(tmp_path / "env")},
        entries=(Entry(str(packages), "env"), Entry(str(elsewhere), "base")),
        kind="venv",
        origin="other",
        system_site_packages=False,
        degraded=None,
    )
    look = Look(host=LocalHost(), options=Options(), have={}, environment=lambda: environment)
    assert probe_project(look).newest_install == utc(1_600_000_000)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[project]\nname = "tide"\n', "tide"),
        ("[build-system]\nname = 'no'\n[project]  # ours\nname='tide' # it\n", "tide"),
        ("[tool.poetry]\nname = 'tide'\n", "tide"),
        ("[project]\nversion = '1'\n[project.urls]\nname = 'no'\n", None),
        ("[[project]]\nname = 'no'\n", None),
        ("name = 'no'\n", None),
    ],
)
def test_a_projects_name_is_found(text: str, name: str | None) -> None:
    assert parse_project_name(text) == name


def test_every_kind_of_change_is_counted() -> None:
    text = (
        f"# branch.oid {COMMIT}\n# branch.head main\n# branch.upstream origin/main\n"
        "# branch.ab +1 -0\n"
        "1 .M N... 100644 100644 100644 aa bb a.py\n"
        "2 R. N... 100644 100644 100644 aa bb R100 b.py\tc.py\n"
        "u UU N... 100644 100644 100644 100644 aa bb cc d.py\n"
        "? notes.txt\n! ignored\n"
    )
    assert parse_status(text) == Status(COMMIT, "main", "origin/main", 4)


def test_what_envsnap_wrote_itself_does_not_make_a_project_changed() -> None:
    text = (
        f"# branch.oid {COMMIT}\n? envsnap.lock.json\n? envsnap-build/\n? paper/environment.zip\n"
    )
    assert parse_status(text) == Status(COMMIT, None, None, 0)
    tracked = f"# branch.oid {COMMIT}\n1 .M N... 100644 100644 100644 a b envsnap.lock.json\n"
    assert parse_status(tracked) == Status(COMMIT, None, None, 1)


@given(
    st.text(), st.sampled_from(["", "# branch.oid ", "# branch.head ", "remote.", "[project]\n"])
)
def test_no_text_makes_a_parser_raise(text: str, start: str) -> None:
    assert parse_status(start + text) is None
    assert isinstance(parse_remotes(start + text), dict)
    assert isinstance(parse_commit_time(text), (str, Unknown))
    assert isinstance(parse_project_name(start + text), (str, type(None)))
