"""What a command writes is kept up to a limit; one that floods is ended."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.host import LocalHost, Ran
from envsnap.inside.output import STDERR_LIMIT_BYTES, STDOUT_LIMIT_BYTES
from envsnap.sections import Reason, Unknown
from tests.host.test_image import interpreter, local

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = sys.executable


def _said(program: str, *words: str, timeout_s: float = 20) -> Ran | Unknown:
    return LocalHost().run([PYTHON, "-I", "-S", "-c", program, *words], timeout_s=timeout_s)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_that_floods_is_ended_and_unknown(stream: str, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = (
        "import os, sys\n"
        "with open(sys.argv[1], 'w') as file: file.write(str(os.getpid()))\n"
        f"while True: sys.{stream}.write('y\\n' * 40000)"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = _said(program, str(pid))

    assert isinstance(found, Unknown)
    assert found.reason is Reason.NOT_SUPPORTED
    assert str(found.detail).endswith(" wrote more than is kept of an answer")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    ("stream", "limit"), [("stdout", STDOUT_LIMIT_BYTES), ("stderr", STDERR_LIMIT_BYTES)]
)
def test_an_answer_as_long_as_the_limit_is_whole(stream: str, limit: int) -> None:
    found = _said(f"import sys; sys.{stream}.write('x' * {limit})")

    assert isinstance(found, Ran)
    assert (found.status, len(getattr(found, stream))) == (0, limit)


def test_both_outputs_are_read_while_the_command_runs() -> None:
    program = (
        "import sys\n"
        "for number in range(20):\n"
        "    sys.stderr.write('e' * 20000); sys.stdout.write('o' * 20000)\n"
        "sys.exit(3)"
    )

    assert _said(program) == Ran(3, "o" * 400_000, "e" * 400_000)


def test_a_command_that_closes_its_outputs_and_goes_on_has_a_deadline() -> None:
    started = time.monotonic()
    found = _said("import os, time; os.close(1); os.close(2); time.sleep(60)", timeout_s=0.5)

    assert isinstance(found, Unknown)
    assert found.reason is Reason.TIMED_OUT
    assert time.monotonic() - started < 5


def test_no_pipe_is_left_open() -> None:
    before = os.listdir(f"/proc/{os.getpid()}/fd") if os.path.isdir("/proc") else []
    for _ in range(5):
        _said("print('x')")

    assert len(os.listdir(f"/proc/{os.getpid()}/fd") if before else []) == len(before)


def test_a_program_on_path_that_never_stops_costs_a_capture_nothing(tmp_path: Path) -> None:
    decoy = tmp_path / "nvcc"
    decoy.write_text("#!/bin/sh\nexec yes\n")
    decoy.chmod(0o755)
    manifest = tmp_path / "m.json"
    done = subprocess.run(
        [PYTHON, "-m", "envsnap", "capture", "--only", "tools", "--host-only", "-q", "-o",
         str(manifest)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "nvcc wrote more than is kept of an answer" in manifest.read_text()


@pytest.mark.parametrize("version", ["3.6", "3.11"])
def test_the_agent_inside_an_image_ends_a_command_that_floods(version: str, tmp_path: Path) -> None:
    flood = tmp_path / "flood"
    flood.write_text("#!/bin/sh\nexec yes\n")
    flood.chmod(0o755)
    with local(interpreter(version), tmp_path) as host:
        assert host.run([str(flood)], timeout_s=20) == Unknown(
            Reason.NOT_SUPPORTED, "flood wrote more than is kept of an answer"
        )
        assert host.run(["sh", "-c", "echo a; echo b >&2; exit 4"]) == Ran(4, "a\n", "b\n")


def test_a_command_that_is_below_a_file_is_told_without_its_folders(tmp_path: Path) -> None:
    (tmp_path / "ada").touch()
    asked = [str(tmp_path / "ada" / "nvcc")]
    why = Unknown(Reason.CRASHED, "nvcc: Not a directory")
    assert LocalHost().run(asked) == why
    with local(PYTHON, tmp_path) as host:
        assert host.run(asked) == why
