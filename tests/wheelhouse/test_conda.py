"""conda archives in a wheelhouse: taken from the nearest place, or made again and proved."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.engines._archives import file_hash
from envsnap.engines.conda import archive_path
from envsnap.errors import ManifestError, ToolError
from envsnap.inside.conda_files import digest_of, files_of
from envsnap.sections import CondaArtifact, replace
from envsnap.wheelhouse._conda import fill_conda
from envsnap.wheelhouse._conda_make import Remade, make_archive, without_prefix
from tests.torture.conda_packages import PLACEHOLDER, Made, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAID: list[str] = []
CHANNEL = "https://conda.example/lab"


def artifact(path: str, **changes: object) -> CondaArtifact:
    found = CondaArtifact(
        name="toy", version="1.0", build="0", subdir="noarch", filename="toy-1.0-0.conda",
        url=f"{CHANNEL}/noarch/toy-1.0-0.conda", sha256=file_hash(path, "sha256"),
        md5=file_hash(path, "md5"), size=os.path.getsize(path),
    )  # fmt: skip
    return replace(found, **changes)


@pytest.fixture
def packed(tmp_path: Path) -> str:
    toy = Made(
        name="toy", version="1.0", build="0", subdir="noarch", noarch="generic",
        files={"share/toy.txt": b"toy\n"},
    )  # fmt: skip
    return write(toy, str(tmp_path / "channel"))


def from_channel(packed: str) -> Callable[[CondaArtifact, str], None]:
    def fetch(_: CondaArtifact, target: str) -> None:
        with open(packed, "rb") as source, open(target, "wb") as file:
            file.write(source.read())

    return fetch


def refuse(each: CondaArtifact, _: str) -> None:
    raise ToolError(f"{each.url} is gone (404)")


def test_an_archive_is_fetched_and_its_size_known(tmp_path: Path, packed: str) -> None:
    wanted = artifact(packed, size=0)
    found = fill_conda([wanted], str(tmp_path / "w"), from_channel(packed), SAID.append)
    assert found == ((artifact(packed),), {}, ())
    assert file_hash(archive_path(str(tmp_path / "w"), wanted), "sha256") == wanted.sha256
    assert SAID[-1] == "conda archive 1 of 1: toy"


def test_what_is_there_already_is_not_fetched(tmp_path: Path, packed: str) -> None:
    wanted, folder = artifact(packed), str(tmp_path / "w")
    fill_conda([wanted], folder, from_channel(packed), SAID.append)
    assert fill_conda([wanted], folder, refuse, SAID.append).failed == ()


def test_an_archive_known_by_md5_alone_gets_its_sha256(tmp_path: Path, packed: str) -> None:
    wanted = artifact(packed, sha256=None)
    found = fill_conda([wanted], str(tmp_path), from_channel(packed), SAID.append)
    assert found.artifacts == (artifact(packed),)


def test_other_bytes_are_not_kept(tmp_path: Path, packed: str) -> None:
    wanted = artifact(packed, sha256="0" * 64)
    found = fill_conda([wanted], str(tmp_path), from_channel(packed), SAID.append)
    (failed,) = found.failed
    assert failed.why == (
        f"{wanted.url} has other bytes than the lock says, and the environment is not on this "
        "machine; fill a wheelhouse where it still is: envsnap lock --wheelhouse DIR"
    )
    assert os.listdir(tmp_path / "conda" / "noarch") == []


def test_an_archive_that_no_run_can_have_again_stays(tmp_path: Path, packed: str) -> None:
    wanted = artifact(packed)
    path = archive_path(str(tmp_path / "w"), wanted)
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(b"the only copy")
    (failed,) = fill_conda([wanted], str(tmp_path / "w"), from_channel(packed), SAID.append).failed
    assert failed.why == (
        f"conda/noarch/toy-1.0-0.conda in {tmp_path / 'w'} is another file, which no run can have "
        "again, and it stays: name another folder (--wheelhouse DIR), or move it away"
    )
    assert file_hash(path, "sha256") == hashlib.sha256(b"the only copy").hexdigest()


def test_the_users_own_cache_is_looked_into_before_any_channel(
    tmp_path: Path, packed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_PKGS_DIRS", f"/nowhere,{os.path.dirname(packed)}")
    found = fill_conda([artifact(packed)], str(tmp_path / "w"), refuse, SAID.append)
    assert found == ((artifact(packed),), {}, ())


def test_what_is_gone_is_said_with_the_channels_answer(tmp_path: Path, packed: str) -> None:
    (failed,) = fill_conda([artifact(packed)], str(tmp_path), refuse, SAID.append).failed
    assert failed.why == (
        f"{CHANNEL}/noarch/toy-1.0-0.conda is gone (404), and the environment is not on this "
        "machine; fill a wheelhouse where it still is: envsnap lock --wheelhouse DIR"
    )


def test_a_hostile_name_writes_nothing(tmp_path: Path, packed: str) -> None:
    evil = artifact(packed, filename="../../evil.conda")
    with pytest.raises(ManifestError) as caught:
        fill_conda([evil], str(tmp_path / "w"), from_channel(packed), SAID.append)
    assert caught.value.message == (
        "Unexpected filename '../../evil.conda' of a conda package in 'lock.conda[0]'"
    )
    assert not (tmp_path / "w").exists()


# What conda, mamba and rattler do to a file, in the words of conda's own documentation: a text has
# the placeholder replaced; in a binary each string that has it is filled up with zeros.


def installed(data: bytes, prefix: str, *, is_text: bool) -> bytes:
    ours, theirs = PLACEHOLDER.encode(), prefix.encode()
    if is_text:
        return data.replace(ours, theirs)
    strings = data.split(b"\0")
    return b"\0".join(
        each.replace(ours, theirs) + b"\0" * ((len(ours) - len(theirs)) * each.count(ours))
        for each in strings
    )


PIECES = st.lists(
    st.one_of(st.binary(max_size=8), st.sampled_from([PLACEHOLDER.encode(), b"\0", b"/bin:"]))
)


@given(PIECES, st.sampled_from(["text", "binary"]), st.sampled_from(["/e", "/home/ada/paper"]))
def test_what_an_installer_wrote_can_be_taken_out_again(
    pieces: list[bytes], mode: str, prefix: str
) -> None:
    data = b"".join(pieces)
    if prefix.encode() in data:
        return  # no hash would fit then: that file is refused
    is_text = mode == "text"
    if not is_text and PLACEHOLDER.encode() in data.rpartition(b"\0")[2]:
        data += b"\0"  # a string that a binary ends with has its zero
    there = installed(data, prefix, is_text=is_text)
    assert without_prefix(there, prefix, PLACEHOLDER, is_text=is_text) == data


def record(prefix: Path, **changes: object) -> dict[str, object]:
    """conda-meta of a package with one file, which is in the prefix."""
    data = b"prefix=" + PLACEHOLDER.encode()
    there = data.replace(PLACEHOLDER.encode(), str(prefix).encode())
    (prefix / "lib").mkdir(parents=True)
    (prefix / "lib" / "toy.pc").write_bytes(there)
    row: dict[str, object] = {
        "_path": "lib/toy.pc", "path_type": "hardlink", "file_mode": "text",
        "prefix_placeholder": PLACEHOLDER, "sha256": hashlib.sha256(data).hexdigest(),
        "sha256_in_prefix": hashlib.sha256(there).hexdigest(),
    }  # fmt: skip
    return {
        "name": "toy", "version": "1.0", "build": "0", "build_number": 0, "subdir": "linux-64",
        "depends": [], "paths_data": {"paths_version": 1, "paths": [row | changes]},
    }  # fmt: skip


def test_an_archive_made_again_has_the_file_as_it_was(tmp_path: Path) -> None:
    target = str(tmp_path / "toy-1.0-0.tar.bz2")
    known = record(tmp_path / "env")
    found = make_archive(known, str(tmp_path / "env"), target)
    assert found == Remade(target, (), digest_of(files_of(known)))
    with tarfile.open(target) as archive:
        names = [(each.name, each.mtime, each.uid, each.mode) for each in archive]
        inside = archive.extractfile("lib/toy.pc")
        listed = archive.extractfile("info/paths.json")
        assert inside is not None
        assert listed is not None
        assert inside.read() == b"prefix=" + PLACEHOLDER.encode()
        (row,) = json.loads(listed.read())["paths"]
    assert row["prefix_placeholder"] == PLACEHOLDER
    assert names == [
        (name, 1577836800, 0, 0o644)
        for name in (
            "info/about.json", "info/files", "info/index.json", "info/paths.json", "lib/toy.pc",
        )
    ]  # fmt: skip


def test_a_file_that_somebody_edited_is_kept_and_said(tmp_path: Path) -> None:
    tree = record(tmp_path / "env")
    (tmp_path / "env" / "lib" / "toy.pc").write_bytes(b"edited")
    found = make_archive(tree, str(tmp_path / "env"), str(tmp_path / "x.tar.bz2"))
    assert isinstance(found, Remade)
    assert found.notes == ("kept as it is now: lib/toy.pc",)


def test_an_untouched_file_that_no_hash_proves_ends_it(tmp_path: Path) -> None:
    tree = record(tmp_path / "env", sha256="0" * 64)
    target = str(tmp_path / "x.tar.bz2")
    assert make_archive(tree, str(tmp_path / "env"), target) == (
        "the environment's folder cannot be taken out of lib/toy.pc again"
    )
    assert not os.path.exists(target)


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "lib/../../secret", ""])
def test_a_path_that_leaves_the_environment_is_not_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    tree = record(tmp_path / "env", _path=path, prefix_placeholder=None)
    assert make_archive(tree, str(tmp_path / "env"), str(tmp_path / "x.tar.bz2")) == (
        "its files are gone, or conda-meta does not list them"
    )


def test_a_file_behind_a_link_out_of_the_environment_is_not_read(tmp_path: Path) -> None:
    tree = record(tmp_path / "env", _path="out/secret", prefix_placeholder=None)
    (tmp_path / "secret").write_text("secret")
    os.symlink(tmp_path, tmp_path / "env" / "out")
    assert make_archive(tree, str(tmp_path / "env"), str(tmp_path / "x.tar.bz2")) == (
        "out/secret is reached through a link that leaves the environment"
    )
