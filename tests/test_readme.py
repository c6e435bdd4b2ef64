"""The README says what is true: its help, its exit codes, its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from envsnap.cli import COMMANDS
from envsnap.errors import ExitCode

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def readme() -> str:
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def block(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```\n(.*?)```\n", readme(), re.DOTALL)
    assert found is not None, f"README has no block {marker!r}"
    return found[1]


def test_the_help_in_the_readme_is_what_the_program_prints() -> None:
    first, _, rest = block("help").partition("\n")
    assert first == "$ envsnap --help"
    printed = subprocess.run(
        [sys.executable, "-m", "envsnap", "--help"], capture_output=True, text=True, check=True
    )
    assert rest == printed.stdout


def test_every_exit_code_stands_in_the_readme_and_no_other() -> None:
    table = readme().partition("<!-- exit codes -->")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    listed = [int(code) for row in rows for code in row.split(",")]
    assert listed == sorted(ExitCode)
    head = table.strip().splitlines()[0]
    assert {each.strip() for each in head.split("|")[3:-1]} == set(COMMANDS) - {"completion"}


def test_the_examples_of_the_readme_start_with_commands_that_exist() -> None:
    typed = re.findall(r"(?:^\$ |`)envsnap ([a-z]+)", readme(), re.MULTILINE)
    assert typed
    assert set(typed) <= set(COMMANDS)


def test_every_make_target_in_the_readme_exists() -> None:
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z-]+):", file.read(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", readme(), re.MULTILINE)) <= targets


def test_the_commands_of_the_first_help_page_are_modules() -> None:
    folder = os.path.join(ROOT, "envsnap", "cli")
    modules = {name[:-3] for name in os.listdir(folder) if name.endswith(".py")}
    assert set(COMMANDS) == {name for name in modules if not name.startswith("_")}
