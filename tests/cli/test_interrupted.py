"""Signals, a full disk, a reader that leaves, a fault of our own: nothing half done."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.host import LocalHost, Ran
from envsnap.sections import Fact, Unknown
from tests.cli.processes import (
    Ended,
    command,
    environment,
    envsnap,
    names_in,
    variables,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """An interpreter that never answers, has a child of its own, and leaves both their numbers."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nsleep 300 &\necho "$$ $!" > {tmp_path}/numbers\nwait\n')
    script.chmod(0o755)
    (tmp_path / "here").mkdir()
    return script


def interrupt(hanging: Path, number: int, *, old: bytes | None) -> Ended:
    """Start a capture of it, wait until it hangs, and send a signal."""
    here = hanging.parent / "here"
    if old is not None:
        (here / "m.json").write_bytes(old)
    child = subprocess.Popen(
        command("capture", "--python", str(hanging), "-o", "m.json"), cwd=here, env=variables(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    numbers = hanging.parent / "numbers"
    until(lambda: numbers.exists() and numbers.read_text().endswith("\n"))
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    return Ended(child.returncode, out, err)


def until(done: object, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not (callable(done) and done()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def is_running(number: str) -> bool:
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system has no /proc")
@pytest.mark.parametrize(
    "ending",
    [
        (signal.SIGINT, 130, "\ninterrupted: nothing was left half-written\n"),
        (signal.SIGTERM, 143, "\nterminated: nothing was left half-written\n"),
        (signal.SIGHUP, 129, "\nterminated: nothing was left half-written\n"),
    ],
)
@pytest.mark.parametrize("old", [None, b"old"], ids=["nothing there", "a file there"])
def test_a_signal_ends_a_capture_with_its_children_and_no_file(
    hanging: Path, ending: tuple[int, int, str], old: bytes | None
) -> None:
    number, code, told = ending
    if old is not None:
        old = manifest_of_this_machine(hanging)
    assert interrupt(hanging, number, old=old) == (code, "", told)
    until(lambda: not any(map(is_running, (hanging.parent / "numbers").read_text().split())), 5)
    here = hanging.parent / "here"
    assert names_in(here) == ([] if old is None else ["m.json"])
    assert old is None or (here / "m.json").read_bytes() == old


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system has no /proc")
def test_a_terminal_that_is_closed_ends_a_capture_with_its_children(hanging: Path) -> None:
    import pty  # Windows has none

    here = hanging.parent / "here"
    words = command("capture", "--python", str(hanging), "-o", "m.json")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(here)
        os.execve(words[0], words, variables())  # noqa: S606 - no shell is wanted
    numbers = hanging.parent / "numbers"
    until(lambda: numbers.exists() and numbers.read_text().endswith("\n"))
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 129
    until(lambda: not any(map(is_running, numbers.read_text().split())), 5)
    assert names_in(here) == []


def test_below_nohup_a_closed_terminal_ends_nothing(hanging: Path) -> None:
    words = command("capture", "--python", str(hanging), "-o", "m.json")
    child = subprocess.Popen(
        ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *words], cwd=hanging.parent / "here",
        env=variables(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    numbers = hanging.parent / "numbers"
    until(lambda: numbers.exists() and numbers.read_text().endswith("\n"))
    child.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    child.terminate()
    child.communicate(timeout=20)
    assert child.returncode == 143


def manifest_of_this_machine(hanging: Path) -> bytes:
    ended = envsnap("capture", "--host-only", "-o", "-", cwd=hanging.parent)
    assert ended.code == 0
    return ended.out.encode()


def test_a_hanging_interpreter_is_not_waited_for_for_ever(hanging: Path) -> None:
    from envsnap.probes._ask import ask

    class Hasty(LocalHost):
        def run(self, argv: Sequence[str], *, timeout_s: float = 5.0) -> Fact[Ran]:
            assert timeout_s == 15.0
            return super().run(argv, timeout_s=0.5)

    found = ask(Hasty(), [str(hanging)])
    assert isinstance(found, Unknown)
    assert str(found) == "timed-out: python did not answer within 0.5 s"
    until(lambda: not any(map(is_running, (hanging.parent / "numbers").read_text().split())), 5)


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    ran = subprocess.run(
        ["unshare", "-m", "true"], stderr=subprocess.DEVNULL, timeout=10, check=False
    )
    return os.geteuid() == 0 and ran.returncode == 0


@pytest.mark.parametrize("old", [None, "old"], ids=["nothing there", "a file there"])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, old: str | None) -> None:
    if not can_mount():
        pytest.skip("this user cannot mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    environment(tmp_path / "env", idna="3.7")
    captured = envsnap("capture", "--python", "../env", "-o", "-", cwd=disk)
    (tmp_path / "old.json").write_text(captured.out.replace('"kernel": "', '"kernel": "not '))
    script = (
        'mount -t tmpfs -o size=32k small "$1" && cd "$1" || exit 99\n'
        + ("" if old is None else "cp ../old.json m.json || exit 98\n")
        + "head -c 100000 /dev/zero > filler 2>/dev/null\n"
        'shift; "$@"; code=$?; ls -A\n'
        + ("" if old is None else "cmp m.json ../old.json && echo same\n")
        + "exit $code"
    )
    words = command("capture", "--python", str(tmp_path / "env"), "-o", "m.json")
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(disk), *words],
        cwd=tmp_path, env=variables(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    left = "filler\n" if old is None else "filler\nm.json\nsame\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (
        7,
        left,
        "error: Cannot write m.json: No space left on device\nhint: Name another place with -o\n",
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("explain",), ("capture", "--only", "tools", "-q", "-o", "-")])
def test_a_full_standard_output_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            command(*words), cwd=tmp_path, env=variables(), stdin=subprocess.DEVNULL,
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (
        7,
        "error: Cannot write to standard output: No space left on device\n",
    )


@pytest.mark.parametrize(
    "words", [("explain",), ("show", "--schema"), ("capture", "--only", "tools", "-q", "-o", "-")]
)
def test_a_reader_that_leaves_early_is_no_fault(tmp_path: Path, words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            command(*words), cwd=tmp_path, env=variables(), stdin=subprocess.DEVNULL,
            stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_closed_standard_output_is_no_fault_of_ours(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command("explain")], cwd=tmp_path, env=variables(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (7, "error: Standard output is closed\n")


@pytest.mark.parametrize("command", [("import", "-"), ("check", "-"), ("show", "-")])
def test_a_closed_standard_input_is_no_fault_of_ours(command: tuple[str, ...]) -> None:
    words = " ".join((sys.executable, "-m", "envsnap", *command))
    ran = subprocess.run(["sh", "-c", f"{words} <&-"], capture_output=True, text=True, check=False)
    said = "error: Standard input is closed\nhint: Pipe something into it, or name a file\n"
    assert (ran.returncode, ran.stderr) == (7, said)


def test_a_closed_standard_error_does_not_spoil_the_output(tmp_path: Path) -> None:
    words = command("capture", "--only", "tools", "-o", "-")
    ran = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *words], cwd=tmp_path, env=variables(),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["schema"] == "1.0"


def test_a_fault_of_our_own_is_one_line_with_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from envsnap.cli import explain

    def fault(_args: object) -> object:
        raise ZeroDivisionError("a\x1b[2J\nb")

    monkeypatch.setattr(explain, "run", fault)
    monkeypatch.delenv("ENVSNAP_DEBUG", raising=False)
    assert main(["explain"]) == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert re.sub(r"py:\d+", "py:N", err) == (
        "error: A fault of envsnap 0.1.0 itself: ZeroDivisionError at "
        "envsnap/cli/__init__.py:N: a\\x1b[2J b\n"
        "hint: Run it again with ENVSNAP_DEBUG=1 and report what it prints\n"
    )
    monkeypatch.setenv("ENVSNAP_DEBUG", "1")
    assert main(["explain"]) == 70
    assert "Traceback (most recent call last):\n" in capsys.readouterr().err
