"""A folder of wheels as the lock of an environment: what proves to be its file, what does not."""

from __future__ import annotations

import hashlib
from pathlib import Path

from envsnap.lock._conda import conda_artifacts
from envsnap.manifest import Manifest, environment_id
from envsnap.sections import CondaRecord, Lock, Packages, Reason, Unknown, Unlocked
from envsnap.wheelhouse._local_lock import is_whole, local_lock
from tests import made, wheels

ONE, TWO = wheels.wheel("one", "1.0"), wheels.wheel("two", "2.0+lab")
OTHER = wheels.wheel("two", "2.0+lab", {"two.py": b"VERSION = 'another'\n"})


def captured(*of: wheels.Wheel) -> Manifest:
    """The manifest of these wheels, without a lock."""
    return wheels.manifest(*of).with_lock(None)


def folder(path: Path, *of: wheels.Wheel) -> str:
    return str(wheels.wheelhouse(path / "wh", captured(*of), *of))


def record(name: str, sha256: str) -> CondaRecord:
    return CondaRecord(
        name=name, version="1.0", build="0", channel="lab", subdir="noarch", md5=None,
        url=f"https://files.example/lab/noarch/{name}-1.0-0.conda", sha256=sha256,
    )  # fmt: skip


def unlocked(lock: Lock) -> dict[str, str]:
    return {each.name: each.why for each in lock.unlocked}


def test_a_wheel_is_its_package_s_by_name_version_and_content(tmp_path: Path) -> None:
    manifest = captured(ONE, TWO)
    place = folder(tmp_path, ONE, TWO)
    lock = local_lock(manifest, place)
    assert lock.environment == environment_id(manifest)
    assert [(each.filename, each.sha256, each.content) for each in lock.artifacts] == [
        (each.filename, each.sha256, each.content) for each in (ONE, TWO)
    ]
    assert {(each.url, each.how, each.is_installed) for each in lock.artifacts} == {
        (None, "index", True)
    }
    assert (lock.unlocked, is_whole(lock, place)) == ((), True)


def test_a_wheel_of_other_files_is_not_taken_for_its_package_s(tmp_path: Path) -> None:
    place = folder(tmp_path, ONE, OTHER)
    lock = local_lock(captured(ONE, TWO), place)
    why = (
        f"{OTHER.filename} in the wheelhouse has its name and version, and installs other files "
        "than were captured"
    )
    assert lock.unlocked == (Unlocked(name="two", version="2.0+lab", why=why),)
    assert [each.name for each in lock.artifacts] == ["one"]
    assert not is_whole(lock, place)


def test_what_is_missing_broken_or_a_source_alone_is_named(tmp_path: Path) -> None:
    three = wheels.wheel("three", "3.0")
    place = Path(folder(tmp_path, ONE, TWO))
    (place / TWO.filename).write_bytes(TWO.raw[:-30])
    (place / "sources").mkdir()
    (place / "sources" / "three-3.0.tar.gz").write_bytes(b"source")
    (place / ONE.filename).unlink()
    assert unlocked(local_lock(captured(ONE, TWO, three), str(place))) == {
        "one": "no file of it is in the wheelhouse, and no index was asked (--offline)",
        "two": f"{TWO.filename} in the wheelhouse is no wheel that is whole",
        "three": "only its source is in the wheelhouse, and what builds it would be fetched "
        "(--offline)",
    }


def test_a_folder_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    lock = local_lock(captured(ONE), str(tmp_path / "nowhere"))
    assert (lock.artifacts, list(unlocked(lock))) == ((), ["one"])


def test_another_version_is_no_file_of_a_package(tmp_path: Path) -> None:
    place = folder(tmp_path, wheels.wheel("one", "1.0.1"))
    assert list(unlocked(local_lock(captured(ONE), place))) == ["one"]


def test_the_address_of_the_very_bytes_is_kept_from_an_earlier_lock(tmp_path: Path) -> None:
    url = "https://files.example/one-1.0-py3-none-any.whl"
    earlier = wheels.manifest(ONE, url=url, how="index")
    place = folder(tmp_path, ONE)
    assert [each.url for each in local_lock(earlier, place).artifacts] == [url]
    other = wheels.manifest(ONE, url=url, how="index", sha256="ab" * 32)
    assert [each.url for each in local_lock(other, place).artifacts] == [None]


def test_of_an_editable_project_no_wheel_is_proved(tmp_path: Path) -> None:
    editable = made.package("two", "2.0+lab", origin=made.origin("editable"), content="0" * 64)
    manifest = made.manifest((editable,), (), python=wheels.PYTHON).with_lock(None)
    (found,) = local_lock(manifest, folder(tmp_path, TWO)).artifacts
    why = "it was installed as an editable project, whose own files no wheel has"
    assert found.is_installed == Unknown(Reason.NOT_SUPPORTED, why)
    assert (found.how, found.content) == ("built", TWO.content)


def test_a_package_without_a_digest_is_matched_by_its_tags_and_not_proved(tmp_path: Path) -> None:
    unknown = Unknown(Reason.NOT_RECORDED, "no RECORD")
    manifest = made.manifest((wheels.packaged(ONE, content=unknown),), (), python=wheels.PYTHON)
    (found,) = local_lock(manifest.with_lock(None), folder(tmp_path, ONE)).artifacts
    assert found.is_installed == Unknown(Reason.NOT_RECORDED, "nothing tells what was installed")


def test_only_the_wheels_that_count_are_looked_at(tmp_path: Path) -> None:
    place = folder(tmp_path, ONE, TWO)
    lock = local_lock(captured(ONE, TWO), place, frozenset({ONE.filename}))
    assert ([each.name for each in lock.artifacts], list(unlocked(lock))) == (["one"], ["two"])


def test_a_hostile_name_leads_nowhere(tmp_path: Path) -> None:
    place = Path(folder(tmp_path, ONE))
    (place / "one-1.0-py3-none-any.whl").rename(place / "one-1.0-py3-none-any.whl \n.whl")
    assert list(unlocked(local_lock(captured(ONE), str(place)))) == ["one"]


def test_conda_s_archives_are_taken_by_their_hash_and_absent_ones_stay_named(
    tmp_path: Path,
) -> None:
    raw = b"an archive"
    digest = hashlib.sha256(raw).hexdigest()
    records = (record("gone", "ab" * 32), record("here", digest))
    packages = Packages(installed=(), conda_only=records, broken=())
    manifest = made.manifest((), (), packages=packages).with_lock(None)
    known = {each.name: each for each in conda_artifacts(manifest).artifacts}
    target = tmp_path / "conda" / known["here"].subdir / known["here"].filename
    target.parent.mkdir(parents=True)
    target.write_bytes(raw)
    lock = local_lock(manifest, str(tmp_path))
    assert [(each.name, each.sha256, each.size) for each in lock.conda] == [
        ("gone", "ab" * 32, known["gone"].size), ("here", digest, len(raw)),
    ]  # fmt: skip
    assert not is_whole(lock, str(tmp_path))
