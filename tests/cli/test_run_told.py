"""What envsnap run says of what it could not record: other environments, and what goes on."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import Ended, environment, site_packages
from tests.cli.test_run import place, python_of, run, section

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are watched on Linux")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return place(tmp_path)


@pytest.fixture
def other(here: Path) -> str:
    """The Python of a second environment, with packages of its own."""
    folder = environment(here.parent / "other", Gamma="1.0", delta="1.0")
    for name in ("Gamma", "delta"):
        (site_packages(folder) / name).mkdir()
        (site_packages(folder) / name / "__init__.py").write_text("")
    return str(folder / "bin" / "python")


def unfolded(ended: Ended) -> str:
    lines = ended.err.splitlines()
    assert all(len(line) < 80 or " " not in line.strip() for line in lines), lines
    return " ".join(" ".join(lines).split())


def is_told(python: str, ended: Ended) -> bool:
    return (
        "warning: it ran Pythons of other environments, too, whose packages are not recorded: "
        f"{python} (--python names the one to capture)"
    ) in unfolded(ended)


@pytest.mark.parametrize("last", ["", "exec "])
def test_of_two_environments_the_one_that_imported_most_is_captured(
    here: Path, other: str, last: str
) -> None:
    words = f"{other} -c 'import Gamma, delta'; {last}{python_of(here)} -c 'import alpha'"
    ended = run(here, "sh", "-c", words)
    assert (ended.code, is_told(python_of(here), ended)) == (0, True)
    seen = section(here)
    assert (seen["modules"], seen["other_pythons"]) == (["delta", "Gamma"], ["{other}/python"])
    installed = [each["name"] for each in section(here, "packages")["installed"]]
    assert set(seen["modules"]) <= set(installed)


def test_of_two_that_imported_as_much_the_first_is_captured(here: Path, other: str) -> None:
    words = f"{other} -c 'import Gamma'; exec {python_of(here)} -c 'import alpha'"
    ended = run(here, "sh", "-c", words)
    assert (is_told(python_of(here), ended), section(here)["modules"]) == (True, ["Gamma"])


def test_the_command_s_own_python_is_captured_whatever_it_starts(here: Path, other: str) -> None:
    code = f"import alpha, subprocess; subprocess.run([{other!r}, '-c', 'import Gamma, delta'])"
    ended = run(here, python_of(here), "-c", code)
    assert (is_told(other, ended), section(here)["modules"]) == (True, ["alpha"])


def test_the_python_that_the_command_becomes_is_captured(here: Path, other: str) -> None:
    code = (
        "import Gamma, delta, os; "
        f"os.execv({python_of(here)!r}, [{python_of(here)!r}, '-c', 'import alpha'])"
    )
    ended = run(here, other, "-c", code)
    assert (is_told(other, ended), section(here)["modules"]) == (True, ["alpha"])


def test_a_python_that_imported_nothing_installed_is_not_told(here: Path, other: str) -> None:
    words = f"{other} -c 'import json'; {python_of(here)} -c 'import alpha'"
    ended = run(here, "sh", "-c", words)
    assert ("warning" in ended.err, section(here)["other_pythons"]) == (False, [])


def test_the_python_that_was_named_is_captured(here: Path, other: str) -> None:
    from tests.cli.processes import envsnap

    words = ["run", "-o", "m.json", "--python", other, "--", python_of(here), "-c", "import alpha"]
    ended = envsnap(*words, cwd=here)
    assert (is_told(python_of(here), ended), section(here)["modules"]) == (True, [])


@pytest.mark.parametrize(
    ("many", "words"), [(1, "1 process of it still runs"), (2, "2 processes of it still run")]
)
def test_what_outlives_the_command_is_told(here: Path, many: int, words: str) -> None:
    daemon = "setsid sleep 60 >/dev/null 2>&1 & echo $! >> pids; "
    ended = run(here, "sh", "-c", daemon * many)
    for pid in (here / "pids").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    assert f"warning: {words}: what is done from now on is not recorded" in unfolded(ended)


def test_what_ends_just_behind_the_command_is_not_told(here: Path) -> None:
    ended = run(here, "sh", "-c", "sleep 0.1 & exit 0")
    assert ended.err.count("warning") == 0


def test_a_command_without_a_name_is_told_as_a_shell_does(here: Path) -> None:
    ended = run(here, "")
    assert (ended.code, ended.err) == (127, "error: '': command not found\n")


def test_a_warning_fits_the_terminal(here: Path) -> None:
    ended = run(here, "sh", "-c", f"cd /; rmdir {here}; exit 5", TMPDIR="/none", TMP="/none")
    lines = [line for line in ended.err.splitlines() if not line.startswith("Wrote ")]
    assert (ended.code, "warning: Cannot write m.json" in ended.err) == (5, True)
    assert all(len(line) < 80 or " " not in line.strip() for line in lines)
