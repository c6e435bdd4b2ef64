"""The commands that open no connection: shown twice, in whole processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import CHECKOUT, Ended, environment, envsnap, run, variables

if TYPE_CHECKING:
    from pathlib import Path

GUARD = """\
import os, sys

def guard(event, arguments):
    if event in {events!r}:
        family = getattr(arguments[0], "family", None) if arguments else None
        os.write(2, ("network: " + event + repr(arguments[1:]) + "\\n").encode())
        os._exit(99)

sys.addaudithook(guard)
with open({seen!r}, "a") as file:
    file.write(str(os.getpid()) + "\\n")
"""
EVENTS = (
    "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
    "socket.gethostbyname", "socket.getnameinfo", "socket.sendmsg", "socket.sendto",
    "urllib.Request", "http.client.connect",
)  # fmt: skip
COMMANDS = (
    ("capture", "--python", "../env", "-o", "new.json"),
    ("capture", "--python", "../env", "-o", "-", "--anonymous"),
    ("capture", "--python", "../env", "-o", "-", "--identify"),
    ("capture", "--root", "../env", "-o", "-"),
    ("check", "m.json", "--python", "../env"),
    ("check", "m.json", "--against", "t4-cloud"),
    ("check", "m.json", "--format", "json"),
    ("check", "m.json", "-o", "r.md", "-o", "r.html", "-o", "r.xml", "-o", "r.sarif"),
    ("doctor", "--python", "../env"),
    ("show", "m.json"),
    ("show", "m.json", "--sentence"),
    ("show", "m.json", "--paste"),
    ("import", "freeze.txt", "-o", "-"),
    ("diff", "m.json", "m.json"),
    ("diff", "m.json", "t4-cloud"),
    ("explain",),
    ("explain", "gpu"),
)
DONE = {0, 1, 4}
"""What these commands may end with here: done, differs, cannot tell."""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a manifest, beside an environment."""
    environment(tmp_path / "env", idna="3.7")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "freeze.txt").write_text("idna==3.7\n")
    words = ("capture", "--python", "../env", "-q", "-o", "m.json")
    assert envsnap(*words, cwd=folder).code == 0
    return folder


def guarded(folder: Path) -> dict[str, str]:
    """Variables under which every Python that is started ends at a touch of the network."""
    hooks = folder / "hooks"
    hooks.mkdir()
    script = GUARD.format(events=set(EVENTS), seen=str(folder / "seen"))
    (hooks / "sitecustomize.py").write_text(script)
    return variables(PYTHONPATH=f"{hooks}:{CHECKOUT}")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_python_that_is_started_touches_the_network(
    here: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = envsnap(*words, cwd=here, env=guarded(tmp_path))
    assert ended.code in DONE, ended.err
    assert "network: " not in ended.err
    started = (tmp_path / "seen").read_text().split()
    targets = 2 if words[0] == "capture" and "--python" in words else 1
    assert len(started) >= targets


def test_the_guard_itself_ends_whoever_touches_the_network(tmp_path: Path) -> None:
    env = guarded(tmp_path)
    script = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    ended = run([sys.executable, "-c", script], tmp_path, env)
    assert ended.code == 99
    assert ended.err.startswith("network: socket.getaddrinfo")


@cache
def can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    words = ["unshare", "-rn", "true"]
    return subprocess.run(words, stderr=-3, timeout=10, check=False).returncode == 0


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_works_the_same_where_there_is_no_network(here: Path, words: tuple[str, ...]) -> None:
    if not can_unshare():
        pytest.skip("this kernel gives this user no network namespace")
    env = variables(SOURCE_DATE_EPOCH="86400")
    with_network = envsnap(*words, cwd=here, env=env)
    (here / "new.json").unlink(missing_ok=True)
    without: Ended = envsnap(*words, cwd=here, env=env, before=["unshare", "-rn"])
    assert without.code == with_network.code, without.err
    if words[0] != "capture":  # a capture holds the memory of its moment
        assert without.out == with_network.out
