"""Where a program notes the id of the image that it built, and what is read from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from envsnap.engines._noted import id_file, noted_id
from envsnap.errors import ToolError


def test_the_place_is_the_same_for_a_program_that_runs_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("context").mkdir()
    with id_file("context") as noted:
        assert Path(noted).parent == tmp_path / "context"
        Path(noted).write_text("ab" * 32)
        assert noted_id(noted, "docker") == "sha256:" + "ab" * 32
    assert list(Path("context").iterdir()) == []


def test_the_note_of_a_build_that_was_killed_is_no_answer(tmp_path: Path) -> None:
    with id_file(str(tmp_path)) as noted:
        pass
    Path(noted).write_text("sha256:old")
    with id_file(str(tmp_path)) as again, pytest.raises(ToolError, match="made no image"):
        noted_id(again, "docker")
