"""Signals to envsnap run, to its process group, and from a terminal: the command gets each once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import CHECKOUT, command, variables
from tests.cli.test_run import Terminal, place, python_of, section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux")
NAMES = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"]
COUNTS = """
import collections, signal, sys, time
counted = collections.Counter()
until = [time.monotonic() + 20]
def take(number, _):
    until[0] = time.monotonic() + 0.5
    counted[signal.Signals(number).name] += 1
for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2"):
    signal.signal(getattr(signal, "SIG" + name), take)
print("ready", flush=True)
while time.monotonic() < until[0]:
    time.sleep(0.02)
print(dict(counted), flush=True)
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return place(tmp_path)


def watched(*words: str, runs: int = 1) -> list[str]:
    """The words that run these below so many envsnaps."""
    for number in range(runs):
        words = tuple(command("run", "-q", "-o", f"{number}.json", "--", *words))
    return list(words)


def started(here: Path, words: Sequence[str]) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        words, cwd=here, env=variables(PYTHONPATH=str(CHECKOUT)), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("to", "runs"), [("the group", 1), ("it alone", 1), ("it alone", 2)])
def test_a_signal_reaches_the_command_once(here: Path, name: str, to: str, runs: int) -> None:
    child = started(here, watched(python_of(here), "-c", COUNTS, runs=runs))
    (os.killpg if to == "the group" else os.kill)(child.pid, signal.Signals[f"SIG{name}"])
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, out) == (0, f"{{'SIG{name}': 1}}\n")


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_what_signals_the_process_and_then_its_group_is_heard_once(here: Path, name: str) -> None:
    timeout = shutil.which("timeout")
    if timeout is None:
        pytest.skip("no `timeout` here")
    words = watched(python_of(here), "-c", COUNTS)
    child = started(here, [timeout, "-s", name, "3", *words])
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, out) == (124, f"{{'SIG{name}': 1}}\n")


def test_each_of_several_signals_is_heard(here: Path) -> None:
    child = started(here, watched(python_of(here), "-c", COUNTS))
    for _ in range(3):
        for send in (os.kill, os.killpg):
            send(child.pid, signal.SIGUSR1)
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(timeout=0.15)
    out, _ = child.communicate(timeout=60)
    assert out == "{'SIGUSR1': 6}\n"


def test_what_it_was_started_to_ignore_is_heard_if_the_command_wants_it(here: Path) -> None:
    words = ["sh", "-c", 'trap "" USR1; exec "$@"', "sh"]
    child = started(here, [*words, *watched(python_of(here), "-c", COUNTS)])
    os.kill(child.pid, signal.SIGUSR1)
    assert child.communicate(timeout=60)[0] == "{'SIGUSR1': 1}\n"
    deaf = "echo ready; sleep 0.5; echo still here"
    child = started(here, [*words, *watched("sh", "-c", deaf)])
    os.killpg(child.pid, signal.SIGUSR1)
    assert child.communicate(timeout=60)[0] == "still here\n"


def test_a_status_is_known_where_ended_children_are_not_kept(here: Path) -> None:
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    ignoring += "os.execv(sys.argv[1], sys.argv[1:])"
    words = watched("sh", "-c", "echo ready; exit 3")
    child = started(here, [sys.executable, "-c", ignoring, *words])
    child.communicate(timeout=60)
    assert child.returncode == 3


def test_ctrl_c_on_a_terminal_is_heard_once(here: Path) -> None:
    terminal = Terminal(watched(python_of(here), "-c", COUNTS), here)
    terminal.read_until(b"ready")
    terminal.type(b"\x03")
    assert terminal.status() == 0
    assert b"{'SIGINT': 1}" in terminal.text


def test_ctrl_z_stops_it_and_fg_goes_on(here: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    words = watched("sh", "-c", "echo rea''dy; sleep 0.3; read line; echo got-$line")
    terminal = Terminal([bash, "--norc", "--noprofile", "-i"], here)
    quoted = " ".join(f"'{each}'" if "'" not in each else f'"{each}"' for each in words)
    terminal.type(quoted.replace("$", "\\$").encode() + b" | cat\n")
    terminal.read_until(b"ready")
    terminal.type(b"\x1a")
    terminal.read_until(b"Stopped")
    terminal.type(b"fg\n")
    terminal.read_until(b"fg\r\n")
    terminal.type(b"text\n")
    terminal.read_until(b"got-text")
    terminal.type(b"exit 5\n")
    assert terminal.status() == 5


def test_no_process_of_ours_outlives_it(here: Path) -> None:
    child = started(here, watched("sh", "-c", "echo ready; sleep 0.2; kill -KILL $PPID"))
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while is_there(child.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["INT", "TERM"])
@pytest.mark.parametrize("moment", ["at exit", "in an import", "at a start"])
def test_a_signal_shows_no_line_of_ours(here: Path, name: str, moment: str) -> None:
    """The signal comes when the pipe is opened; where that is at the end, nothing is raised."""
    last = {
        "at exit": "",
        "in an import": "import alpha",
        "at a start": "import subprocess; subprocess.run(['true'])",
    }[moment]
    code = f"""
import os, signal, subprocess, sys
def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIG{name}, stop)
opened, self = os.open, os.getpid()
def open_and_stop(path, *rest, **more):
    if "/fd/" in str(path):
        os.open = opened
        os.kill(self, signal.SIG{name})
    return opened(path, *rest, **more)
os.open = open_and_stop
{last}
"""
    words = watched(python_of(here), "-c", code)
    ended = subprocess.run(
        words, cwd=here, env=variables(), capture_output=True, text=True, timeout=60, check=False
    )
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("Wrote ")]
    assert "sitecustomize" not in "".join(lines)
    if moment == "at exit":
        assert (lines, ended.returncode) == ([], 0)
    else:
        assert (lines[-1], ended.returncode) == ("KeyboardInterrupt", 130)
    assert section(here, file="0.json")["exit_status"] == ended.returncode
