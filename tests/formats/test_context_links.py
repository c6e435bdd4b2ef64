"""A folder of recipes that a run left early, or in which somebody put links and pipes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import FileError
from envsnap.formats._context import (
    RECORD,
    Carried,
    begin_context,
    claim,
    digests,
    read_record,
    remove,
    write_context,
    write_record,
)
from envsnap.formats._standing import look

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_that_ends_early_leaves_a_folder_that_the_next_one_takes(tmp_path: Path) -> None:
    folder, files = str(tmp_path / "ctx"), {"Dockerfile": "FROM x\n"}
    carried = {"a.whl": Carried(str(tmp_path / "gone"), "0" * 64)}
    begin_context(folder, {}, digests(files, carried))
    with pytest.raises(FileError):
        write_context(folder, files, carried)
    claim(folder, force=False)
    standing = look(folder, digests({"other": "1"}))
    assert standing.stale == ("Dockerfile",)
    begin_context(folder, {}, digests({"other": "1"}), standing.written)
    remove(folder, standing.stale)
    write_context(folder, {"other": "1"})
    write_record(folder, {}, digests({"other": "1"}))
    assert sorted(os.listdir(folder)) == [RECORD, "other"]


def test_of_a_run_that_ended_early_the_old_files_and_the_new_ones_are_ours(tmp_path: Path) -> None:
    folder, old, new = str(tmp_path), digests({"a": "1", "b": "1"}), digests({"a": "2", "b": "2"})
    write_context(folder, {"a": "1", "b": "1"})
    write_record(folder, {}, old)
    begin_context(folder, {}, new, look(folder, new).written)
    write_context(folder, {"a": "2"})  # and then it was killed
    assert look(folder, digests({"c": "3"})).stale == ("a", "b")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim, inner = tmp_path / "victim", tmp_path / "inner"
    victim.write_text("keep")
    inner.mkdir()
    folder = tmp_path / "ctx"
    folder.mkdir()
    for name in ("Dockerfile", RECORD):
        (folder / name).symlink_to(victim)
    begin_context(str(folder), {}, digests({"Dockerfile": "FROM x\n"}))
    write_context(str(folder), {"Dockerfile": "FROM x\n"})
    assert (victim.read_text(), (folder / "Dockerfile").read_text()) == ("keep", "FROM x\n")
    (folder / "layers").symlink_to(inner)
    with pytest.raises(FileError) as caught:
        write_context(str(folder), {"layers/a.txt": "1"})
    way = folder / "layers"
    assert caught.value.message == f"{way} is a link, and recipes are not written through one"
    assert (caught.value.hint, os.listdir(inner)) == (f"Remove it: rm {way}", [])


def test_a_record_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / RECORD)
    assert read_record(str(tmp_path)) is None
