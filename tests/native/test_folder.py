"""The folder that an environment is restored into."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.engines._command import run
from envsnap.engines._folder import MARK, claim, making
from envsnap.errors import FileError, UsageError
from tests.cli.processes import variables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ENVIRONMENT = "0123456789ab"


def make(folder: Path, text: str = "old", *, force: bool = False) -> Path:
    """An environment of two files, one of them below."""
    with making(str(folder), ENVIRONMENT, force=force) as work:
        assert os.listdir(work) == []
        fill(folder, text)
    return folder


def fill(folder: Path, text: str) -> None:
    (folder / "pyvenv.cfg").write_text(text)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(text)


def is_whole(folder: Path, text: str) -> bool:
    names = [".gitignore", "bin", MARK, "pyvenv.cfg"]
    held = [(folder / name).read_text() for name in ("pyvenv.cfg", "bin/python")]
    return sorted(os.listdir(folder)) == sorted(names) and held == [text, text]


def killed(folder: Path, *, force: bool = False) -> None:
    """A run that is killed when its environment is half made."""
    child = os.fork()
    if child == 0:
        with making(str(folder), ENVIRONMENT, force=force):
            (folder / "pyvenv.cfg").write_text("half")
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


class FailedError(Exception):
    """What ends a restore early."""


def break_off(folder: Path, *, force: bool) -> None:
    with making(str(folder), ENVIRONMENT, force=force):
        fill(folder, "new")
        raise FailedError


def fail(folder: Path, *, force: bool = False) -> None:
    with pytest.raises(FailedError):
        break_off(folder, force=force)


def test_a_folder_that_is_not_there_or_empty_is_free(tmp_path: Path) -> None:
    assert claim(str(tmp_path / "env"), force=False) is False
    (tmp_path / "empty").mkdir()
    assert claim(str(tmp_path / "empty"), force=False) is False


@pytest.mark.parametrize("name", ["", " "])
def test_a_name_that_is_empty_is_no_folder(name: str) -> None:
    with pytest.raises(UsageError, match="The name of the folder is empty"):
        claim(name, force=True)


def test_no_environment_lies_where_path_cannot_name_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PATH could not hold its programs"):
        claim(str(tmp_path / "a:b"), force=False)


def test_a_link_is_not_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(UsageError, match="link is a link"):
        claim(str(tmp_path / "link"), force=False)


def test_a_finished_environment_is_replaced_by_force_alone(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    with pytest.raises(FileError, match="holds an environment that was restored before"):
        claim(str(folder), force=False)
    assert claim(str(folder), force=True) is False


def test_force_takes_nothing_that_lies_beside_the_environment(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match=r"holds thesis\.tex beside what envsnap wrote"):
        claim(str(folder), force=True)


def test_a_mark_that_was_copied_makes_no_folder_ours(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    shutil.copytree(folder, tmp_path / "clone")
    for force in (False, True):
        with pytest.raises(FileError, match="holds files that envsnap did not write"):
            claim(str(tmp_path / "clone"), force=force)


def test_the_folder_that_one_stands_in_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "env")
    monkeypatch.chdir(folder)
    for name in (".", str(folder)):
        with pytest.raises(FileError, match="is the folder you stand in"):
            claim(name, force=True)


def test_another_run_is_not_disturbed(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    with making(str(folder), ENVIRONMENT, force=False):
        for force in (False, True):
            with pytest.raises(FileError, match="Another run is restoring into"):
                claim(str(folder), force=force)
            with pytest.raises(FileError, match="Another run is restoring into"):
                make(folder, force=force)
        fill(folder, "old")
    assert is_whole(folder, "old")


def test_the_folder_is_not_free_while_the_installer_of_a_killed_run_lives(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    line = f"trap '' INT; sleep 0.5; echo >{tmp_path}/started; sleep 20; sleep 20"
    child = os.fork()
    if child == 0:
        with making(str(folder), ENVIRONMENT, force=False):
            run(["sh", "-c", line], timeout_s=99)
        os._exit(1)
    until((tmp_path / "started").exists)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with pytest.raises(FileError, match="Another run is restoring into"):
        make(folder)
    until(lambda: is_free(folder))
    assert is_whole(make(folder), "old")


def is_free(folder: Path) -> bool:
    try:
        return claim(str(folder), force=False)
    except FileError:
        return False


def until(done: Callable[[], bool], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_what_another_run_has_finished_since_one_looked_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    assert claim(str(folder), force=False) is False
    make(folder, "another")
    with pytest.raises(FileError, match="holds an environment that was restored before"):
        make(folder, "ours")
    assert is_whole(folder, "another")


def test_a_folder_that_another_run_removes_meanwhile_is_not_filled(tmp_path: Path) -> None:
    """Its lock is one that no other run sees."""
    folder = tmp_path / "env"
    lock = fcntl.flock

    def late(handle: int, how: int) -> None:
        (folder / ".gitignore").unlink()
        lock(handle, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        with pytest.raises(FileError, match="Another run is restoring into"):
            make(folder)
    assert is_whole(make(folder), "old")


def test_the_old_environment_comes_back_where_the_new_one_fails(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    fail(folder, force=True)
    assert is_whole(folder, "old")
    assert os.listdir(tmp_path) == ["env"]
    assert claim(str(folder), force=True) is False


def test_the_new_environment_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    make(folder, "new", force=True)
    assert is_whole(folder, "new")
    assert os.listdir(tmp_path) == ["env"]


def test_nothing_is_left_of_a_first_one_that_failed(tmp_path: Path) -> None:
    fail(tmp_path / "env")
    assert os.listdir(tmp_path) == []
    (tmp_path / "empty").mkdir()
    fail(tmp_path / "empty")
    assert os.listdir(tmp_path / "empty") == []


def test_what_lies_beside_the_folder_is_somebodys_own(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    (tmp_path / "env.envsnap-old").mkdir()
    make(folder, "new", force=True)
    assert sorted(os.listdir(tmp_path)) == ["env", "env.envsnap-old"]


def test_a_killed_first_run_is_no_bar(tmp_path: Path) -> None:
    killed(tmp_path / "env")
    assert claim(str(tmp_path / "env"), force=False) is True
    assert is_whole(make(tmp_path / "env"), "old")


def test_an_environment_that_waits_is_given_up_by_force_alone(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    killed(folder, force=True)
    with pytest.raises(
        FileError, match="restored before: a run that was to replace it was killed, and it is back"
    ):
        claim(str(folder), force=False)
    assert is_whole(folder, "old")
    killed(folder, force=True)
    assert claim(str(folder), force=True) is True
    make(folder, "new", force=True)
    assert is_whole(folder, "new")


def test_an_environment_that_waits_comes_back_where_the_next_one_fails(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    killed(folder, force=True)
    fail(folder, force=True)
    assert is_whole(folder, "old")


def test_an_environment_that_cannot_be_put_aside_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "env")
    rename = os.rename
    held = os.listdir(folder)

    def refuse(source: str, target: str) -> None:
        if os.path.basename(source) == MARK:  # the last of all
            raise PermissionError(13, "Permission denied", source, None, target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(FileError, match=r"Cannot write into .*: Permission denied"):
        make(folder, "new", force=True)
    assert sorted(os.listdir(folder)) == sorted(held)
    assert is_whole(folder, "old")


def test_it_is_told_where_an_environment_waits_that_cannot_be_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "env")

    def refuse(source: str, target: str) -> None:
        raise OSError(5, "Input/output error", source, None, target)

    def refused() -> None:
        with making(str(folder), ENVIRONMENT, force=True):
            monkeypatch.setattr(os, "replace", refuse)
            raise FailedError

    with pytest.raises(FileError) as told:
        refused()
    monkeypatch.undo()
    assert str(told.value).endswith("env could not be put back: Input/output error")
    assert told.value.hint == f"It waits in {folder}/.envsnap-old; the next restore puts it back"
    with pytest.raises(FileError, match="and it is back"):
        claim(str(folder), force=False)
    assert is_whole(folder, "old")


def test_an_old_environment_that_is_half_removed_never_comes_back(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    child = os.fork()
    if child == 0:
        with making(str(folder), ENVIRONMENT, force=True):
            fill(folder, "new")
            shutil.rmtree(folder / ".envsnap-work")
            os.mkdir(folder / ".envsnap-work")
            remove = shutil.rmtree

            def half(path: str) -> None:
                if os.path.exists(os.path.join(path, "pyvenv.cfg")):
                    os.unlink(os.path.join(path, "pyvenv.cfg"))
                    os._exit(0)
                remove(path)

            shutil.rmtree = half  # type: ignore[assignment]
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    fail(folder, force=True)
    assert is_whole(folder, "new")


def test_a_mark_of_an_earlier_version_and_another_mount_is_known(tmp_path: Path) -> None:
    folder = make(tmp_path / "env")
    mark = json.loads((folder / MARK).read_text())
    assert mark["folder"] == str(folder.stat().st_ino)
    for disk in (folder.stat().st_dev, folder.stat().st_dev + 1):
        mark["folder"] = f"{disk}:{folder.stat().st_ino}"
        (folder / MARK).write_text(json.dumps(mark))
        with pytest.raises(FileError, match="holds an environment that was restored before"):
            claim(str(folder), force=False)
        assert claim(str(folder), force=True) is False


def can_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


FULL = """
import os, sys
from envsnap.engines._folder import making
with making("env", "1", force=False):
    open("env/pyvenv.cfg", "w").write("old")
try:
    with open("filler", "wb", buffering=0) as filler:
        while not os.path.ismount("env"):
            filler.write(b"x" * 4096)
except OSError:
    pass
try:
    with making("env", "2", force=True):
        open("env/pyvenv.cfg", "w").write("new")
except Exception as error:
    print(error)
print(sorted(os.listdir("env")), open("env/pyvenv.cfg").read())
os.unlink("filler")
with making("env", "2", force=True):
    open("env/pyvenv.cfg", "w").write("new")
print(open("env/pyvenv.cfg").read())
"""


@pytest.mark.parametrize("place", ["disk", "disk/env"], ids=["a full disk", "a mount point"])
def test_a_disk_of_its_own_is_made_anew_and_a_full_one_keeps_what_it_has(
    tmp_path: Path, place: str
) -> None:
    if not can_mount():
        pytest.skip("this user cannot mount a small file system")
    (tmp_path / place).mkdir(parents=True)
    line = 'mount -t tmpfs -o size=64k small "$1" && cd disk && exec "$2" -c "$3"'
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", line, "sh", place, sys.executable, FULL],
        cwd=tmp_path, env=variables(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    held = "['.gitignore', 'envsnap-restore.json', 'pyvenv.cfg']"
    full = f"Cannot write into env: No space left on device\n{held} old\nnew\n"
    assert ran.stdout + ran.stderr == (full if place == "disk" else f"{held} new\nnew\n")
