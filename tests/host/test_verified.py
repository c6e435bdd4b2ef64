"""Installed files hashed against RECORD: what is found, and what is said where it is not."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.host import (
    Hashed,
    LocalHost,
    RecordedHost,
    RecordingHost,
    ToVerify,
    TreeHost,
    Verified,
)
from envsnap.host import _hashes as hashes
from envsnap.sections import Reason, Unknown
from tests.host.installed import NOTHING, SITE, Installed, changes, one, verified
from tests.inside.rows import by_the_definition

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "env")


def test_files_that_are_as_stated_are_counted_and_have_the_stated_digest(
    installed: Installed,
) -> None:
    for name in ("pkg/__init__.py", "pkg/deep/er/a.py", "single.py"):
        installed.has(name, name.encode())
    assert one(installed) == Verified(
        content=by_the_definition(
            {name: name.encode() for name in ("pkg/__init__.py", "pkg/deep/er/a.py", "single.py")}
        ),
        files=3, edited=(), missing=(), extra=(), unchecked=(), more=NOTHING,
    )  # fmt: skip


def test_edited_missing_and_extra_files_are_named(installed: Installed) -> None:
    installed.has("pkg/a.py", b"now", stated=b"then")
    installed.has("pkg/same.py")
    installed.names("pkg/gone.py")
    (installed.site / "pkg/new/er").mkdir(parents=True)
    (installed.site / "pkg/new/er/b.py").touch()
    (installed.site / "pkg/more.py").touch()
    found = one(installed)
    assert changes(found) == {
        "edited": ("pkg/a.py",),
        "missing": ("pkg/gone.py",),
        "extra": ("pkg/more.py", "pkg/new/er/b.py"),
    }
    assert found.files == 1
    assert found.content == by_the_definition({"pkg/a.py": b"now", "pkg/same.py": b"x"})


def test_bytecode_and_what_installers_write_is_neither_missed_nor_extra(
    installed: Installed,
) -> None:
    installed.has("pkg/a.py")
    installed.names("pkg/__pycache__/a.cpython-311.pyc")
    (installed.site / "pkg/__pycache__").mkdir()
    (installed.site / "pkg/__pycache__/a.cpython-312.pyc").touch()
    for name in ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"):
        (installed.dist_info / name).touch()
    found = one(installed)
    assert (changes(found), found.files) == ({}, 1)


def test_a_file_that_another_record_names_is_not_extra(tmp_path: Path) -> None:
    first, second = Installed(tmp_path / "env", "first"), Installed(tmp_path / "env", "second")
    first.has("shared/a.py")
    second.has("shared/b.py")
    (second.site / "shared/c.py").touch()
    ours, theirs = verified(first, second)
    assert isinstance(ours, Verified)
    assert isinstance(theirs, Verified)
    assert (changes(ours), changes(theirs)) == ({"extra": ("shared/c.py",)}, {})


def test_rows_within_the_prefix_are_hashed_wherever_they_lie(installed: Installed) -> None:
    installed.has("../../../bin/tool", b"now", stated=b"then")
    installed.has("../../../share/x")
    installed.has("pkg.py")
    found = one(installed)
    assert (changes(found), found.files) == ({"edited": ("../../../bin/tool",)}, 2)


def test_a_record_that_went_away_is_said(installed: Installed) -> None:
    asked = installed.asked()
    os.unlink(asked.record)
    (found,) = LocalHost().verified([asked], lambda _: None)()
    assert found == Unknown(Reason.NOT_SUPPORTED, "There is no RECORD")


def test_progress_is_told_in_files_and_bytes(installed: Installed) -> None:
    for number in range(10):
        installed.has(f"pkg/{number}.py", b"12345")
    heard: list[Hashed] = []
    LocalHost().verified([installed.asked()], heard.append)()
    assert heard[0] == Hashed(files=0, bytes=0, of_files=10, of_bytes=50)


def test_nothing_asked_is_nothing_answered() -> None:
    assert [*LocalHost().verified([], lambda _: None)()] == []


def test_processes_that_end_early_are_said_to_have_crashed(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (found,) = verified(installed)
    assert found == Unknown(Reason.CRASHED, "the processes that hash gave no answer")


def test_processes_that_fall_silent_are_ended(
    installed: Installed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 300\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(hashes, "SILENCE_S", 0.2)
    started = time.monotonic()
    (found,) = verified(installed)
    assert found == Unknown(Reason.TIMED_OUT, "the disk gave nothing for 0.2 s")
    assert time.monotonic() - started < 10


def test_without_its_folder_the_text_of_the_program_is_enough(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.has("pkg.py")
    monkeypatch.setattr(os.path, "isfile", lambda _: False)  # as in a zip
    assert one(installed).files == 1


def test_a_tree_is_hashed_within_its_root(tmp_path: Path) -> None:
    package = Installed(tmp_path / "root/opt/env")
    package.has("pkg/a.py", b"now", stated=b"then")
    package.names("pkg/out.py").symlink_to("/etc/hostname")
    package.asked()
    (found,) = TreeHost(str(tmp_path / "root")).verified(
        [ToVerify(f"/opt/env/{SITE}/pkg-1.0.dist-info/RECORD", "/opt/env")], lambda _: None
    )()
    assert isinstance(found, Verified)
    assert changes(found) == {"edited": ("pkg/a.py",), "unchecked": ("pkg/out.py",)}


def test_a_recording_has_no_files_and_recording_asks_the_machine(installed: Installed) -> None:
    installed.has("pkg.py")
    asked = [installed.asked()]
    recorded = RecordedHost.made(files={}).verified(asked, lambda _: None)()
    assert [*recorded] == [Unknown(Reason.NOT_RECORDED, "the files of packages")]
    (found,) = RecordingHost(LocalHost()).verified(asked, lambda _: None)()
    assert isinstance(found, Verified)
