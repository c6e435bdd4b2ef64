"""A wheelhouse's folder has files of somebody else: they stay, whatever a run would put there."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import FileError
from envsnap.wheelhouse._claim import claimed
from envsnap.wheelhouse._store import LOCK_NAME, Stored, Wheelhouse, write_list
from tests.killing import each_step_killed
from tests.wheelhouse.by_hand import install
from tests.wheelhouse.places import Place, sha256, told

if TYPE_CHECKING:
    from pathlib import Path

NAME = "one-1.0-py3-none-any.whl"
MOVE = "Name another folder (--wheelhouse DIR), or move it away"
UNFIT = "the file of that name on the index installs other files than are installed"


def edited(place: Place) -> None:
    """The index has a wheel, and what is installed is another one of its name and version."""
    place.put("one")
    install(place.env, {"one.py": b"x = 'edited'\n"}, "one")


def put_there(place: Place, data: bytes) -> Path:
    place.target.mkdir()
    path = place.target / NAME
    path.write_bytes(data)
    return path


def list_it(place: Place, path: Path, how: str, environment: str) -> None:
    data = path.read_bytes()
    stored = Stored("one", "1.0", NAME, sha256(data), len(data), how)
    write_list(Wheelhouse(str(place.target), environment, (stored,)))


def test_a_download_that_does_not_fit_stays_where_it_was(place: Place) -> None:
    edited(place)
    path = put_there(place, place.shelf.files[NAME])
    filled = place.fill(place.locked())
    assert [each.why for each in filled.failed] == [
        (
            f"{UNFIT}; {NAME} in {{wheelhouse}} is another file, which no run can have again, and "
            "it stays: name another folder (--wheelhouse DIR), or move it away"
        )
    ]
    assert filled.wheelhouse.files == ()
    assert path.read_bytes() == place.shelf.files[NAME]


@pytest.mark.parametrize("how", [None, "made", "built"])
def test_a_wheel_that_no_run_can_have_again_is_not_replaced_and_nothing_is_fetched(
    place: Place, how: str | None
) -> None:
    place.put("one")
    path = put_there(place, b"the only copy")
    if how is not None:
        list_it(place, path, how, environment="another")
    with pytest.raises(FileError) as caught:
        place.fill(place.locked(), look_here=how is None)
    assert caught.value.message == (
        f"{place.target} has other files of these names, and no run can have them again: {NAME}"
    )
    assert caught.value.hint == MOVE
    assert path.read_bytes() == b"the only copy"
    assert place.shelf.asked == []


def test_a_package_that_was_edited_keeps_its_wheel_when_another_is_installed(place: Place) -> None:
    edited(place)
    first = place.fill(place.locked()).wheelhouse
    install(place.env, {"two.py": b"x = 2\n"}, "two")
    filled = place.fill(place.locked({"two": "no index has it"}))
    assert filled.wheelhouse.environment != first.environment
    assert [(each.filename, each.how) for each in filled.wheelhouse.files] == [
        (NAME, "made"), ("two-1.0-py3-none-any.whl", "made"),
    ]  # fmt: skip
    assert filled.wheelhouse.files[0].sha256 == first.files[0].sha256
    assert filled.failed == ()


def test_the_wheel_of_a_project_follows_it_when_it_is_edited_and_locked_again(
    place: Place,
) -> None:
    nowhere = {"one": "no index has it"}
    install(place.env, {"one.py": b"x = 1\n"}, "one")
    first = place.fill(place.locked(nowhere)).wheelhouse
    install(place.env, {"one.py": b"x = 'edited'\n"}, "one")
    filled = place.fill(place.locked(nowhere))
    assert filled.wheelhouse.environment != first.environment
    assert (filled.wheelhouse.files[0].filename, filled.failed) == (NAME, ())
    assert filled.wheelhouse.files[0].sha256 != first.files[0].sha256


def test_a_wheel_of_another_environment_stays_where_that_here_has_other_files(
    place: Place,
) -> None:
    place.put("one")
    path = put_there(place, b"the only copy")
    list_it(place, path, "made", environment="another")
    filled = place.fill(place.locked())
    assert [each.name for each in filled.failed] == ["one"]
    assert path.read_bytes() == b"the only copy"


def test_a_listed_file_that_was_changed_since_is_not_replaced(place: Place) -> None:
    place.put("one")
    path = put_there(place, b"fetched")
    list_it(place, path, "index", environment="another")
    path.write_bytes(b"built by hand")
    with pytest.raises(FileError):
        place.fill(place.locked())
    assert path.read_bytes() == b"built by hand"


def test_a_listed_file_of_an_index_is_replaced_for_it_can_be_had_again(place: Place) -> None:
    place.put("one")
    list_it(place, put_there(place, b"fetched"), "index", environment="another")
    assert told(place.fill(place.locked())) == {NAME: ("index", ())}


def test_a_made_wheel_is_not_put_in_the_place_of_one_that_no_run_can_have_again(
    place: Place,
) -> None:
    place.put("one")
    path = put_there(place, b"the only copy")
    filled = place.fill(place.locked({"one": "no index has it"}))
    assert [each.name for each in filled.failed] == ["one"]
    assert path.read_bytes() == b"the only copy"
    assert sorted(os.listdir(place.target)) == [LOCK_NAME, NAME, "wheelhouse.json"]


def test_a_wheel_of_the_same_environment_is_made_again_where_its_files_have_changed(
    place: Place,
) -> None:
    place.put("one")
    without = {"one": "no index has it"}
    first = place.fill(place.locked(without)).wheelhouse
    manifest = place.locked(without)
    site = next(place.env.glob("lib/python3.*/site-packages"))
    (site / "one.py").write_text("x = 'edited'\n")
    second = place.fill(manifest).wheelhouse
    assert [each.how for each in (*first.files, *second.files)] == ["made", "made"]
    assert first.files[0].sha256 != second.files[0].sha256


def test_a_run_that_was_killed_at_any_step_is_gone_on_with(place: Place) -> None:
    edited(place)
    manifest = place.locked()
    target = str(place.target)
    for _ in each_step_killed(
        lambda: place.fill(manifest), lambda: shutil.rmtree(target, ignore_errors=True), target
    ):
        filled = place.fill(manifest)
        assert told(filled) == {NAME: ("made", (f"not fetched: {UNFIT}",))}
        assert sorted(os.listdir(target)) == [".gitignore", LOCK_NAME, NAME, "wheelhouse.json"]
        assert (place.target / ".gitignore").read_text() == "*\n"


def test_a_wheel_that_was_half_made_by_an_earlier_version_is_removed(tmp_path: Path) -> None:
    for name in (f"{NAME}.0123abcd.made.part", "mine.made.part", f"{NAME}.part"):
        (tmp_path / name).write_bytes(b"half")
    with claimed(str(tmp_path)):
        pass
    assert sorted(os.listdir(tmp_path)) == [LOCK_NAME, "mine.made.part", f"{NAME}.part"]


def test_a_claim_that_was_killed_before_it_wrote_the_list_of_git_is_gone_on_with(
    tmp_path: Path,
) -> None:
    for name in (".gitignore", LOCK_NAME):
        (tmp_path / name).touch()
    for _ in range(2):
        with claimed(str(tmp_path)):
            pass
        assert (tmp_path / ".gitignore").read_text() == "*\n"
