"""conda archives that were made again: which of them a folder's lock takes, and why not others."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from envsnap.inside.conda_files import digest_of, files_of
from envsnap.manifest import Manifest
from envsnap.sections import CondaRecord, Lock, Packages, Unlocked
from envsnap.wheelhouse._local_lock import _is_source, is_whole, local_lock
from tests import made, wheels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = {"site-packages/toy.py": b"VERSION = 1\n", "share/toy.txt": b"toy\n"}
NAME = "toy-1.0-0.tar.bz2"
SITE = "lib/python3.11/site-packages"


def row(path: str, data: bytes) -> dict[str, str]:
    return {
        "_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip


def content(files: Mapping[str, bytes], site: str = SITE) -> str | None:
    """envsnap-conda-1 as conda-meta states it once they are installed."""
    placed = {name.replace("site-packages", site): data for name, data in files.items()}
    rows = [row(path, data) for path, data in placed.items()]
    return digest_of(files_of({"name": "toy", "paths_data": {"paths": rows}}))


def archive(folder: Path, files: Mapping[str, bytes], **index: str) -> Path:
    """A noarch archive of these files in a wheelhouse."""
    said = {"name": "toy", "version": "1.0", "build": "0", "noarch": "python", **index}
    listed = {"paths": [row(path, data) for path, data in files.items()], "paths_version": 1}
    path = folder / "conda" / "noarch" / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:bz2") as target:
        for name, data in {
            "info/index.json": json.dumps(said).encode(),
            "info/paths.json": json.dumps(listed).encode(), **files,
        }.items():  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return path


def captured(known: str | None) -> Manifest:
    """A manifest of one conda package, whose files are known by this digest."""
    record = CondaRecord(
        name="toy", version="1.0", build="0", channel="lab", subdir="noarch", md5=None,
        url="https://files.example/lab/noarch/toy-1.0-0.conda", sha256="ab" * 32, content=known,
    )  # fmt: skip
    packages = Packages(installed=(), conda_only=(record,), broken=())
    return made.manifest((), (), packages=packages, python=wheels.PYTHON).with_lock(None)


def site() -> str:
    return f"lib/python{'.'.join(wheels.PYTHON.version.split('.')[:2])}/site-packages"


def told(lock: Lock) -> list[tuple[str, str, str | None]]:
    return [(each.filename, each.how, each.content) for each in lock.conda]


def test_an_archive_that_was_made_again_is_taken_by_what_it_installs(tmp_path: Path) -> None:
    path, known = archive(tmp_path, FILES), content(FILES, site())
    lock = local_lock(captured(known), str(tmp_path))
    assert (told(lock), lock.unlocked) == ([(NAME, "made", known)], ())
    assert lock.conda[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert is_whole(lock, str(tmp_path))


def refused(why: str) -> tuple[Unlocked, ...]:
    return (Unlocked(name="toy", version="1.0", why=f"{NAME} in the wheelhouse {why}"),)


def test_one_that_installs_other_files_is_not_taken(tmp_path: Path) -> None:
    archive(tmp_path, {**FILES, "share/toy.txt": b"other\n"})
    lock = local_lock(captured(content(FILES, site())), str(tmp_path))
    why = "has its name and version, and installs other files than were captured"
    assert (lock.conda, lock.unlocked) == ((), refused(why))
    assert not is_whole(lock, str(tmp_path))


def test_where_nothing_tells_which_files_there_were_it_is_not_taken(tmp_path: Path) -> None:
    archive(tmp_path, FILES)
    lock = local_lock(captured(None), str(tmp_path))
    why = "was made again, and the capture does not know which files it installed"
    assert (lock.conda, lock.unlocked) == ((), refused(why))


@pytest.mark.parametrize("raw", [b"garbage, no archive at all", b"", b"BZh9"])
def test_what_is_no_archive_is_not_taken(tmp_path: Path, raw: bytes) -> None:
    archive(tmp_path, FILES).write_bytes(raw)
    lock = local_lock(captured(content(FILES, site())), str(tmp_path))
    assert (lock.conda, lock.unlocked) == ((), refused("is no archive of it that is whole"))


@pytest.mark.parametrize("index", [{"name": "other"}, {"version": "2"}, {"build": "1"}])
def test_one_that_says_it_is_another_package_is_not_taken(
    tmp_path: Path, index: dict[str, str]
) -> None:
    archive(tmp_path, FILES, **index)
    lock = local_lock(captured(content(FILES, site())), str(tmp_path))
    assert lock.unlocked == refused("is no archive of it that is whole")


def test_bytes_that_its_list_denies_are_hashed_themselves(tmp_path: Path) -> None:
    path = archive(tmp_path, FILES)
    with tarfile.open(path) as source:
        listed = source.extractfile("info/paths.json")
        assert listed is not None
        honest = listed.read()
    evil = {**FILES, "share/toy.txt": b"evil\n"}
    archive(tmp_path, evil)
    raw = io.BytesIO()
    with tarfile.open(path) as source, tarfile.open(fileobj=raw, mode="w:bz2") as target:
        for member in source:
            data = source.extractfile(member)
            assert data is not None
            text = honest if member.name == "info/paths.json" else data.read()
            member.size = len(text)
            target.addfile(member, io.BytesIO(text))
    path.write_bytes(raw.getvalue())
    lock = local_lock(captured(content(FILES, site())), str(tmp_path))
    why = "has its name and version, and installs other files than were captured"
    assert lock.unlocked == refused(why)


@pytest.mark.parametrize(
    ("filename", "name", "version", "is_one"),
    [
        ("foo-1.tar.gz", "foo", "1", True), ("foo-10.2.tar.gz", "foo", "1", False),
        ("foo-1.0.post3.tar.gz", "foo", "1.0", False), ("foo_bar-1.zip", "foo-bar", "1", True),
        ("foo-1.0+cu12.tar.gz", "foo", "1.0+cu12", True), ("foo-2004d.tgz", "foo", "2004d", True),
        ("foo-2004d.tgz", "foo", "2004", False),
    ],
)  # fmt: skip
def test_a_source_is_its_package_s_by_the_whole_version(
    filename: str, name: str, version: str, *, is_one: bool
) -> None:
    assert _is_source(filename, made.package(name, version)) is is_one
