"""What a program that we start leaves running, however we end: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import variables

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc here")

JOB = """
import sys
from envsnap.cli import _listen
from envsnap.engines._command import run, stream

_listen()
argv = ["sh", "-c", sys.argv[2]]
if sys.argv[1] == "run":
    run(argv, timeout_s=99)
else:
    stream(argv, cwd="/", listen=lambda _: None)
"""
LINE = 'echo "$$" >number; for each in $(seq 900); do sleep 0.1; done'


def start(kind: str, line: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A process of ours that waits for a program, and that program's number."""
    ours = subprocess.Popen(
        [sys.executable, "-c", JOB, kind, f"cd {folder}; {line}"],
        env=variables(), cwd=folder, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    number = folder / "number"
    until(lambda: number.exists() and number.read_text().endswith("\n"))
    return ours, int(number.read_text())


def until(done: object, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not (callable(done) and done()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def is_running(number: int) -> bool:
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("kind", ["run", "stream"])
def test_a_second_ctrl_c_ends_a_program_that_ignores_the_first(kind: str, tmp_path: Path) -> None:
    ours, program = start(kind, f"trap '' INT; {LINE}", tmp_path)
    ours.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert is_running(program)
    ours.send_signal(signal.SIGINT)
    ours.wait(timeout=60)
    assert not is_running(program)


@pytest.mark.parametrize("kind", ["run", "stream"])
def test_a_program_ends_with_us_where_we_are_killed(kind: str, tmp_path: Path) -> None:
    ours, program = start(kind, LINE, tmp_path)
    ours.kill()
    ours.wait(timeout=60)
    until(lambda: not is_running(program))
