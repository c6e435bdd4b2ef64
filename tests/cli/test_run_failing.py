"""envsnap run where something fails: what it writes, what it answers, and the command unharmed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests import made
from tests.cli.processes import (
    CHECKOUT,
    Ended,
    command,
    envsnap,
    names_in,
    site_packages,
    variables,
)
from tests.cli.test_run import place, python_of, run, section

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return place(tmp_path)


def unfolded(ended: Ended) -> str:
    return " ".join(ended.err.split())


def test_what_cannot_be_written_is_refused_before_the_command(here: Path) -> None:
    (here / "m.json").write_text("somebody's notes\n")
    ended = run(here, "sh", "-c", "touch started")
    assert (ended.code, names_in(here)) == (7, ["m.json"])
    ended = envsnap("run", "-o", "none/m.json", "--", "touch", "started", cwd=here)
    assert (ended.code, names_in(here)) == (7, ["m.json"])
    assert ended.err.startswith(f"error: There is no folder {here}/none\n")


def test_the_manifest_of_another_machine_stays_and_the_run_is_not_lost(here: Path) -> None:
    from envsnap.manifest import save

    save(made.manifest(), str(here / "m.json"))
    before = (here / "m.json").read_bytes()
    ended = run(here, "true")
    assert (ended.code, names_in(here)) == (0, ["m.json", "m.run-1.json"])
    assert (here / "m.json").read_bytes() == before
    assert "warning: m.json names another machine: " in ended.err
    assert unfolded(ended).endswith(": this run is in m.run-1.json instead")
    assert section(here, file="m.run-1.json")["exit_status"] == 0


@pytest.mark.parametrize(
    ("output", "code", "message"),
    [
        ("out-{bogus}.json", 2, "Unknown placeholder 'bogus' in -o 'out-{bogus}.json'"),
        ("out-{date.json", 2, "Unknown placeholder expected '}' before end of string in -o"),
        ("none/{date}.json", 7, "There is no folder HERE/none"),
        ("none/{environment}/m.json", 7, "There is no folder HERE/none"),
        ("{node}/none/{environment}.json", 7, "There is no folder HERE/"),
        (".", 7, "Cannot write .: it is a folder"),
        ("{job}.json", 7, "nojob.json is there already and is no manifest that can be read"),
    ],
)
def test_a_name_that_would_fail_is_refused_before_the_command(
    here: Path, output: str, code: int, message: str
) -> None:
    (here / "nojob.json").write_text("somebody's notes\n")
    ended = envsnap("run", "-o", output, "--", "touch", "started", cwd=here)
    assert (ended.code, names_in(here)) == (code, ["nojob.json"])
    assert ended.err.startswith(f"error: {message.replace('HERE', str(here))}")


def test_placeholders_are_filled_and_the_environment_is_known_after(here: Path) -> None:
    output = "{rank}-{environment}.json"
    ended = envsnap("run", "-o", output, "--", python_of(here), "-c", "", cwd=here)
    (name,) = names_in(here)
    environment_of = json.loads((here / name).read_text())["environment"]
    assert (ended.code, name) == (0, f"0-{environment_of}.json")


def test_a_folder_that_went_away_costs_no_record(here: Path) -> None:
    (here / "out").mkdir()
    words = ["run", "-q", "-o", "out/{job}.json", "--", "sh", "-c", "rmdir out; exit 5"]
    ended = envsnap(*words, cwd=here)
    assert (ended.code, names_in(here)) == (5, ["nojob.json"])
    assert unfolded(ended).endswith(
        " warning: Cannot write out/nojob.json: No such file or directory: "
        "this run is in nojob.json instead"
    )
    assert section(here, file="nojob.json")["exit_status"] == 5


def test_where_neither_folder_takes_it_a_temporary_one_does(here: Path) -> None:
    (here.parent / "spare").mkdir()
    words = ["run", "-q", "-o", "m.json", "--", "sh", "-c", f"rmdir {here}; exit 5"]
    ended = envsnap(*words, cwd=here, env=variables(TMPDIR=f"{here.parent}/spare"))
    (folder,) = names_in(here.parent / "spare")
    assert (ended.code, names_in(here.parent / "spare" / folder)) == (5, ["m.json"])
    assert f": this run is in {here.parent}/spare/{folder}/m.json instead" in unfolded(ended)


def test_where_nothing_takes_it_the_status_passes(here: Path) -> None:
    (here.parent / "spare").mkdir()
    script = f"rmdir {here}; rm -r {here.parent}/spare; exit 5"
    ended = envsnap(
        "run", "-q", "-o", "m.json", "--", "sh", "-c", script,
        cwd=here, env=variables(TMPDIR=f"{here.parent}/spare", TMP="/none", TEMP="/none"),
    )  # fmt: skip
    assert ended.code == 5


def test_a_fault_in_looking_waits_for_the_command(here: Path) -> None:
    (here.parent / "site").mkdir()
    (here.parent / "site" / "sitecustomize.py").write_text(
        "import sys, time\n"
        "def broken():\n    raise RuntimeError('the clock is gone')\n"
        "if 'run' in sys.orig_argv:\n    time.thread_time = broken\n"
    )
    ended = run(
        here, "sh", "-c", "sleep 1; touch done; exit 5",
        PYTHONPATH=f"{CHECKOUT}:{here.parent}/site",
    )  # fmt: skip
    assert (ended.code, names_in(here)) == (5, ["done", "m.json"])
    assert ended.err.splitlines()[0] == (
        "warning: what it used was not seen: RuntimeError: the clock is gone"
    )
    seen = section(here)
    why = {"unknown": "crashed", "detail": "looking at it ended early: RuntimeError"}
    names = ("modules", "programs", "libraries", "peak_memory_mib")
    assert [seen[name] for name in names] == [why] * len(names)
    assert (seen["exit_status"], seen["wall_ms"] >= 1000) == (5, True)


@pytest.mark.parametrize(("name", "word"), [("TERM", "terminated"), ("INT", "interrupted")])
def test_a_signal_during_the_capture_leaves_the_command_its_status(
    here: Path, name: str, word: str
) -> None:
    hook = "import os, time; os.path.exists('over') and (open('capturing', 'w'), time.sleep(60))\n"
    (site_packages(here.parent / "env") / "slow.pth").write_text(hook)
    code = "open('over', 'w'); raise SystemExit(5)"
    child = subprocess.Popen(
        command("run", "-o", "m.json", "--", python_of(here), "-c", code), cwd=here,
        env=variables(), stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (here / "capturing").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.Signals[f"SIG{name}"])
    _, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (5, f"warning: the run was not recorded: {word}\n")


def test_an_error_stream_that_nobody_reads_costs_neither_status_nor_record(here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for words, code in ((["sh", "-c", "exit 5"], 5), (["no-such-command"], 127)):
            ran = subprocess.run(
                command("run", "-o", "m.json", "--", *words), cwd=here, env=variables(),
                stdin=subprocess.DEVNULL, stderr=writing, timeout=60, check=False,
            )  # fmt: skip
            assert ran.returncode == code
    finally:
        os.close(writing)
    assert section(here)["exit_status"] == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written_to_is_told_before(here: Path) -> None:
    here.chmod(0o555)
    ended = run(here, "true")
    here.chmod(0o755)
    assert (ended.code, ended.err.splitlines()[0]) == (7, f"error: {here} may not be written to")
