"""A command watched while it runs: real processes, real interpreters."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.host._watch import NotStartedError, Watched, watch
from envsnap.host._watch_processes import mapped
from envsnap.host._watch_reports import VARIABLE, Reports
from envsnap.sections import Reason, Unknown
from tests.cli.processes import environment, site_packages
from tests.host.questions import MIB
from tests.inside.test_paths import found

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux")
RELEASES = ["2.7", *(f"3.{minor}" for minor in range(6, 15))]


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An environment with packages that can be imported, each a folder of its own."""
    folder = environment(tmp_path / "env")
    site = site_packages(folder)
    for name in ("alpha", "beta", "gamma", "delta", "space/inner"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("")
        (site / name / "part.py").write_text("")
    (site / "single.py").write_text("")
    return str(folder / "bin" / "python")


def run_python(python: str, code: str) -> Watched:
    return watch([python, "-c", code])


def told(watched: Watched) -> list[str]:
    """The imported files of packages, below their folder."""
    assert not isinstance(watched.imported, Unknown), watched.imported
    parts = [path.partition("/site-packages/") for path in watched.imported]
    return [path for _, is_below, path in parts if is_below]


@pytest.mark.parametrize("status", [0, 1, 3, 127, 255])
def test_the_status_is_the_command_s_own(status: int) -> None:
    assert watch(["sh", "-c", f"exit {status}"]).status == status


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_a_signal_that_ended_it_is_told_as_a_shell_does(name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    assert watch(["sh", "-c", f"ulimit -c 0; kill -{name} $$"]).status == 128 + number


@pytest.mark.parametrize(
    "kind", ["absent", "empty", "nowhere", "plain", "folder", "interpreter", "binary"]
)
def test_what_cannot_be_started_is_told_as_a_shell_does(kind: str, tmp_path: Path) -> None:
    files: dict[str, tuple[bytes, int]] = {
        "plain": (b"#!/bin/sh\n", 0o644), "interpreter": (b"#!/none/such\n", 0o755),
        "binary": (b"\0\1\2", 0o755),
    }  # fmt: skip
    text, mode = files.get(kind, (b"", 0))
    path = tmp_path / "program"
    if kind == "folder":
        path.mkdir()
    elif kind in files:
        path.write_bytes(text)
        path.chmod(mode)
    with pytest.raises(NotStartedError) as refused:
        watch([{"nowhere": "no-such-command-at-all", "empty": ""}.get(kind, str(path))])
    assert (str(refused.value), refused.value.status) == {
        "absent": ("no such file", 127),
        "empty": ("command not found", 127),
        "nowhere": ("command not found", 127),
        "plain": ("permission denied", 126),
        "folder": ("permission denied", 126),
        "interpreter": ("the program that its first line names is not there", 126),
        "binary": ("exec format error", 126),
    }[kind]


def test_a_folder_of_path_that_cannot_be_searched_changes_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "round").symlink_to("round")
    monkeypatch.setenv("PATH", f"{tmp_path}/round:{os.environ['PATH']}")
    with pytest.raises(NotStartedError) as refused:
        watch(["no-such-command-at-all"])
    assert (str(refused.value), refused.value.status) == ("command not found", 127)
    assert watch(["sh", "-c", "exit 3"]).status == 3


def test_a_script_without_a_first_line_is_read_by_the_shell(tmp_path: Path) -> None:
    script = tmp_path / "program"
    script.write_text('exit "$1"\n')
    script.chmod(0o755)
    assert watch([str(script), "9"]).status == 9


def test_imports_are_told_by_their_first_file(python: str) -> None:
    code = "import alpha, beta.part, single, space.inner.part, json; from alpha import part"
    assert told(run_python(python, code)) == [
        "alpha/__init__.py", "beta/__init__.py", "single.py", "space/inner/__init__.py",
    ]  # fmt: skip


def test_imports_without_an_import_statement_are_told(python: str) -> None:
    code = "import importlib, os; importlib.import_module('gamma'); os._exit(0)"
    assert told(run_python(python, code)) == ["gamma/__init__.py"]


def test_children_tell_too_however_they_came_to_be(python: str) -> None:
    code = """
import os, subprocess, sys
import alpha
if os.fork() == 0:
    import beta
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "import gamma"], check=True)
os.execv(sys.executable, [sys.executable, "-c", "import delta"])
"""
    watched = run_python(python, code)
    names = ["alpha", "beta", "delta", "gamma"]
    assert told(watched) == [f"{name}/__init__.py" for name in names]
    assert watched.python == python


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_tell(python: str, method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "def work(_):\n    import gamma\n"
        "if __name__ == '__main__':\n"
        f"    with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "        pool.map(work, range(2))\n"
    )
    assert told(watch([python, str(script)])) == ["gamma/__init__.py"]


def test_a_python_that_was_killed_has_told_what_it_imported(python: str) -> None:
    watched = run_python(python, "import alpha, os; os.kill(os.getpid(), 9)")
    assert (watched.status, told(watched)) == (137, ["alpha/__init__.py"])


@pytest.mark.parametrize("options", ["-I", "-S", "-E"])
def test_a_python_that_hears_nothing_leaves_it_unknown(python: str, options: str) -> None:
    assert watch([python, options, "-c", "import json"]).imported == Unknown(
        Reason.NOT_SUPPORTED,
        "no Python of it told: there was none, or it was started with -I, -S or -E",
    )


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PYTHONPATH, with a module in it."""
    for name in [each for each in os.environ if each.startswith("PYTHON")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "module.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return folder


ASKED = """
import module, sys
print(sys.path, sys.argv, 'sitecustomize' in sys.modules, sorted(sys.path_importer_cache))
print([getattr(each, '__name__', type(each).__name__) for each in sys.meta_path])
"""


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("theirs", ["none", "one", "broken"])
def test_every_python_does_as_it_would_have_done(
    release: str, theirs: str, own: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = found(release)
    if program is None:
        pytest.skip(f"there is no Python {release} here")
    text = {"one": "print('theirs')\n", "broken": "raise ValueError('theirs')\n"}.get(theirs)
    if text is not None:
        (own / "sitecustomize.py").write_text(text)
    argv = [program, "-c", ASKED]
    plain = subprocess.run(argv, capture_output=True, text=True, check=False)
    watched = watch(argv)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == (plain.stdout, plain.stderr)
    assert watched.status == plain.returncode == 0
    assert not isinstance(watched.imported, Unknown)
    assert f"{own}/module.py" in watched.imported


def test_a_program_that_closes_every_file_keeps_its_own(python: str, tmp_path: Path) -> None:
    code = f"""
import os
os.closerange(3, 256)
number = os.open({str(tmp_path / "own")!r}, os.O_RDWR | os.O_CREAT)
import alpha, beta
os.write(number, b"mine")
print(number)
"""
    watched = run_python(python, code)
    assert (watched.status, (tmp_path / "own").read_bytes()) == (0, b"mine")
    assert told(watched) == ["alpha/__init__.py", "beta/__init__.py"]


def test_files_that_were_left_open_for_it_stay_open(tmp_path: Path) -> None:
    with open(tmp_path / "own", "wb") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - it takes no keyword
        assert watch(["sh", "-c", f"echo text > /proc/self/fd/{file.fileno()}"]).status == 0
    assert (tmp_path / "own").read_bytes() == b"text\n"


def test_programs_are_told_and_their_arguments_are_not(python: str, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        shutil.copy2(shutil.which("true") or "/bin/true", tmp_path / name)
    code = f"""
import os, subprocess
os.chdir({str(tmp_path)!r})
subprocess.run(["./one", "--token=secret"], check=True)
os.environ["PATH"] = {str(tmp_path)!r} + ":" + os.environ["PATH"]
subprocess.run(["two", "secret"], check=True)
subprocess.run(["../three"], cwd="env", check=True)
try:
    subprocess.run(["no-such-program"])
except OSError:
    subprocess.run("exit # secret", shell=True)
"""
    programs = run_python(python, code).programs
    assert not isinstance(programs, Unknown)
    ours = {path for path in programs if path.startswith(str(tmp_path)) and "env" not in path}
    assert ours == {f"{tmp_path}/{name}" for name in ("one", "two", "three")}
    assert "/bin/sh" in programs
    assert not [path for path in programs if "secret" in path or "no-such" in path]


def test_a_process_that_nobody_is_the_parent_of_is_seen(tmp_path: Path) -> None:
    for name in ("orphan", "late"):
        shutil.copy2(shutil.which("sleep") or "/bin/sleep", tmp_path / name)
    lost = f"setsid sh -c '{tmp_path}/orphan 1 & sleep 0.3; exec {tmp_path}/late 0.7' &"
    programs = watch(["sh", "-c", f"({lost}) ; sleep 1.5"]).programs
    assert not isinstance(programs, Unknown)
    assert {f"{tmp_path}/orphan", f"{tmp_path}/late"} <= set(programs)


def test_libraries_are_seen_in_a_program_that_is_no_python() -> None:
    libraries = watch(["sleep", "0.1"]).libraries
    assert not isinstance(libraries, Unknown)
    names = {os.path.basename(path).partition(".")[0].partition("-")[0] for path in libraries}
    assert names & {"libc", "ld"}


def test_a_library_that_is_opened_late_and_for_a_moment_is_seen(python: str) -> None:
    extension = next(
        path for path in mapped(Path("/proc/self/maps").read_bytes()) if "lib-dynload" in path
    )
    code = f"import ctypes; ctypes.CDLL({extension!r})"
    libraries = run_python(python, code).libraries
    assert not isinstance(libraries, Unknown)
    assert extension in libraries


def test_the_peak_is_what_the_process_held_at_most(python: str) -> None:
    peak = run_python(python, f"held = b'x' * {200 * MIB}; del held").peak_mib
    assert not isinstance(peak, Unknown)
    assert 200 <= peak <= 240


def test_memory_that_processes_share_counts_once(python: str) -> None:
    code = f"""
import os, time
held = b"x" * {150 * MIB}
for _ in range(4):
    if os.fork() == 0:
        time.sleep(0.5)
        os._exit(0)
for _ in range(4):
    os.wait()
"""
    peak = run_python(python, code).peak_mib
    assert not isinstance(peak, Unknown)
    assert 150 <= peak <= 350  # one after the other is asked while they come and go; five hold 750


def test_memory_of_separate_processes_adds_up(python: str) -> None:
    code = f"""
import subprocess, sys
code = "import time; held = b'x' * {100 * MIB}; time.sleep(0.7)"
for each in [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]:
    each.wait()
"""
    peak = run_python(python, code).peak_mib
    assert not isinstance(peak, Unknown)
    assert 200 <= peak <= 270


def test_watching_costs_little() -> None:
    watch(["true"])  # what is imported once
    before = resource.getrusage(resource.RUSAGE_SELF)
    watched = watch(["sleep", "1"])
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 0.12
    assert 1000 <= watched.wall_ms < 3000


def test_signals_are_as_before_when_the_command_has_ended() -> None:
    before = {number: signal.getsignal(number) for number in (1, 2, 3, 10, 12, 15, 17)}
    watch(["true"])
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_signal_goes_on_to_the_command() -> None:
    signals = "trap 'exit 41' USR1; kill -USR1 $PPID; for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done"
    assert watch(["sh", "-c", signals]).status == 41


def test_no_file_is_left_open() -> None:
    watch(["true"])
    before = os.listdir("/proc/self/fd")
    watch(["true"])
    assert os.listdir("/proc/self/fd") == before


def test_anything_may_be_written_to_the_pipe() -> None:
    reports = Reports()
    try:
        with open(f"/proc/self/fd/{reports._writer}", "wb", buffering=0) as pipe:  # noqa: SLF001
            pipe.write(b"\0\xff\n\nM\nM 1\nM x /a\nM 1 relative\nS 99999999999 /a\nH 1 12x\n")
            pipe.write(b"M 7 /good\xff/module.py\nH 7 2048\nP 7 /bin/tool\nX 1 /nothing\nM 7 /cu")
        reports.read()
        assert reports.modules == {"/good\udcff/module.py"}
        assert (reports.programs, reports.libraries, reports.pythons) == ({"/bin/tool"}, set(), {})
        assert reports.peak_kib == 2048
    finally:
        reports.close()


def test_what_runs_inside_a_run_tells_both() -> None:
    outer = Reports()
    try:
        inner = Reports()
        try:
            environ = inner.variables(outer.variables({"PYTHONPATH": "/own"}))
        finally:
            inner.close()
        assert environ == {
            "PYTHONPATH": f"{inner.folder}:{outer.folder}:/own",
            VARIABLE: f"{outer.name} {inner.name}",
        }
    finally:
        outer.close()
