"""The README says what is true: its help, its exit codes, its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import COMMANDS, command_module, main
from envsnap.errors import ExitCode
from envsnap.manifest import save
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

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
    assert [line for line in rest.splitlines() if len(line) > 80] == []


def test_every_exit_code_stands_in_the_readme_and_no_other() -> None:
    table = readme().partition("<!-- exit codes -->")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    listed = [int(code) for row in rows for code in row.split(",")]
    assert listed == sorted(ExitCode)
    head = table.strip().splitlines()[0]
    assert {each.strip() for each in head.split("|")[3:-1]} == set(COMMANDS) - {"completion"}


def codes_of(command: str) -> set[int]:
    """The codes that the README's table gives a command."""
    table = readme().partition("<!-- exit codes -->")[2].partition("\n\n")[0]
    head, _, *rows = [line.split("|")[1:-1] for line in table.strip().splitlines()]
    place = [each.strip() for each in head].index(command)
    given = [row[0] for row in rows if row[place].strip() == "x"]
    return {int(code) for each in given for code in each.split(",")}


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"completion"}))
def test_a_code_that_a_commands_module_names_stands_in_its_column(command: str) -> None:
    folder = os.path.join(ROOT, "envsnap", "cli")
    waiting, named, seen = [command_module(command).__name__.rpartition(".")[2]], set(), set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        with open(os.path.join(folder, f"{module}.py"), encoding="utf-8") as file:
            text = file.read()
        named |= set(re.findall(r"ExitCode\.([A-Z_]+)", text))
        waiting += re.findall(r"from envsnap\.cli\.(_[a-z_]+) import", text)
    assert {ExitCode[name].value for name in named} <= codes_of(command)


def test_what_lock_answers_stands_in_its_column(tmp_path: Path) -> None:
    path = str(tmp_path / "m.json")
    save(made.manifest(made.PACKAGES, python=made.python(implementation="pypy")), path)
    found = {
        main(["lock", path, "-q"]), main(["lock", "--no-such"]),
        main(["lock", str(tmp_path / "none.json")]), main(["lock", path, "-o", "a.zip"]),
    }  # fmt: skip
    assert found == {6, 2, 3}
    assert found | {0, 1, 5, 7, 70, 129, 130, 143} == codes_of("lock")


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
    named = {command_module(name).__name__.rpartition(".")[2] for name in COMMANDS}
    assert named == {name for name in modules if not name.startswith("_")}


def test_every_option_and_format_on_the_page_about_images_is_one() -> None:
    from envsnap.cli import command_parser
    from envsnap.formats import formats

    with open(os.path.join(ROOT, "docs", "building.md"), encoding="utf-8") as file:
        page = file.read()
    ours = page.replace("`--no-deps`", "").replace("`--no-build`", "")  # pip's, repo2docker's
    known = {
        word
        for command in ("build", "verify", "lint", "doctor", "capture", "check")
        for action in command_parser(command)._actions  # noqa: SLF001 - argparse tells nobody
        for word in action.option_strings
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", ours))
    assert named - known == set()
    rows = re.findall(r"^\| ([a-z0-9]+) \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(formats())
