from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from envsnap.errors import FileError
from envsnap.wheelhouse._build import Builder, repack
from envsnap.wheelhouse._content import content_of
from envsnap.wheelhouse._store import Stored, Wheelhouse, open_wheelhouse, sha256_of, write_list
from envsnap.wheelhouse._tree import BuildError
from envsnap.wheelhouse._unpack import unpack_source
from tests.made import package
from tests.wheelhouse.by_hand import HOME

NAME = "a-1-py3-none-any.whl"
ROW = {
    "name": "a", "version": "1", "filename": NAME, "sha256": "0" * 64, "size": 1, "how": "made",
    "content": None, "notes": [],
}  # fmt: skip


def listing(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - any value, right or wrong
    tree = {"wheelhouse": "1", "environment": "e", "files": [{**ROW, **changes}]}
    (folder / "wheelhouse.json").write_text(json.dumps(tree))


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"a")
    digest = sha256_of(str(tmp_path / NAME)) or ""
    stored = Stored("a", "1", NAME, digest, 1, "made", "1" * 64, ("kept as edited: a.py",))
    wheelhouse = Wheelhouse(str(tmp_path), "e", (stored,))
    write_list(wheelhouse)
    first = (tmp_path / "wheelhouse.json").read_bytes()
    write_list(wheelhouse)
    assert (tmp_path / "wheelhouse.json").read_bytes() == first
    assert open_wheelhouse(str(tmp_path)) == wheelhouse
    assert wheelhouse.path(stored) == str(tmp_path / NAME)
    assert (wheelhouse.find("a"), wheelhouse.find("a", "0" * 64)) == (stored, None)


def test_a_file_with_other_bytes_is_not_handed_out(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"a")
    listing(tmp_path)
    wheelhouse = open_wheelhouse(str(tmp_path))
    with pytest.raises(FileError) as caught:
        wheelhouse.path(wheelhouse.files[0])
    assert caught.value.message == f"{NAME} in {tmp_path} has other bytes than its list says"
    (tmp_path / NAME).unlink()
    with pytest.raises(FileError, match=r"is not there$"):
        wheelhouse.path(wheelhouse.files[0])


@pytest.mark.parametrize(
    "name", ["../a.whl", "/a.whl", "b/a.whl", "conda/a.conda", ".a.whl", "a\n.whl", "", "sources/"]
)
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    listing(tmp_path, filename=name)
    with pytest.raises(FileError) as caught:
        open_wheelhouse(str(tmp_path))
    assert caught.value.message == (
        f"{tmp_path}/wheelhouse.json names {name!a}, which is no name of a file below it"
    )


@pytest.mark.parametrize(
    "changes", [{"sha256": "x"}, {"size": "1"}, {"how": "magic"}, {"size": True}, {"size": -1}]
)
def test_a_list_that_does_not_say_what_a_file_is_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    listing(tmp_path, **changes)
    with pytest.raises(FileError, match=r"does not say the hash, size and origin of a-1-py3"):
        open_wheelhouse(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"wheelhouse": "2"}', "\0"])
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "wheelhouse.json").write_text(text)
    with pytest.raises(FileError, match=r"is no list of a wheelhouse of version 1$"):
        open_wheelhouse(str(tmp_path))


def test_a_folder_without_a_list_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        open_wheelhouse(str(tmp_path))
    assert caught.value.message == f"No wheelhouse.json in {tmp_path}"
    assert caught.value.hint == f"Fill it: envsnap lock MANIFEST --wheelhouse {tmp_path}"


def packed(path: Path, *members: tarfile.TarInfo) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for each in members:
            each.size = 1 if each.isreg() else 0
            archive.addfile(each, io.BytesIO(b"x"))
    return str(path)


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, to
    return made


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a//x", "a/x\\y"])
def test_a_source_that_names_a_file_outside_itself_is_not_unpacked(
    tmp_path: Path, name: str
) -> None:
    path = packed(tmp_path / "a.tar.gz", member(name))
    with pytest.raises(FileError) as caught:
        unpack_source(path, str(tmp_path / "out"))
    assert caught.value.message == f"{path} has an unusable file: {name!a}"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tar.gz"]


def test_the_links_of_a_source_are_left_out(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "a.tar.gz",
        member("a/link", tarfile.SYMTYPE, "/etc"),
        member("a/link/x"),
        member("a/hard", tarfile.LNKTYPE, "/etc/passwd"),
    )
    root = unpack_source(path, str(tmp_path / "out"))
    assert root == str(tmp_path / "out" / "a")
    found = sorted(str(each.relative_to(tmp_path)) for each in (tmp_path / "out").rglob("*"))
    assert found == ["out/a", "out/a/link", "out/a/link/x"]


def torn(path: Path, name: str) -> str:
    """A zip with one member that cannot be unpacked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "x = 1\n" * 100)
    raw = path.read_bytes()
    at = raw.index(name.encode()) + len(name)
    path.write_bytes(raw[:at] + b"\xff\xff" + raw[at + 2 :])
    return str(path)


def test_a_zipped_source_is_unpacked_whatever_its_members_say_of_their_kind(tmp_path: Path) -> None:
    modes = {"plain": 0o644, "program": 0o755, "typed": 0o100755, "nothing": 0, "link": 0o120777}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, mode in modes.items():
            info = zipfile.ZipInfo(f"a-1/{name}")
            info.external_attr = mode << 16
            archive.writestr(info, "x")
    root = Path(unpack_source(str(tmp_path / "a.zip"), str(tmp_path / "out")))
    found = {each.name: oct(each.stat().st_mode & 0o777) for each in root.iterdir()}
    assert found == {
        "plain": "0o644", "program": "0o755", "typed": "0o755", "nothing": "0o644",
    }  # fmt: skip


def test_a_torn_archive_is_one_fault_of_that_file(tmp_path: Path) -> None:
    why = "Error -3 while decompressing data: invalid block type"
    path = torn(tmp_path / "a.zip", "a-1/setup.py")
    with pytest.raises(FileError) as caught:
        unpack_source(path, str(tmp_path / "out"))
    assert caught.value.message == f"Cannot unpack {path}: {why}"
    path = torn(tmp_path / NAME, "a-1.dist-info/RECORD")
    assert content_of(path) is None
    with pytest.raises(BuildError) as failed:
        repack(path, package("a", "1"), Builder(HOME, "python", str(tmp_path)), ())
    assert failed.value.message == f"its wheel cannot be read: {why}"


def test_a_wheels_content_is_that_of_its_files_whatever_its_record_states(tmp_path: Path) -> None:
    digests = set()
    for text in ("", "\0", "a.py,md5=1,1\n", "a.py,sha256=AAAA,1\n"):
        with zipfile.ZipFile(tmp_path / NAME, "w") as wheel:
            wheel.writestr("a.py", "x = 1\n")
            wheel.writestr("a-1.dist-info/RECORD", text)
        digests.add(content_of(str(tmp_path / NAME)))
    hexed = hashlib.sha256(b"x = 1\n").hexdigest()
    assert digests == {hashlib.sha256(f"a.py\0{hexed}\n".encode()).hexdigest()}


def test_what_is_no_wheel_has_no_content(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("a.py", "")
    assert content_of(str(path)) is None
    path.write_bytes(b"no zip")
    assert content_of(str(path)) is None
