"""The options of capture that say what to look at, right and wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envsnap.cli import main
from envsnap.sections import DEEP, OF_A_RUN, SECTIONS
from tests.cli.processes import HOSTS, environment, names_in

SECTION_LIST = ", ".join(SECTIONS)
RECORD = ("capture", "--from", str(HOSTS / "rocky-v100-driver-515"), "-q", "-o", "-", "--record")

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Said:
    """Run a command in a folder of its own: its exit code, its output and what it told."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def captured(said: Said, *words: str) -> dict[str, Any]:
    code, out, _ = said("capture", *words, "-o", "-", "-q")
    assert code == 0
    sections: dict[str, Any] = json.loads(out)["sections"]
    return sections


def not_asked(sections: dict[str, Any]) -> set[str]:
    left_out = {"unknown": "not-asked", "detail": "left out of this capture"}
    assert sections[OF_A_RUN] == {"unknown": "not-asked", "detail": "envsnap run records it"}
    return {name for name, section in sections.items() if section == left_out} | {OF_A_RUN}


def test_only_captures_what_was_named(said: Said) -> None:
    sections = captured(said, "--only", "os, tools")
    assert SECTIONS.keys() - not_asked(sections) == {"os", "tools"}


def test_skip_leaves_out_what_was_named(said: Said) -> None:
    sections = captured(said, "--only", "os,tools", "--skip", "os")
    assert SECTIONS.keys() - not_asked(sections) == {"tools"}


def test_host_only_looks_at_no_environment(said: Said) -> None:
    sections = captured(said, "--host-only")
    of_an_environment = {"python", "packages", "cuda", "environ", "project"}
    assert not_asked(sections) == of_an_environment | DEEP | {OF_A_RUN}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--only", "gpus"), "--only names no section: gpus"),
        (("--only", ""), "--only names no section: nothing"),
        (("--skip", "os,cpus,tool"), "--skip names no section: cpus, tool"),
    ],
)
def test_a_section_that_is_none_is_named(said: Said, words: tuple[str, ...], named: str) -> None:
    assert said("capture", *words) == (
        2,
        "",
        f"error: {named}\nhint: The sections are: {SECTION_LIST}\n",
    )
    assert names_in(Path()) == []


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("no-such-python", "no-such-python does not exist"),
        ("/no/such/python", "/no/such/python does not exist"),
        ("../empty", "../empty holds no interpreter"),
    ],
)
def test_a_python_that_is_none_is_told(
    said: Said, tmp_path: Path, python: str, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert said("capture", "--python", python) == (
        2,
        "",
        f"error: {message}\nhint: Name an interpreter or an environment's folder with --python\n",
    )
    assert names_in(Path()) == []


ASKED = "hint: Name another with --python, or capture the machine alone with --host-only\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "#!/bin/sh\necho 'bad interpreter' >&2\nexit 3\n",
            "crashed: Python ended with status 3: bad interpreter",
        ),
        ("\x7fELF nonsense", "not-supported: Exec format error"),
        ("#!/no/such/interpreter\n", "crashed: it could not be started"),
    ],
)
def test_a_python_that_does_not_answer_is_an_error_and_no_capture_without_it(
    said: Said, tmp_path: Path, text: str, why: str
) -> None:
    program = tmp_path / "python"
    program.write_text(text)
    program.chmod(0o755)
    assert said("capture", "--python", "../python") == (
        5,
        "",
        f"error: The environment's Python did not answer: {why}\n{ASKED}",
    )
    assert names_in(Path()) == []
    assert said("capture", "--python", "../python", "--host-only", "-q")[0] == 0


def test_an_environment_s_folder_and_its_interpreter_are_the_same(
    said: Said, tmp_path: Path
) -> None:
    environment(tmp_path / "env", idna="3.7")
    by_folder = captured(said, "--python", "../env", "--only", "packages")
    by_program = captured(said, "--python", "../env/bin/python", "--only", "packages")
    assert [each["name"] for each in by_folder["packages"]["installed"]] == ["idna"]
    assert by_folder == by_program


def test_a_folder_here_comes_before_a_program_of_its_name(said: Said) -> None:
    environment(Path("env"), idna="3.7")  # there is a program /usr/bin/env
    sections = captured(said, "--python", "env", "--only", "packages")
    assert [each["name"] for each in sections["packages"]["installed"]] == ["idna"]


def test_two_places_to_look_are_one_too_many(said: Said) -> None:
    assert said("capture", "--root", "/", "--from", "x") == (
        2,
        "",
        "error: --root, --image and --from are three different places to look\nhint: Give one\n",
    )


def test_anonymous_and_identify_contradict_each_other(said: Said) -> None:
    assert said("capture", "--anonymous", "--identify") == (
        2,
        "",
        "error: --anonymous and --identify contradict each other\nhint: Give one\n",
    )


def test_a_folder_that_is_not_there_is_no_root(said: Said) -> None:
    assert said("capture", "--root", "no") == (7, "", "error: No folder at no\n")


@pytest.mark.parametrize("place", ["data", "mine.tar", "half"])
def test_a_recording_replaces_nothing_that_is_no_recording(said: Said, place: str) -> None:
    for folder, names in (("data", ("files.json", "notes")), ("half", ("notes",))):
        Path(folder).mkdir()
        for name in names:
            Path(folder, name).write_text("years of work\n")
    Path("mine.tar").write_bytes(b"years of work\n")
    code, _, err = said(*RECORD, place)
    assert (code, err) == (
        7,
        (
            f"error: {place} is there already, and is no recording\n"
            "hint: Name another place with --record, or write into it with --force\n"
        ),
    )
    assert Path("data/files.json").read_text() == "years of work\n"
    assert sorted(os.listdir()) == ["data", "half", "mine.tar"]
    assert said(*RECORD, place, "--force")[0] == 0


@pytest.mark.parametrize("place", ["new", "empty", "new.tar", "empty.tar"])
def test_a_recording_is_made_anew_in_its_own_place(said: Said, place: str) -> None:
    Path("empty").mkdir()
    Path("empty.tar").touch()
    assert said(*RECORD, place)[0] == 0
    if os.path.isdir(place):
        Path(place, "expect.json").write_text("{}\n")
    assert said(*RECORD, place)[0] == 0
