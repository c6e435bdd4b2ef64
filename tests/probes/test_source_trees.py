"""The repositories around editable and local installations, asked of a real git."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.host import LocalHost, Ran
from envsnap.probes import Look, Options
from envsnap.probes._difference import Changed, difference, parse_changed
from envsnap.probes._git import git
from envsnap.sections import Git, Package, Reason, Unknown
from tests.probes.environments import SITE, captured, dist, installed

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = Unknown(Reason.NOT_ASKED, "no interpreter in this test")


def run_git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words],
        cwd=folder, check=True, capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
    )  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a commit of three files."""
    folder = tmp_path / "tide"
    folder.mkdir()
    for name in ("a.py", "b.py", "c d.py"):
        (folder / name).write_text(name)
    run_git(folder, "init", "-q", "-b", "main")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "one")
    return folder


class CountingHost(LocalHost):
    """This machine, with the commands that were asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, ...]] = []

    def run(self, argv: object, *, timeout_s: float = 5.0) -> Ran | Unknown:
        words = [str(each) for each in argv] if isinstance(argv, list) else []
        self.asked.append(tuple(words))
        return super().run(words, timeout_s=timeout_s)


def look(host: LocalHost | None = None) -> Look:
    return Look(host or LocalHost(), Options(), have={}, environment=lambda: NOBODY)


def differs(tree: Path) -> str | None:
    found = difference(look(), str(tree))
    assert not isinstance(found, Unknown), found
    return found


def test_a_clean_tree_does_not_differ(tree: Path) -> None:
    assert differs(tree) is None


def test_the_same_files_differ_in_the_same_way_staged_or_not(tree: Path) -> None:
    (tree / "a.py").write_text("other")
    (tree / "c d.py").unlink()
    unstaged = differs(tree)
    run_git(tree, "add", "-A")
    assert unstaged is not None
    assert differs(tree) == unstaged


def test_every_kind_of_change_is_another_difference(tree: Path) -> None:
    seen = [differs(tree)]
    (tree / "a.py").write_text("other")
    seen.append(differs(tree))
    (tree / "a.py").write_text("more")
    seen.append(differs(tree))
    (tree / "new.txt").write_text("")
    seen.append(differs(tree))
    (tree / "b.py").chmod(0o755)
    seen.append(differs(tree))
    (tree / "link").symlink_to("a.py")
    seen.append(differs(tree))
    (tree / "link").unlink()
    (tree / "link").symlink_to("b.py")
    seen.append(differs(tree))
    (tree / "c d.py").unlink()
    seen.append(differs(tree))
    assert len(set(seen)) == len(seen)


def test_what_python_and_builds_leave_behind_is_no_difference(tree: Path) -> None:
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "a.pyc").write_text("")
    (tree / "tide.egg-info").mkdir()
    (tree / "tide.egg-info" / "PKG-INFO").write_text("")
    assert differs(tree) is None


def test_a_tree_with_too_much_that_differs_is_not_hashed(tree: Path) -> None:
    with (tree / "data.bin").open("wb") as file:
        file.truncate(33 << 20)
    assert difference(look(), str(tree)) == Unknown(Reason.NOT_SUPPORTED, "more than 32 MiB differ")


def test_a_pipe_in_the_tree_is_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert differs(tree) is None


def test_a_repository_is_asked_once_whoever_asks_and_from_wherever(tree: Path) -> None:
    host = CountingHost()
    once = look(host)
    (tree / "src").mkdir()
    first, second = git(once, str(tree)), git(once, str(tree / "src"))
    assert isinstance(first, Git)
    assert first is second
    assert len([argv for argv in host.asked if "status" in argv]) == 1


def test_lines_that_are_no_status_are_not_understood() -> None:
    found = parse_changed("2 R. N... 100644 100644 100644 a b R100 new\0old\0")
    assert isinstance(found, Unknown)
    assert found.reason is Reason.UNPARSABLE


def test_the_columns_of_a_merge_that_is_open_are_others() -> None:
    line = "u UU N... 100644 100644 100644 100755 a b c the file\0"
    assert parse_changed(line) == (Changed("the file", "100755"),)


FOLDERS = ("/home/ada/mono/tide", "/home/ada/mono/moon")


def of_folders(status: Ran) -> tuple[Package, ...]:
    """Two editable installations of one repository, whose git answers like this."""
    files: dict[str, str] = {"/home/ada/mono/.git/HEAD": ""}
    for folder in FOLDERS:
        record = {"url": f"file://{folder}", "dir_info": {"editable": True}}
        name = folder.rpartition("/")[2]
        files |= dist(name, "1.0", direct_url_json=json.dumps(record))
        files[f"{folder}/pyproject.toml"] = ""
    return installed(
        captured(files, SITE, commands={("git", "-C", "/home/ada/mono", "..."): status})
    )


def test_a_git_that_is_not_there_is_the_reason() -> None:
    record = {"url": f"file://{FOLDERS[0]}", "dir_info": {}}
    files = dist("tide", "1.0", direct_url_json=json.dumps(record))
    files |= {f"{FOLDERS[0]}/.git/HEAD": ""}
    (tide,) = installed(captured(files))
    missing = Unknown(Reason.TOOL_MISSING, "git")
    assert (tide.origin.kind, tide.origin.git, tide.origin.difference) == (
        "directory", missing, missing,
    )  # fmt: skip


def test_a_repository_of_somebody_else_s_is_not_read() -> None:
    refused = Ran(128, "", "fatal: detected dubious ownership in repository at '/home/ada/mono'\n")
    words = "git reads no repository that belongs to another user"
    assert [each.origin.git for each in of_folders(refused)] == [
        Unknown(Reason.NO_PERMISSION, words)
    ] * 2


def test_after_a_git_that_is_late_no_other_repository_is_waited_for() -> None:
    late = Unknown(Reason.TIMED_OUT, "git did not answer within 20 s")
    files: dict[str, str | bytes] = {}
    for name in ("moon", "tide"):
        record = {"url": f"file:///home/ada/{name}", "dir_info": {"editable": True}}
        files |= dist(name, "1.0", direct_url_json=json.dumps(record))
        files[f"/home/ada/{name}/.git/HEAD"] = ""
    found = installed(captured(files, commands={("git", "-C", "/home/ada/moon", "..."): late}))
    assert [each.origin.git for each in found] == [
        late,
        Unknown(Reason.TIMED_OUT, "git was late with another repository"),
    ]
