"""The search path of a real machine, with what an attacker or an accident may leave on it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.host import LocalHost, RecordedHost
from envsnap.probes._ask import _entries
from envsnap.probes._dist_info import Metadata
from envsnap.probes._interpreter import Entry
from envsnap.probes._search import metadata, search

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "Name: good\nVersion: 1.0\n"


def read(folder: Path) -> dict[str, Metadata | str]:
    """What lies in the folder, by its name: a good one is always among it."""
    info = folder / "good-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(GOOD)
    host = LocalHost()
    found = {
        each.path.rpartition("/")[2]: metadata(host, each)
        for each in search(host, [Entry(str(folder), "env")])
    }
    assert found.pop("good-1.0.dist-info") == Metadata("good", "1.0")
    return found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe-1.0.dist-info")
    (tmp_path / "tide-1.0.dist-info").mkdir()
    os.mkfifo(tmp_path / "tide-1.0.dist-info" / "METADATA")
    os.mkfifo(tmp_path / "moon.egg-link")
    os.mkfifo(tmp_path / "sun.egg-info")
    unread = "its metadata could not be read: not-supported: not a regular file"
    assert read(tmp_path) == {
        "moon.egg-link": "no metadata",
        "pipe-1.0.dist-info": "it is no folder",
        "sun.egg-info": unread,
        "tide-1.0.dist-info": unread,
    }


def test_a_gigabyte_of_metadata_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "tide-1.0.dist-info").mkdir()
    with (tmp_path / "tide-1.0.dist-info" / "METADATA").open("wb") as file:
        file.truncate(1 << 30)
    started = time.monotonic()
    assert read(tmp_path) == {"tide-1.0.dist-info": "its metadata names no name and version"}
    assert time.monotonic() - started < 1


def test_a_link_out_of_the_folder_shows_nothing_of_where_it_leads(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "secret").write_text("password: Name: hunter2\n")
    (site / "etc-1.0.dist-info").symlink_to("/etc")
    (site / "loop-1.0.dist-info").symlink_to("loop-1.0.dist-info")
    (site / "out-1.0.egg-info").symlink_to(tmp_path / "secret")
    assert read(site) == {
        "etc-1.0.dist-info": "no metadata",
        "loop-1.0.dist-info": "it is no folder",
        "out-1.0.egg-info": "its metadata names no name and version",
    }


def test_a_name_with_a_line_end_is_one_broken_installation(tmp_path: Path) -> None:
    (tmp_path / "a\nb-1.0.dist-info").mkdir()
    assert read(tmp_path) == {"a\nb-1.0.dist-info": "an empty dist-info folder"}


def test_what_is_on_the_path_and_no_folder_or_zip_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("PK, or so it says")
    (tmp_path / "other").write_text("")
    entries = [Entry(str(tmp_path / name), "pth") for name in ("text.zip", "other", "gone")]
    found = search(LocalHost(), entries)
    assert [metadata(LocalHost(), each) for each in found] == [
        "a zip that could not be read: BadZipFile"
    ]


def test_a_folder_of_pythonpath_is_one_however_it_is_written() -> None:
    host = RecordedHost.made(environ={"PYTHONPATH": "lib:/srv/tools/:"}, cwd="/home/ada")
    said = {"path": ["/home/ada/lib", "/srv/tools", "/home/ada", "/env/lib"]}
    assert _entries(host, said, "/env", "/usr") == [
        Entry("/home/ada/lib", "pythonpath"),
        Entry("/srv/tools", "pythonpath"),
        Entry("/home/ada", "pth"),
        Entry("/env/lib", "env"),
    ]
