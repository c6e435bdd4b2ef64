"""What passes by while an image is built goes with its build, or with the next if it was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap.engines._workdir import passing_folder, places, remove_tree
from envsnap.errors import FileError
from tests.killing import each_step_killed

BUILDING = """
import sys
from pathlib import Path
from envsnap.engines import Job
from envsnap.engines.apptainer import Apptainer
folder, platform, workdir = sys.argv[1:]
Apptainer().build(Job(
    context=folder, recipe="x.def", image=f"{folder}/x.sif", platform=platform,
    secrets={"netrc": f"{folder}/netrc"}, workdir=workdir or None,
    listen=lambda piece: print(piece.decode(), end="", flush=True),
))
"""
APPTAINER = """#!/bin/sh
case "$1 $2" in
  "--version ") echo "apptainer version 1.4.5" ;;
  "build --help") ;;
  build*) echo building; exec sleep 300 ;;
esac
"""
SECRET = "machine example.org password hunter2\n"  # noqa: S105 - of nobody
TWO_DAYS_AND_MORE_S = 50 * 3600


@contextlib.contextmanager
def build_with_a_secret(folder: Path, workdir: str) -> Iterator[subprocess.Popen[str]]:
    """A build in processes of its own, in the midst of which its engine stays."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "apptainer").write_text(APPTAINER)
    (programs / "apptainer").chmod(0o755)
    (folder / "netrc").write_text(SECRET)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    environ = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(folder),
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", BUILDING, str(folder), f"linux/{machine}", workdir],
        stdout=subprocess.PIPE, text=True, env=environ,
    ) as child:  # fmt: skip
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "building\n"
            yield child
        finally:
            kill_at_once(child)


def kill_at_once(build: subprocess.Popen[str]) -> None:
    """End a build as a batch system ends a job: no process of it is left to remove anything."""
    everybody = [build.pid, *children_of(build.pid)]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in everybody:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
    build.wait(30)


def children_of(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == parent:
                found.append(int(entry.name))
    return found


def secrets_below(folder: Path) -> list[Path]:
    return [path for path in folder.glob("envsnap-tmp-*/**/netrc") if path.read_text() == SECRET]


def test_the_password_of_a_build_that_was_killed_whole_goes_with_the_next(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with build_with_a_secret(tmp_path / "own", str(work)) as build:
        kill_at_once(build)
    assert len(secrets_below(work)) == 1
    with places(str(work)) as where:
        assert where.passing is not None
        assert list(work.glob("envsnap-tmp-*")) == [Path(where.passing)]
    assert os.listdir(work) == ["envsnap-cache"]


def test_the_password_of_a_build_without_a_working_folder_goes_with_the_next(
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "own"
    with build_with_a_secret(temporary, "") as build:
        kill_at_once(build)
    assert len(secrets_below(temporary)) == 1
    with passing_folder(str(temporary)):
        assert secrets_below(temporary) == []


def test_a_build_that_lives_keeps_its_folder_whoever_starts_beside_it(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with build_with_a_secret(tmp_path / "own", str(work)):
        for path in (*work.glob("envsnap-tmp-*"), *work.glob("envsnap-tmp-*/envsnap-tmp-*")):
            make_old(path)
        with places(str(work)), places(str(work)):
            assert len(secrets_below(work)) == 1
            assert len(list(work.glob("envsnap-tmp-*"))) == 3


def make_old(path: Path) -> None:
    then = time.time() - TWO_DAYS_AND_MORE_S
    os.utime(path, (then, then))


def test_builds_that_start_at_the_same_time_leave_each_other_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from envsnap.engines._workdir import passing_folder\n"
        "for _ in range(150):\n"
        "    with passing_folder(sys.argv[1]) as folder:\n"
        "        open(f'{folder}/a', 'w').close()\n"
        "        os.rename(f'{folder}/a', f'{folder}/b')\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    builds = [subprocess.Popen(argv, stderr=subprocess.PIPE) for _ in range(6)]
    assert [each.communicate(timeout=120)[1] for each in builds] == [b""] * 6
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("is_old", "is_left"), [(False, True), (True, False)])
@pytest.mark.parametrize(
    "holder", [None, "another-node", f"{os.uname().nodename}\nanother start of a kernel"]
)
def test_where_no_lock_tells_a_folder_is_left_until_it_is_surely_nobodys(
    tmp_path: Path, holder: str | None, *, is_old: bool, is_left: bool
) -> None:
    """Just made, or of another machine, whose locks a shared file system may hide from this one."""
    folder = tmp_path / "envsnap-tmp-other"
    folder.mkdir()
    if holder is not None:
        (folder / ".envsnap-held").write_text(holder)
    if is_old:
        make_old(folder)
    with passing_folder(str(tmp_path)):
        assert folder.exists() is is_left


def test_what_is_no_folder_of_this_user_stays(tmp_path: Path) -> None:
    behind = tmp_path / "behind"
    behind.mkdir()
    (tmp_path / "envsnap-tmp-link").symlink_to(behind)
    (tmp_path / "envsnap-tmp-file").touch()
    if os.getuid() == 0:
        of_another = tmp_path / "envsnap-tmp-theirs"
        of_another.mkdir()
        os.chown(of_another, 12345, 12345)
        make_old(of_another)
    before = sorted(os.listdir(tmp_path))
    with passing_folder(str(tmp_path)):
        pass
    assert sorted(os.listdir(tmp_path)) == before


def test_a_folder_is_not_taken_for_ours_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "envsnap-tmp-results"
    folder.mkdir()
    (folder / "thesis.tex").touch()
    make_old(folder)
    with passing_folder(str(tmp_path)):
        pass
    assert (folder / "thesis.tex").exists()


def test_the_mark_of_a_folder_goes_last(tmp_path: Path) -> None:
    def fill() -> None:
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        (tmp_path / "a" / "b").mkdir(parents=True)
        for name in (".envsnap-held", "netrc", "b/c", "zzz"):
            (tmp_path / "a" / name).touch()

    folder = str(tmp_path / "a")
    for _ in each_step_killed(lambda: remove_tree(folder), fill, folder):
        left = os.listdir(folder)
        assert not left or ".envsnap-held" in left
    assert not os.path.exists(folder)


def test_a_file_system_without_locks_breaks_no_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_handle: int, _how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with places(str(tmp_path)) as first, places(str(tmp_path)) as second:
        assert all(each.passing and os.path.isdir(each.passing) for each in (first, second))
    assert os.listdir(tmp_path) == ["envsnap-cache"]


def test_a_folder_that_cannot_be_worked_in_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError) as caught, places(str(tmp_path / "file")):
        pass
    assert caught.value.message == f"Cannot work in {tmp_path}/file: Not a directory"
