"""Which file is proved to be the installed one, and what the next lock keeps of it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from envsnap.lock import Indexes, LockOptions, make_lock
from envsnap.lock._proof import is_proved, kept_archives
from envsnap.sections import (
    Changes,
    CondaArtifact,
    Lock,
    Package,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from tests import made, wheels
from tests.lock.index import index_of, wheel
from tests.lock.locking import artifact, locked, needs_uv
from tests.serving import served

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [needs_uv, pytest.mark.usefixtures("own_settings")]


def locked_here(tmp_path: Path, package: Package, *there: wheels.Wheel, **index: bytes) -> Lock:
    """The lock of one package with a folder of these wheels; `index` has these files."""
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    for each in there:
        (folder / each.filename).write_bytes(each.raw)
    with served(index_of(index)) as address:
        places = Indexes(default=f"http://{address}/simple", find_links=(str(folder),))
        return make_lock(made.manifest((package,)).with_lock(None), LockOptions(indexes=places))


def test_a_wheel_in_a_folder_is_proved_by_what_it_installs(tmp_path: Path) -> None:
    mine, theirs = wheels.wheel("demo", "1.0"), wheels.wheel("demo", "1.0", {"demo.py": b"2\n"})
    index = {theirs.filename: theirs.raw}
    (demo,) = locked_here(tmp_path, wheels.packaged(mine), mine, **index).artifacts
    known = {"content": mine.content, "size": len(mine.raw)}
    assert demo == artifact("1.0", mine.filename, mine.raw, None, **known)
    assert is_proved(demo, wheels.packaged(mine))


def test_a_wheel_in_a_folder_that_installs_other_files_is_not_the_installed_one(
    tmp_path: Path,
) -> None:
    mine = wheels.wheel("demo", "1.0+lab")
    theirs = wheels.wheel("demo", "1.0+lab", {"demo.py": b"other\n"})
    package = wheels.packaged(mine)
    (demo,) = locked_here(tmp_path, package, theirs).unlocked
    assert demo == Unlocked(
        name="demo", version=mine.version, candidates=(theirs.filename,),
        why=f"{theirs.filename} on this machine has its name, version and tags, and installs other "
            "files than are installed",
    )  # fmt: skip
    edited = Changes(edited=("demo.py",), missing=(), extra=(), files=1)
    (kept,) = locked_here(tmp_path, replace(package, changes=edited), theirs).artifacts
    assert kept.filename == theirs.filename  # the package's digest is that of the edited files


def test_a_wheel_that_lies_here_and_is_not_it_is_not_it_on_an_index_either(tmp_path: Path) -> None:
    mine, theirs = wheels.wheel("demo", "1.0"), wheels.wheel("demo", "1.0", {"demo.py": b"2\n"})
    package, index = wheels.packaged(mine), {theirs.filename: theirs.raw}
    assert locked_here(tmp_path, package, **index).artifacts != ()  # by its tags alone
    (demo,) = locked_here(tmp_path, package, theirs, **index).unlocked
    assert demo.why.startswith(f"{theirs.filename} on this machine has its name, version and tags")


def test_a_wheel_of_which_nobody_can_say_what_it_installs_is_matched_by_its_tags(
    tmp_path: Path,
) -> None:
    theirs = wheels.wheel("demo", "1.0")
    package = wheels.packaged(theirs, content=Unknown(Reason.NOT_RECORDED, "no RECORD"))
    (demo,) = locked_here(tmp_path, package, theirs).artifacts
    assert demo == artifact("1.0", theirs.filename, theirs.raw, None, size=len(theirs.raw))
    assert not is_proved(demo, package)


def test_a_record_that_lies_proves_nothing(tmp_path: Path) -> None:
    mine = wheels.wheel("demo", "1.0")
    with zipfile.ZipFile(io.BytesIO(mine.raw)) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    forged = mine._replace(raw=wheels.zipped({**files, "demo.py": b"evil\n"}))
    (demo,) = locked_here(tmp_path, wheels.packaged(mine), forged).unlocked
    assert demo.candidates == (forged.filename,)


def test_a_file_with_the_tags_of_the_installed_one_is_matched_and_not_proved() -> None:
    name, raw = wheel("demo", "1.0")
    package = made.package("demo", "1.0")
    with served(index_of({name: raw})) as address:
        (demo,) = locked((package,), address).artifacts
    assert demo.is_installed is True
    assert not is_proved(demo, package)
    digest = f"sha256={hashlib.sha256(raw).hexdigest()}"
    assert is_proved(demo, replace(package, origin=made.origin(archive_hash=digest)))


def test_what_a_wheelhouse_was_filled_with_stays_in_the_lock_until_an_index_proves_it() -> None:
    name, raw = wheel("demo", "1.0")
    package = made.package("demo", "1.0", content="1" * 64)
    mine = made.package("mine", "0.1", origin=made.origin("editable"), content="2" * 64)
    filled = (
        made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl", url=None, how="made",
                      content="1" * 64),
        made.artifact("mine", "0.1", "mine-0.1-py3-none-any.whl", url=None, how="built",
                      content="2" * 64),
    )  # fmt: skip
    before = made.manifest((package, mine), filled)
    with served(index_of({name: raw})) as address:
        options = LockOptions(indexes=Indexes(default=f"http://{address}/simple"))
        again = make_lock(before, options)
        assert (again.artifacts, again.unlocked) == (filled, ())
        other = made.manifest((made.package("demo", "1.0"), replace(mine, version="0.2")))
        changed = make_lock(other.with_lock(before.lock), options)
        digest = f"sha256={hashlib.sha256(raw).hexdigest()}"
        known = replace(package, origin=made.origin(archive_hash=digest))
        proved = make_lock(made.manifest((known,)).with_lock(before.lock), options)
    assert changed.artifacts == (artifact("1.0", name, raw, None),)
    assert [each.name for each in changed.unlocked] == ["mine"]
    assert proved.artifacts == (artifact("1.0", name, raw, None),)


def test_what_was_seen_in_a_fetched_file_is_not_forgotten_by_the_next_lock() -> None:
    name, raw = wheel("demo", "1.0")
    package = made.package("demo", "1.0", content="1" * 64)
    seen = artifact("1.0", name, raw, None, content="1" * 64)
    with served(index_of({name: raw})) as address:
        options = LockOptions(indexes=Indexes(default=f"http://{address}/simple"))
        again = make_lock(made.manifest((package,), (seen,)), options)
    assert again.artifacts == (seen,)


def test_a_conda_archive_that_was_made_again_stays_in_the_lock_of_its_environment() -> None:
    gone = CondaArtifact(
        name="zlib", version="1.3", build="h1", subdir="linux-64", filename="zlib-1.3-h1.conda",
        url="https://files.example/zlib-1.3-h1.conda", sha256="1" * 64, md5=None, size=1,
    )  # fmt: skip
    again = replace(gone, url=None, sha256="2" * 64, how="made")
    lock = Lock(environment="0" * 12, locker="uv 1.0", artifacts=(), unlocked=(), conda=(again,))
    assert kept_archives([gone], lock, "0" * 12) == (again,)
    assert kept_archives([gone], lock, "1" * 12) == (gone,)
    assert kept_archives([gone], None, "0" * 12) == (gone,)
