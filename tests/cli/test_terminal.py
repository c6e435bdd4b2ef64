"""What a person sees: lines that fit, and commands that can be pasted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envsnap.cli import main
from envsnap.cli._terminal import folded
from envsnap.manifest import save
from tests import made
from tests.cli.processes import HOSTS, environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_long_lines_are_broken_between_words_under_their_own_start() -> None:
    assert folded("short\n  one two three four", 14) == "short\n  one two\n    three\n    four"
    address = "https://index.example/simple"
    assert folded(f"look at {address} first", 20) == f"look at\n  {address}\n  first"


def test_the_next_commands_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    environment(tmp_path / "env", idna="3.7")
    assert main(["capture", "--python", "env", "-o", "my paper.json"]) == 0
    assert capsys.readouterr().err.endswith(
        "Next  envsnap lock 'my paper.json'\n"
        "      envsnap build 'my paper.json' --docker\n"
        "      envsnap check 'my paper.json'\n"
    )


def test_a_machine_without_an_environment_is_not_sent_to_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["capture", "--from", str(HOSTS / "macos-apple-m3")]) == 0
    said = capsys.readouterr().err
    assert "\n  Health     nothing wrong in what " in said
    assert " too little to tell: " in " ".join(said.split())
    assert said.endswith("\nNext  envsnap check    later, here or elsewhere: still the same?\n")


def test_a_current_folder_that_is_gone_is_no_fault_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        assert main(["capture", "-o", "x.json"]) == 7
        assert capsys.readouterr().err == (
            "error: Cannot write x.json: No such file or directory\n"
            "hint: Name another place with -o\n"
        )
        assert main(["show"]) == 7
        assert capsys.readouterr().err == (
            "error: Cannot look into the current folder: No such file or directory\n"
            "hint: Change to another one\n"
        )
    finally:
        os.chdir(tmp_path)


def test_a_manifest_whose_python_is_no_version_asks_no_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save(made.manifest(python=made.python(version="--index=x")), "envsnap.lock.json")
    assert main(["lock", "-q"]) == 6
    assert capsys.readouterr().err == (
        "error: Expected a Python version to the patch, not '--index=x', "
        "in 'sections.python.version'\n"
    )


def test_a_folded_line_keeps_a_unit_beside_its_number_and_a_path_whole() -> None:
    costs = "Deep     gpu code 0.31 s, system libraries 1.04 s, libraries 0.01 s, math 0.02 s"
    assert folded(costs, 80).split("\n")[1:] == ["  0.02 s"]
    path = f"/{'p' * 200}/m.json"
    assert folded(f"Wrote {path}", 80) == f"Wrote\n  {path}"
