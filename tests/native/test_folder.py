"""The folder that an environment is restored into."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from envsnap.engines._folder import MARK, begin, claim, finish, undo
from envsnap.errors import FileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path) -> Path:
    """An environment that was finished, of one file."""
    work = begin(str(folder))
    (folder / "pyvenv.cfg").write_text("old")
    assert os.listdir(work) == []
    finish(str(folder), "0123456789ab")
    return folder


def test_a_folder_that_is_not_there_or_empty_is_free(tmp_path: Path) -> None:
    assert claim(str(tmp_path / "env"), force=False) is False
    (tmp_path / "empty").mkdir()
    assert claim(str(tmp_path / "empty"), force=False) is False


@pytest.mark.parametrize("name", ["", " "])
def test_a_name_that_is_empty_is_no_folder(name: str) -> None:
    with pytest.raises(UsageError, match="The name of the folder is empty"):
        claim(name, force=True)


def test_no_environment_lies_where_path_cannot_name_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PATH could not hold its programs"):
        claim(str(tmp_path / "a:b"), force=False)


def test_a_link_is_not_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(UsageError, match="link is a link"):
        claim(str(tmp_path / "link"), force=False)


def test_a_finished_environment_is_replaced_by_force_alone(tmp_path: Path) -> None:
    folder = made(tmp_path / "env")
    with pytest.raises(FileError, match="holds an environment that was restored before"):
        claim(str(folder), force=False)
    assert claim(str(folder), force=True) is False


def test_force_takes_nothing_that_lies_beside_the_environment(tmp_path: Path) -> None:
    folder = made(tmp_path / "env")
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match=r"holds thesis\.tex beside what envsnap wrote"):
        claim(str(folder), force=True)


def test_a_mark_that_was_copied_makes_no_folder_ours(tmp_path: Path) -> None:
    folder = made(tmp_path / "env")
    shutil.copytree(folder, tmp_path / "clone")
    for force in (False, True):
        with pytest.raises(FileError, match="holds files that envsnap did not write"):
            claim(str(tmp_path / "clone"), force=force)


def test_the_folder_that_one_stands_in_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(tmp_path / "env")
    monkeypatch.chdir(folder)
    for name in (".", str(folder)):
        with pytest.raises(FileError, match="is the folder you stand in"):
            claim(name, force=True)


def test_another_run_is_not_disturbed(tmp_path: Path) -> None:
    begin(str(tmp_path / "env"))
    with pytest.raises(FileError, match=f"Another run, process {os.getpid()}, is restoring into"):
        claim(str(tmp_path / "env"), force=True)


def test_the_old_environment_comes_back_where_the_new_one_fails(tmp_path: Path) -> None:
    folder = made(tmp_path / "env")
    begin(str(folder))
    assert not (folder / "pyvenv.cfg").exists()
    undo(str(folder), existed=True)
    assert (folder / "pyvenv.cfg").read_text() == "old"
    assert os.listdir(tmp_path) == ["env"]
    assert claim(str(folder), force=True) is False


def test_the_new_environment_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    folder = made(tmp_path / "env")
    begin(str(folder))
    (folder / "pyvenv.cfg").write_text("new")
    finish(str(folder), "ba9876543210")
    assert sorted(os.listdir(folder)) == [".gitignore", MARK, "pyvenv.cfg"]
    assert (folder / "pyvenv.cfg").read_text() == "new"
    assert os.listdir(tmp_path) == ["env"]


def test_nothing_is_left_of_a_first_one_that_failed(tmp_path: Path) -> None:
    begin(str(tmp_path / "env"))
    undo(str(tmp_path / "env"), existed=False)
    assert os.listdir(tmp_path) == []


def test_what_lies_in_the_way_is_somebodys_own(tmp_path: Path) -> None:
    folder = made(tmp_path / "env")
    aside = tmp_path / "env.envsnap-old"
    aside.mkdir()
    (aside / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match=r"env\.envsnap-old is in the way"):
        claim(str(folder), force=True)
    shutil.rmtree(folder)
    assert claim(str(folder), force=False) is False
    begin(str(folder))
    undo(str(folder), existed=False)
    assert os.listdir(tmp_path) == ["env.envsnap-old"]
    assert os.listdir(aside) == ["thesis.tex"]


def test_what_a_killed_run_had_put_aside_comes_back_where_the_next_one_fails(
    tmp_path: Path,
) -> None:
    folder = made(tmp_path / "env")
    begin(str(folder))
    shutil.rmtree(folder)  # killed before there was a folder
    begin(str(folder))
    undo(str(folder), existed=False)
    assert (folder / "pyvenv.cfg").read_text() == "old"
    assert os.listdir(tmp_path) == ["env"]


def test_an_environment_that_cannot_be_put_aside_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(tmp_path / "env")

    def refuse(source: str, target: str) -> None:
        raise PermissionError(13, "Permission denied", source, None, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(FileError, match="Cannot write into"):
        begin(str(folder))
    undo(str(folder), existed=True)
    assert (folder / "pyvenv.cfg").read_text() == "old"
    assert claim(str(folder), force=True) is False
