"""envsnap lint, as people and programs call it."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.lint import book, traps

if TYPE_CHECKING:
    from pathlib import Path

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRAPPED = "FROM python:3.11-slim\nUSER 1\nENV A=1 2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_problem_is_one_line_that_editors_read_and_a_remedy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "Dockerfile").write_text(TRAPPED)
    assert main(["lint", "--select", "DKR004,BLD011"]) == 1
    said = capsys.readouterr()
    assert said.out == (
        "Dockerfile:1: BLD011 python:3.11-slim leaves its patch and its suite open\n"
        "    Name the patch and the suite: python:3.11.9-slim-bookworm\n"
        "Dockerfile:3: DKR004 stops the build: ENV has a word without a name: 2\n"
        '    Write NAME="value", with a backslash before \\, " and $\n'
    )
    assert said.err == (
        "2 problems in 1 recipe\nWhat a rule is for and who says so: envsnap explain DKR004\n"
    )
    assert main(["lint", "-q", "--select", "DKR", "--ignore", "DKR010", "Dockerfile"]) == 1
    said = capsys.readouterr()
    assert said.out == "Dockerfile:3: DKR004 stops the build: ENV has a word without a name: 2\n"
    assert said.err == ""


def test_programs_read_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Dockerfile").write_text(TRAPPED)
    assert main(["lint", "--format", "json", "--select", "DKR004"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "lint": "1.0",
        "read": ["Dockerfile"],
        "problems": [
            {
                "path": "Dockerfile", "line": 3, "code": "DKR004",
                "message": "ENV has a word without a name: 2",
                "remedy": traps()["DKR004"].remedy, "source": traps()["DKR004"].source,
                "stops": True,
            }
        ],
    }  # fmt: skip


def test_no_trap_is_exit_0_and_says_what_was_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "Dockerfile").write_text(TRAPPED)
    (folder / "a.def").write_text("Bootstrap: localimage\nFrom: a.sif\n")
    (folder / "windows.def").write_text("LIBRARY a\nEXPORTS\n")
    assert main(["lint", "--select", "SIF"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "no problems in 2 recipes\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["empty"], (2, "error: No recipe in empty")),
        (["none"], (7, "error: Cannot read none: No such file or directory")),
        (["--select", "XYZ"], (2, "error: Unknown rule 'XYZ'")),
        (["large/Dockerfile"], (7, "error: large/Dockerfile has more than 4 MiB and is no recipe")),
    ],
)
def test_what_cannot_be_read_is_no_clean_bill(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: tuple[int, str]
) -> None:
    (folder / "empty").mkdir()
    (folder / "large").mkdir()
    (folder / "large" / "Dockerfile").write_text("#" * (4 << 20) + "\n#")
    code = main(["lint", *words])
    assert (code, capsys.readouterr().err.splitlines()[0]) == told


def test_a_pipe_is_not_waited_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder / "Dockerfile")
    assert main(["lint", "Dockerfile"]) == 7
    said = "error: Cannot read Dockerfile: it is no regular file\n"
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        "RUN " + "pip install a && " * 20_000,
        "RUN " + "a" * 300_000,
        "RUN " + "<<a " * 20_000 + "\n" + "b\n" * 20_000,
        "RUN true\nENV A=" + "x://:" * 60_000,
    ],
    ids=["commands", "word", "heredocs", "addresses"],
)
def test_a_long_recipe_takes_no_longer_than_its_length(folder: Path, text: str) -> None:
    (folder / "Dockerfile").write_text(f"FROM a\n{text}")
    started = time.process_time()
    assert main(["lint", "-q"]) == 1
    assert time.process_time() - started < 20


def test_one_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--rules", "BLD004"]) == 0
    assert capsys.readouterr().out == (
        "BLD004  An apt-get install asks whether to go on, and nobody answers.\n\n"
        "The build stops there.\n\nAdd -y.\nSource: apt-get(8)\n"
    )


def test_explain_knows_the_codes_that_lint_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--rules", "DKR004"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("DKR004  A value of ENV or LABEL with a space is not in quotes")
    assert main(["explain", "dkr004"]) == 0
    assert capsys.readouterr().out == said
    assert main(["lint", "--rules", "R2D"]) == 0
    family = capsys.readouterr().out
    assert main(["explain", "R2D"]) == 0
    assert capsys.readouterr().out == family
    assert main(["explain", "XYZ001"]) == 2
    assert "error: No rule" in capsys.readouterr().err


def test_the_page_of_rules_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with open(os.path.join(ROOT, "docs", "lint.md"), encoding="utf-8") as file:
        page = file.read()
    assert main(["lint", "--rules"]) == 0
    assert capsys.readouterr().out == page == book(traps())


def test_a_file_of_any_name_is_known_by_what_stands_in_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "build").write_text(TRAPPED)
    (folder / "recipe").write_text("Bootstrap: docker\nFrom: a\n%pots\n")
    assert main(["lint", "-q", "--select", "DKR004,SIF002", "build", "recipe"]) == 1
    assert capsys.readouterr().out == (
        "build:3: DKR004 stops the build: ENV has a word without a name: 2\n"
        "recipe:3: SIF002 stops the build: %pots is no section: the build ends here\n"
    )


@pytest.mark.parametrize("named", ["environment.yml", "."])
def test_an_environment_of_conda_is_judged_by_its_own_rules_and_that_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    (folder / "environment.yml").write_text("dependencies:\n  - python>=3.11\n")
    assert main(["lint", named]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(
        "environment.yml:2: R2D009 'python>=3.11' names no exact version\n    Pin each: "
    )
    assert said.err.startswith(
        "1 problem in 1 recipe\n"
        "note: environment.yml: nothing beside it is repo2docker's, so it is judged as conda's "
        "own: by R2D009 alone\n"
    )
    (folder / "apt.txt").write_text("libgl1\n")
    assert main(["lint", "--format", "json", named]) == 1
    said = capsys.readouterr()
    assert [each["code"] for each in json.loads(said.out)["problems"]] == ["R2D007", "R2D009"]
    assert said.err == "2 problems in 1 recipe\n"


def test_a_folder_without_a_recipe_is_told_which_files_are_judged(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "job.sbatch").write_text("#!/bin/bash\n#SBATCH --time=1\nsrun a\n")
    (folder / "environment.yml").write_text("server: production\n")
    for named in (".", "job.sbatch"):
        assert main(["lint", named]) == 2
        assert capsys.readouterr().err == (
            f"error: No recipe in {named}\n"
            "hint: Judged are Dockerfiles, definitions (*.def), folders for repo2docker and "
            "conda's environment.yml; not job.sbatch (shellcheck reads it), nor devcontainer.json\n"
        )


def test_text_of_a_recipe_cannot_misuse_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.def").write_text("Bootstrap: docker\nFrom: a\n%\x1b[2Jx\n")
    assert main(["lint", "-q", "--select", "SIF002"]) == 1
    assert "\x1b" not in capsys.readouterr().out
