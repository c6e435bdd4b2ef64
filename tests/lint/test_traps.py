"""Every trap is found where it is, and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import envsnap.lint
from envsnap.lint import lint, traps
from envsnap.lint._lint import MODULES
from tests.lint.cases import CASES, Case
from tests.lint.definition_cases import APPS, DEFINITIONS
from tests.lint.folder_cases import FOLDERS, FolderCase

if TYPE_CHECKING:
    from pathlib import Path


def found(path: Path, code: str) -> tuple[tuple[int, str], ...]:
    return tuple((each.line, each.message) for each in lint([str(path)], [code]).problems)


@pytest.mark.parametrize("case", [*CASES, *DEFINITIONS, *APPS], ids=lambda case: case.code)
def test_a_trap_is_found_and_its_neighbour_is_none(case: Case, tmp_path: Path) -> None:
    recipe = tmp_path / case.name
    recipe.write_text(case.bad)
    assert found(recipe, case.code) == case.said
    recipe.write_text(case.good)
    assert found(recipe, case.code) == ()


@pytest.mark.parametrize("case", FOLDERS, ids=lambda case: case.code)
def test_a_trap_of_a_folder_is_found_and_its_neighbour_is_none(
    case: FolderCase, tmp_path: Path
) -> None:
    for number, files in enumerate((case.bad, case.good)):
        folder = tmp_path / str(number)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    told = [
        (each.path[len(str(tmp_path / "0")) + 1 :], each.line, each.message)
        for each in lint([str(tmp_path / "0")], [case.code]).problems
    ]
    assert tuple(told) == case.said
    assert lint([str(tmp_path / "1")], [case.code]).problems == ()


def test_every_rule_has_its_case_and_says_what_to_do_and_who_says_so() -> None:
    assert set(traps()) == {each.code for each in (*CASES, *DEFINITIONS, *FOLDERS)}
    for each in traps().values():
        assert each.title
        assert each.remedy[0].isupper()
        assert not each.remedy.removesuffix("...").endswith(".")
        assert each.source


def test_every_open_module_of_the_folder_is_read() -> None:
    folder = os.path.dirname(envsnap.lint.__file__)
    names = {name[:-3] for name in os.listdir(folder) if name.endswith(".py")}
    assert {name for name in names if not name.startswith("_")} == set(MODULES)


def test_a_password_is_in_no_message(tmp_path: Path) -> None:
    recipe = tmp_path / "Dockerfile"
    recipe.write_text(
        "FROM a\nENV API_KEY=hunter2 U=https://me:hunter2@x.example/\n"
        "RUN pip install git+https://me:hunter2@x.example/a --index-url https://hunter2@b.example\n"
    )
    problems = lint([str(recipe)]).problems
    assert {each.code for each in problems} >= {"BLD001", "BLD007", "BLD030", "BLD031"}
    assert "hunter2" not in str(problems)


@pytest.mark.parametrize("comment", ["# envsnap: ignore[DKR002, BLD010] it is meant so"])
def test_a_comment_keeps_a_rule_quiet_there_and_not_elsewhere(comment: str, tmp_path: Path) -> None:
    recipe = tmp_path / "Dockerfile"
    recipe.write_text(f"{comment}\nFROM a\n\nFROM b AS c\nUSER 1")
    assert found(recipe, "BLD010") == ((4, "The base image b is named without its digest"),)
    recipe.write_text(f"FROM a\nFROM b\n{comment.replace('ignore', 'ignore-file')}")
    assert found(recipe, "BLD010") == ()
    assert found(recipe, "DKR010") == ((2, "The image runs as whoever its base says, mostly root"),)


def test_a_lock_with_a_hash_beside_the_recipe_is_one_with_hashes(tmp_path: Path) -> None:
    recipe = tmp_path / "Dockerfile"
    recipe.write_text(
        "FROM a\nCOPY requirements.txt /opt/\nRUN pip install -r /opt/requirements.txt"
    )
    assert found(recipe, "BLD001") == ((3, "pip installs -r /opt/requirements.txt without hashes"),)
    (tmp_path / "requirements.txt").write_text(f"idna==3.7 --hash=sha256:{'ab' * 32}\n")
    assert found(recipe, "BLD001") == ()


def test_a_snapshot_in_a_file_that_is_copied_keeps_the_versions(tmp_path: Path) -> None:
    recipe = tmp_path / "Dockerfile"
    recipe.write_text("FROM a\nCOPY day.sources /etc/apt/\nRUN apt-get install -y curl=7.88.1-10")
    (tmp_path / "day.sources").write_text("URIs: http://deb.example/debian\n")
    assert found(recipe, "BLD009") == ((3, "curl=7.88.1-10 will be gone from the archive"),)
    (tmp_path / "day.sources").write_text("URIs: http://lab.example/debian/20260101T000000Z/\n")
    assert found(recipe, "BLD009") == ()


def test_an_allow_list_is_what_dockerignore_should_be(tmp_path: Path) -> None:
    recipe = tmp_path / "Dockerfile"
    recipe.write_text("FROM a\nCOPY . /app")
    (tmp_path / ".dockerignore").write_text(".git\n")
    said = "All is copied but what .dockerignore names: new files, too"
    assert found(recipe, "DKR009") == ((2, said),)
    (tmp_path / ".dockerignore").write_text("# nothing\n*\n!app\n")
    assert found(recipe, "DKR009") == ()


def test_what_lies_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("idna==3.7 --hash=sha256:1")
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "requirements.txt").symlink_to(tmp_path / "requirements.txt")
    (folder / "Dockerfile").write_text("FROM a\nRUN pip install -r requirements.txt")
    assert found(folder / "Dockerfile", "BLD001") == (
        (2, "pip installs -r requirements.txt without hashes"),
    )
