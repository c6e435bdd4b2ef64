"""Machines made by hand, and machines that were recorded."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from envsnap.host import LocalHost, RecordedHost, RecordingHost
from tests.host.questions import EMPTY_SHA, asked, not_recorded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> str:
    place = tmp_path / "seen"
    (place / "sub").mkdir(parents=True)
    (place / "a-1.dist-info").mkdir()
    (place / "a-1.dist-info" / "RECORD").write_text(f"a.py,sha256={EMPTY_SHA},0\n")
    (place / "file").write_text("text, é\n")
    (place / "raw").write_bytes(b"\xff\0")
    (place / "long").write_text("abcdefgh")
    (place / "link").symlink_to("file")
    (place / "loop").symlink_to("loop")
    (place / os.fsdecode(b"caf\xe9")).touch()
    os.mkfifo(place / "pipe")
    return str(place)


@pytest.mark.parametrize("name", ["recording", "recording.tar"])
def test_a_recording_answers_as_the_machine_did(folder: str, tmp_path: Path, name: str) -> None:
    live, recording = asked(LocalHost(), folder), RecordingHost(LocalHost())
    assert asked(recording, folder) == live
    recording.save(str(tmp_path / name))
    assert asked(RecordedHost.from_path(str(tmp_path / name)), folder) == live


def test_what_was_not_asked_is_not_recorded(folder: str, tmp_path: Path) -> None:
    recording = RecordingHost(LocalHost())
    recording.list(folder)
    recording.read(f"{folder}/long", limit=4)
    recording.save(str(tmp_path / "r"))
    host = RecordedHost.from_path(str(tmp_path / "r"))
    place = f"{folder}/long"
    assert host.read(place, limit=3) == b"abc"
    assert host.read(place) == not_recorded("read {other}/long beyond its first 4 bytes")
    assert host.stat(place) == not_recorded("stat {other}/long")
    assert host.list("/") == not_recorded("list /")
    assert host.link("/a") == not_recorded("link {other}/a")
    assert host.real("/a") == not_recorded("real {other}/a")
    assert host.run(["git", "-c", "a\nb"]) == not_recorded("command git -c {script}")
    assert host.which("git") == not_recorded("which git")
    assert host.environ("PATH") == not_recorded("environment variable PATH")
    assert host.capacity_mib("/") == not_recorded("capacity of /")
    assert [host.uname(), host.user(), host.home(), host.cwd(), host.nvml()] == [
        not_recorded(name) for name in ("uname", "user", "home", "cwd", "nvml")
    ]


def test_the_longest_answer_is_kept_whoever_asks_first(folder: str) -> None:
    recording = RecordingHost(LocalHost())
    asking = [
        threading.Thread(target=recording.read, args=(f"{folder}/long",), kwargs={"limit": limit})
        for limit in (3, 100, 5)
    ]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert recording.read(f"{folder}/long", limit=2) == b"ab"
    recording.save(f"{folder}/r")
    assert RecordedHost.from_path(f"{folder}/r").read(f"{folder}/long") == b"abcdefgh"


@pytest.mark.parametrize("name", ["r", "r.tar"])
def test_the_same_answers_are_the_same_bytes(folder: str, tmp_path: Path, name: str) -> None:
    written = []
    for each, order in (("1", ("file", "raw", "no")), ("2", ("no", "raw", "file"))):
        recording = RecordingHost(LocalHost())
        for path in order:
            recording.read(f"{folder}/{path}")
            recording.environ(path.upper())
        place = tmp_path / each / name
        place.parent.mkdir()
        recording.save(str(place))
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]


def test_saving_says_what_the_recording_holds(folder: str, tmp_path: Path) -> None:
    recording = RecordingHost(LocalHost())
    recording.read(f"{folder}/file")
    recording.environ("PATH")
    assert recording.save(str(tmp_path / "r")) == (
        "1 files (0 KiB), the answers of 0 commands and 1 environment variables; "
        "it names this user and their folders: read it before you share it"
    )
