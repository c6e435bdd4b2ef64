"""The line that is printed for a definition with passwords, run by the shells that people have."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.manifest import save
from tests import made

BASE = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
SHELLS = [name for name in ("sh", "dash", "bash", "ksh", "zsh") if shutil.which(name)]
NETRC = "machine index.example login me password secret\n"


@pytest.fixture
def line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.chdir(tmp_path)
    save(made.manifest(), "m.json")
    Path("my netrc").write_text(NETRC)
    words = ["build", "m.json", "--singularity", "--netrc", "my netrc", "--base-image", BASE]
    assert main([*words, "--allow-host", "files.example", "-q", "-o", "my recipes"]) == 0
    for folder in ("bin", "passing"):
        Path(folder).mkdir()
    return capsys.readouterr().out.strip()


def start(shell: str, line: str, apptainer: str) -> subprocess.Popen[bytes]:
    """The line in a shell of its own, as a terminal's foreground: signals reach all of it."""
    program = Path("bin/apptainer")
    program.write_text(f"#!/bin/sh\n{apptainer}\n")
    program.chmod(0o755)
    here = os.getcwd()
    environ = {"PATH": f"{here}/bin:/usr/bin:/bin", "TMPDIR": f"{here}/passing"}
    return subprocess.Popen([shell, "-c", f"{line}\necho $? >status"], env=environ,
                            stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("status", [0, 255])
def test_its_status_is_the_builds_and_no_password_is_left(
    line: str, shell: str, status: int, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    read = f'cp "${{3%%:*}}"/netrc "{seen}"; pwd >>"{seen}"; exit {status}'
    assert start(shell, line, read).wait(timeout=30) == 0
    assert Path("status").read_text() == f"{status}\n"
    assert seen.read_text() == f"{NETRC}{tmp_path}/my recipes\n"
    assert os.listdir("passing") == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_leaves_no_password(
    line: str, shell: str, ended: signal.Signals, tmp_path: Path
) -> None:
    child = start(shell, line, f'echo >"{tmp_path}/started"; exec sleep 60')
    for _ in range(300):
        if Path("started").exists():
            break
        time.sleep(0.1)
    assert os.listdir("passing") != []
    os.killpg(child.pid, ended)
    child.wait(timeout=30)
    for _ in range(100):  # the line's own shell may end after the one that started it
        if os.listdir("passing") == []:
            break
        time.sleep(0.1)
    assert os.listdir("passing") == []
    assert not Path("status").exists() or Path("status").read_text() != "0\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_without_the_password_file_nothing_is_built(line: str, shell: str) -> None:
    os.unlink("my netrc")
    assert start(shell, line, "echo >../built").wait(timeout=30) == 0
    assert (Path("status").read_text() != "0\n", Path("built").exists()) == (True, False)
    assert os.listdir("passing") == []
