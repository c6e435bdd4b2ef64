"""envsnap run, as a whole process: the command as if nobody watched, and its manifest after it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import (
    CHECKOUT,
    Ended,
    command,
    distribution,
    environment,
    envsnap,
    names_in,
    site_packages,
    variables,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return place(tmp_path)


def place(tmp_path: Path) -> Path:
    """A folder to work in, with an environment beside it in which two packages are installed."""
    folder = environment(tmp_path / "env", alpha="1.0", beta_tools="2.0")
    for name in ("alpha", "beta_tools"):
        (site_packages(folder) / name).mkdir()
        (site_packages(folder) / name / "__init__.py").write_text("")
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def python_of(here: Path) -> str:
    return str(here.parent / "env" / "bin" / "python")


def run(here: Path, *words: str, **more: str) -> Ended:
    return envsnap("run", "-o", "m.json", "--", *words, cwd=here, env=variables(**more))


def section(here: Path, name: str = "run", file: str = "m.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((here / file).read_text())["sections"][name]
    return found


def test_the_manifest_says_what_the_command_used(here: Path) -> None:
    code = "import alpha, json; print('text'); raise SystemExit(3)"
    ended = run(here, python_of(here), "-c", code, "--token=secret")
    assert (ended.code, ended.out) == (3, "text\n")
    run_section = section(here)
    figures = {key: run_section.pop(key) for key in ("wall_ms", "peak_memory_mib", "sampled_ms")}
    assert all(isinstance(each, int) and each > 0 for each in figures.values())
    programs = run_section.pop("programs")
    assert [os.path.basename(each)[:6] for each in programs] == ["python"]
    libraries = run_section.pop("libraries")
    assert all(each["content"] and each["location"] for each in libraries)
    assert run_section == {
        "program": "{env}/bin/python", "exit_status": 3, "gpu_peaks": [], "modules": ["alpha"],
        "other_pythons": [],
    }  # fmt: skip
    assert section(here, "python")["version"].count(".") == 2
    assert "secret" not in (here / "m.json").read_text()


def test_two_lines_say_what_was_seen_and_where_it_is(here: Path) -> None:
    ended = run(here, python_of(here), "-c", "import alpha")
    first, *rest = ended.err.splitlines()
    assert first.startswith("envsnap: python: status 0 after ")
    assert [each for each in rest if each.startswith("Wrote m.json    ")] == rest[-1:]


def test_nothing_is_written_but_the_answer(here: Path) -> None:
    before = sorted(map(str, here.parent.rglob("*")))
    ended = run(here, python_of(here), "-B", "-c", "import alpha, beta_tools")
    assert ended.code == 0
    assert sorted(map(str, here.parent.rglob("*"))) == sorted([*before, f"{here}/m.json"])
    assert names_in(CHECKOUT / "envsnap" / "inside" / "site") == ["sitecustomize.py"]


def test_editable_and_unrecorded_packages_are_named(here: Path) -> None:
    site = site_packages(here.parent / "env")
    (here.parent / "project" / "src" / "gamma").mkdir(parents=True)
    (here.parent / "project" / "src" / "gamma" / "__init__.py").write_text("")
    url = {"url": f"file://{here.parent}/project", "dir_info": {"editable": True}}
    distribution(site, "gamma-project", "0.1", direct_url__json=json.dumps(url))
    (site / "gamma.pth").write_text(f"{here.parent}/project/src\n")
    (site / "delta-1.egg-info").mkdir()
    (site / "delta-1.egg-info" / "PKG-INFO").write_text("Name: Delta\nVersion: 1\n")
    (site / "delta-1.egg-info" / "top_level.txt").write_text("delta\n")
    (site / "delta.py").write_text("")
    (site / "nobody.py").write_text("")
    assert run(here, python_of(here), "-c", "import gamma, delta, nobody").code == 0
    assert section(here)["modules"] == ["Delta", "gamma-project"]


def test_a_file_whose_name_is_quoted_in_its_record_is_named(here: Path) -> None:
    site = site_packages(here.parent / "env")
    folder = distribution(site, "gamma", "1")
    for name in ("one,two", 'a "b"'):
        (site / f"{name}.py").write_text("")
    (folder / "RECORD").write_text('"one,two.py",,\n"a ""b"".py",,\n')
    for name in ("one,two", 'a "b"'):
        code = f"import importlib; importlib.import_module({name!r})"
        assert run(here, python_of(here), "-c", code).code == 0
        assert section(here)["modules"] == ["gamma"]


def test_the_command_s_own_python_is_captured_behind_a_shell(here: Path) -> None:
    ended = run(here, "sh", "-c", f"{python_of(here)} -c 'import alpha, beta_tools'")
    assert ended.code == 0
    names = [each["name"] for each in section(here, "packages")["installed"]]
    assert (names, section(here)["modules"]) == (["alpha", "beta_tools"], ["alpha", "beta_tools"])


def test_standard_input_is_the_command_s(here: Path) -> None:
    words = command("run", "-q", "-o", "m.json", "--", "cat")
    done = subprocess.run(
        words, cwd=here, env=variables(), input=b"line\n", capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"line\n")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["no-such-command"], 127, "error: no-such-command: command not found\n"),
        (["/no/such"], 127, "error: /no/such: no such file\n"),
        (["./plain"], 126, "error: ./plain: permission denied\n"),
    ],
)
def test_what_cannot_be_started_writes_nothing(
    here: Path, words: list[str], code: int, why: str
) -> None:
    (here / "plain").write_text("#!/bin/sh\n")
    ended = run(here, *words)
    assert (ended.code, ended.out, ended.err) == (code, "", why)
    assert names_in(here) == ["plain"]


def test_a_signal_that_ended_it_is_its_status(here: Path) -> None:
    assert run(here, "sh", "-c", "kill -KILL $$").code == 137
    assert section(here)["exit_status"] == 137


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "No command was given"),
        (["run", "--"], "No command was given"),
        (["run", "-o", "-", "--", "true"], "-o - would mix the manifest with what the command"),
        (["run", "--anonymous", "--identify", "--", "true"], "contradict each other"),
    ],
)
def test_a_wrong_command_line_starts_nothing(here: Path, words: list[str], message: str) -> None:
    ended = envsnap(*words, cwd=here)
    assert (ended.code, message in ended.err) == (2, True)


def test_words_behind_the_command_are_its_own(here: Path) -> None:
    ended = envsnap("run", "-q", "-o", "m.json", "--", "echo", "-o", "x", "--", "--force", cwd=here)
    assert (ended.code, ended.out) == (0, "-o x -- --force\n")
    ended = envsnap("run", "-q", "-o", "m.json", "echo", "-q", "--", "-o", "x", cwd=here)
    assert (ended.code, ended.out) == (0, "-q -- -o x\n")


def test_a_second_run_takes_the_place_of_the_first(here: Path) -> None:
    for status in (1, 2):
        assert run(here, python_of(here), "-c", f"raise SystemExit({status})").code == status
    assert (names_in(here), section(here)["exit_status"]) == (["m.json"], 2)


def test_a_run_inside_a_run_is_seen_by_both(here: Path) -> None:
    inner = command("run", "-q", "-o", "inner.json", "--", python_of(here), "-c", "import alpha")
    ended = run(here, *inner, PYTHONPATH=str(CHECKOUT))
    assert ended.code == 0
    assert section(here, file="inner.json")["modules"] == ["alpha"]
    told = envsnap(
        "run", "-q", "-o", "outer.json", "--python", python_of(here), "--", *inner, cwd=here
    )
    assert (told.code, section(here, file="outer.json")["modules"]) == (0, ["alpha"])


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
def test_a_signal_without_a_terminal_goes_on_and_the_run_is_recorded(here: Path, name: str) -> None:
    words = command(
        "run", "-q", "-o", "m.json", "--", "sh", "-c", "ulimit -c 0; echo ready; exec sleep 60"
    )
    child = subprocess.Popen(
        words, cwd=here, env=variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    number = signal.Signals[f"SIG{name}"]
    child.send_signal(number)
    child.communicate(timeout=60)
    assert (child.returncode, section(here)["exit_status"]) == (128 + number, 128 + number)


def test_closed_streams_stay_closed(here: Path) -> None:
    code = "import os; os.write(os.open('seen', os.O_CREAT | os.O_WRONLY), b'0'); "
    code += "open('fds', 'w').write(str(sorted(map(int, os.listdir('/proc/self/fd')))))"
    inner = " ".join(command("run", "-o", "m.json", "--", python_of(here), "-c", '"$CODE"'))
    words = ["sh", "-c", f"{inner} <&- >&- 2>&-"]
    ended = subprocess.run(words, cwd=here, env=variables(CODE=code), timeout=60, check=False)
    assert (ended.returncode, (here / "fds").read_text()) == (0, "[0, 1, 2]")
    assert section(here)["exit_status"] == 0


class Terminal:
    """A command on a terminal of its own, as a person starts it."""

    def __init__(self, words: list[str], cwd: Path) -> None:
        self.text = b""
        self.pid, self._keys = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(words[0], words, variables())  # noqa: S606 - on the terminal of this fork

    def read_until(self, text: bytes) -> None:
        deadline = time.monotonic() + 30
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self._keys], [], [], 0.1)[0]:
                self.text += os.read(self._keys, 4096)

    def type(self, keys: bytes) -> None:
        os.write(self._keys, keys)

    def status(self) -> int:
        while True:
            try:
                piece = os.read(self._keys, 4096)
            except OSError:  # the terminal has nobody any more
                piece = b""
            if not piece:
                break
            self.text += piece
        _, status = os.waitpid(self.pid, 0)
        os.close(self._keys)
        return os.waitstatus_to_exitcode(status)


ON_A_TERMINAL = """
import os, signal, sys, time
def stop(*_):
    print("stopped by", input("why? "), flush=True)
    sys.exit(7)
signal.signal(signal.SIGINT, stop)
in_front = os.tcgetpgrp(0) == os.getpgrp()
os.write(1, f"{[os.isatty(each) for each in range(3)]} {in_front} ready".encode())
time.sleep(60)
"""


def test_the_terminal_is_the_command_s_and_so_is_ctrl_c(here: Path) -> None:
    words = command("run", "-q", "-o", "m.json", "--", python_of(here), "-c", ON_A_TERMINAL)
    terminal = Terminal(words, here)
    terminal.read_until(b"ready")
    assert b"[True, True, True] True ready" in terminal.text
    terminal.type(b"\x03")
    terminal.read_until(b"why? ")
    terminal.type(b"me\n")
    assert terminal.status() == 7
    assert b"stopped by me" in terminal.text
    assert terminal.text.count(b"stopped by") == 1
    assert section(here)["exit_status"] == 7


def test_ctrl_c_that_ends_the_command_is_its_status(here: Path) -> None:
    words = command("run", "-q", "-o", "m.json", "--", "sh", "-c", "echo ready; exec sleep 60")
    terminal = Terminal(words, here)
    terminal.read_until(b"ready")
    terminal.type(b"\x03")
    assert terminal.status() == 130
    assert section(here)["exit_status"] == 130


@pytest.mark.slow
def test_a_hundred_short_runs_pass_their_status(here: Path) -> None:
    statuses = [run(here, "sh", "-c", f"exit {number}").code for number in range(100)]
    assert statuses == list(range(100))


def test_an_anonymous_run_names_no_package_of_the_author(here: Path) -> None:
    site = site_packages(here.parent / "env")
    (here.parent / "secret_project").mkdir()
    (here.parent / "secret_project" / "gamma.py").write_text("")
    url = {"url": f"file://{here.parent}/secret_project", "dir_info": {"editable": True}}
    distribution(site, "secret-project", "0.1", direct_url__json=json.dumps(url))
    (site / "gamma.pth").write_text(f"{here.parent}/secret_project\n")
    words = ["run", "-q", "--anonymous", "-o", "m.json", "--", python_of(here)]
    assert envsnap(*words, "-c", "import gamma, alpha", cwd=here).code == 0
    assert section(here)["modules"] == ["...", "alpha"]
    assert "secret" not in (here / "m.json").read_text()


def test_a_command_whose_python_is_gone_is_recorded(here: Path) -> None:
    code = "import alpha, os, sys; os.unlink(sys.executable)"
    assert run(here, python_of(here), "-c", code).code == 0
    assert section(here)["exit_status"] == 0
