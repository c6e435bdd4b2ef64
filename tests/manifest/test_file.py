from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import FileError, ManifestError
from envsnap.manifest import Manifest, find, load, parse, save, write_whole
from envsnap.manifest._file import LIMIT_BYTES, fill_whole
from envsnap.sections import Captured

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = Manifest(captured=Captured(time="2026-11-21T00:00:00Z", version="0.1.0"), sections={})
OWNER, COLLEAGUE, SHARED = 61_000, 61_001, 61_234
"""Two users and a group that no machine has."""


def test_a_manifest_that_was_saved_is_loaded_the_same(tmp_path: Path) -> None:
    path = str(tmp_path / "envsnap.lock.json")
    assert save(EMPTY, path) == os.path.getsize(path)
    assert load(path) == EMPTY


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "f: Not JSON at line 1, column 1: Expecting value"),
        (b'{"schema": "1.0", ', "f: Not JSON at line 1, column 19: Expecting property name"),
        (b"\xff\xfe", "f: Not UTF-8 at byte 0"),
        (b'{"a": NaN}', "f: NaN is no JSON value"),
        (b'{"a": -Infinity}', "f: -Infinity is no JSON value"),
        (b'{"a": 1, "a": 2}', "f: The key 'a' stands twice in one object"),
        (b"[" * 100_000, "f: Nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "f: Not usable JSON: Exceeds the limit"),
        (b"[]", "f: Not an envsnap manifest: it has no field 'schema'"),
        (b'{"schema": "9.0"}', "f: Unsupported version '9.0' in 'schema'"),
    ],
)
def test_bad_bytes_get_one_clear_message(raw: bytes, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(raw, "f")
    assert str(caught.value).startswith(message)


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(_tree()).encode(), "f") == EMPTY


def _tree() -> dict[str, object]:
    from envsnap.manifest import document

    return document(EMPTY)


def test_an_absent_manifest_says_where_to_look(tmp_path: Path) -> None:
    path = str(tmp_path / "none.json")
    with pytest.raises(ManifestError) as caught:
        load(path)
    assert str(caught.value) == f"No manifest at {path}"
    assert caught.value.hint == f"Look what is there: ls {tmp_path}/*.json"


def test_a_file_larger_than_a_manifest_can_be_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(LIMIT_BYTES + 1)
    with pytest.raises(ManifestError, match="Larger than 64 MiB: not a manifest"):
        load(str(path))


def test_a_folder_that_is_not_there_is_no_place_to_write(tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "m.json")
    with pytest.raises(FileError) as caught:
        save(EMPTY, path)
    assert str(caught.value) == f"Cannot write {path}: No such file or directory"


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="it is a folder"):
        save(EMPTY, str(tmp_path))


def test_a_full_disk_leaves_the_old_file_and_no_other() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with pytest.raises(FileError) as caught:
        write_whole("/dev/full", b"x" * 100_000)
    assert str(caught.value) == "Cannot write /dev/full: No space left on device"


def test_a_write_that_is_interrupted_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b"old")

    def interrupted(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_bytes(b"old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_whole(str(tmp_path / "link.json"), b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == b"new"


def test_ctrl_c_once_the_file_is_in_place_is_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def interrupted(one: str, other: str) -> None:
        replace(one, other)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(str(tmp_path / "m.json"), b"new")
    assert os.listdir(tmp_path) == ["m.json"]


@pytest.mark.parametrize(
    ("mode", "groups", "expected"),
    [
        (0o660, [SHARED], (0, (COLLEAGUE, SHARED, 0o660))),
        (0o644, [], (0, (COLLEAGUE, COLLEAGUE, 0o644))),
        (0o664, [], (0, (COLLEAGUE, COLLEAGUE, 0o644))),
        (0o660, [], (7, (OWNER, SHARED, 0o660))),
        (0o600, [SHARED], (7, (OWNER, SHARED, 0o600))),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes other users")
def test_a_colleague_s_write_leaves_the_file_to_whoever_could_read_it(
    mode: int, groups: list[int], expected: tuple[int, tuple[int, int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to other users
        os.chmod(folder, 0o777)  # noqa: S103 - for both of them
        path = os.path.join(folder, "m.json")
        write_whole(path, b"old")
        os.chown(path, OWNER, SHARED)
        os.chmod(path, mode)
        code = written_by(COLLEAGUE, groups, path)
        found = os.stat(path)
        assert (code, (found.st_uid, found.st_gid, found.st_mode & 0o7777)) == expected
        assert os.listdir(folder) == ["m.json"]


def written_by(user: int, groups: list[int], path: str) -> int:
    """The exit code of a user's process that writes a file."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups(groups)
            os.setgid(user)
            os.setuid(user)
            write_whole(path, b"new")
            code = 0
        except FileError as error:
            says = f"Cannot write {path}: it is another user's, who could not read it any more"
            code = 7 if error.message == says else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files away")
def test_a_file_that_root_writes_stays_its_owner_s(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b"old")
    os.chown(path, OWNER, SHARED)
    path.chmod(0o640)
    write_whole(str(path), b"new")
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (OWNER, SHARED, 0o640)
    assert path.read_bytes() == b"new"


def test_a_group_that_cannot_be_kept_leaves_its_rights_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b"old")
    path.chmod(0o660)
    real = os.stat

    def of_another_group(place: str, **how: bool) -> os.stat_result:
        found = real(place, **how)
        if place != str(path):
            return found
        return os.stat_result([*found[:5], found.st_gid + 1, *found[6:]])

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "stat", of_another_group)
    monkeypatch.setattr(os, "chown", refused)
    write_whole(str(path), b"new")
    assert real(path).st_mode & 0o7777 == 0o600


def test_what_others_may_not_read_they_may_not_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen: list[int] = []
    fill_whole(
        str(path), lambda _: seen.extend(each.stat().st_mode & 0o77 for each in tmp_path.iterdir())
    )
    assert seen == [0, 0]


def test_the_nearest_manifest_upward_is_found_within_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "envsnap.lock.json").write_bytes(b"{}")
    assert find(str(tmp_path / "a" / "b")) == os.path.join("..", "..", "envsnap.lock.json")


def test_a_manifest_above_the_repository_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "envsnap.lock.json").write_bytes(b"{}")
    with pytest.raises(ManifestError, match=r"No envsnap\.lock\.json here or upward"):
        find(str(tmp_path / "repository"))
