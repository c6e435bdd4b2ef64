"""Filling a wheelhouse again, elsewhere, or beside others."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from envsnap.errors import ExitCode, FileError
from envsnap.manifest import environment_id
from envsnap.sections import (
    Reason,
    Unknown,
    replace,
)
from envsnap.wheelhouse._claim import claimed
from envsnap.wheelhouse._fill import fill
from envsnap.wheelhouse._store import open_wheelhouse
from tests.wheelhouse.by_hand import install
from tests.wheelhouse.places import (
    BACKEND,
    Place,
    editable,
    from_a_forge,
    git,
    inside,
    needs_git,
    source_of,
    told,
)


def test_a_run_where_the_environment_is_not_drops_no_good_file(place: Place) -> None:
    for name in ("one", "two", "three"):
        place.put(name)
    without = {"two": "no index has it"}
    manifest = place.locked(without)
    install(place.env, {"three.py": b"x = 3\n"}, "three")
    changed = place.captured()
    assert manifest.lock is not None
    environment = environment_id(changed)
    assert isinstance(environment, str)
    manifest = changed.with_lock(replace(manifest.lock, environment=environment))
    first = place.fill(manifest)
    assert [each.how for each in first.wheelhouse.files] == ["index", "made", "made"]
    second = place.fill(manifest, look_here=False)
    assert second.wheelhouse == first.wheelhouse
    assert second.failed == ()
    assert second.manifest.lock == first.manifest.lock
    assert open_wheelhouse(str(place.target)) == first.wheelhouse


def test_a_list_that_is_cut_off_loses_nothing_that_the_lock_names(place: Place) -> None:
    place.put("one")
    place.put("two")
    first = place.fill(place.locked({"two": "no index has it"}))
    (place.target / "wheelhouse.json").write_bytes(b'{"wheelhouse": "1", "fil')
    second = place.fill(first.manifest, look_here=False)
    assert [e.filename for e in second.wheelhouse.files] == [
        e.filename for e in first.wheelhouse.files
    ]
    assert second.failed == ()


def test_a_source_stays_listed_beside_the_wheel_that_the_lock_names(
    place: Place, tmp_path: Path
) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    site = next(place.env.glob("lib/python3.*/site-packages"))
    (site / "one.py").write_text("x = 'edited'\n")
    first = place.fill(place.locked())
    second = place.fill(first.manifest)
    assert [each.filename for each in second.wheelhouse.files] == [
        "one-1.0-py3-none-any.whl",
        "sources/one-1.0.tar.gz",
    ]


@pytest.mark.parametrize("is_here", [True, False])
def test_a_wheel_that_is_not_whole_counts_as_not_had(place: Place, *, is_here: bool) -> None:
    place.put("one")
    name = "one-1.0-py3-none-any.whl"
    place.shelf.files[name] = place.shelf.files[name][:-30] + b"x" * 30
    filled = place.fill(place.locked(), look_here=is_here)
    why = "the file of that name on the index is no wheel that is whole"
    if is_here:
        assert told(filled) == {name: ("made", (f"not fetched: {why}",))}
        return
    assert told(filled) == {}
    assert [each.why for each in filled.failed] == [
        (
            f"{why}. Fill the wheelhouse where the environment still is: "
            "envsnap lock --wheelhouse DIR --python ENV"
        )
    ]
    assert not (place.target / name).exists()


def test_an_index_that_fails_just_now_keeps_its_place_in_the_lock(place: Place) -> None:
    place.put("one")
    name = "one-1.0-py3-none-any.whl"
    place.shelf.failing.add(name)
    manifest = place.locked()
    filled = place.fill(manifest)
    fault = f"{place.url}/files/{name} could not be fetched: the server answers 503"
    assert told(filled) == {name: ("made", (f"not fetched: {fault}",))}
    assert [(each.name, each.why) for each in filled.failed] == [
        (
            "one",
            (
                f"made again for now, for its file was not fetched: {fault}. "
                "Run the same command again: what is complete is kept"
            ),
        )
    ]
    assert filled.manifest.lock == manifest.lock
    place.shelf.failing.clear()
    again = place.fill(filled.manifest)
    assert told(again) == {name: ("index", ())}
    assert again.failed == ()


def test_who_is_waited_for_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envsnap.wheelhouse._arrive._SILENT_S", 0.5)
    place.put("one")
    place.shelf.failing.add("one-1.0-py3-none-any.whl")
    lines: list[str] = []
    manifest = place.locked()
    assert manifest.lock is not None
    unknown = Unknown(Reason.NOT_SUPPORTED, "the index does not say it")
    artifact = replace(manifest.lock.artifacts[0], size=unknown)
    manifest = manifest.with_lock(replace(manifest.lock, artifacts=(artifact,)))
    fill(manifest, str(place.target), place.options(), lines.append)
    assert lines[0] == "0 of 1 files, 0.0 GB, 0 MB/s"
    assert "0 of 1 files, 0.0 GB, 0 MB/s; waiting for 127.0.0.1 ..." in lines


def test_a_second_run_on_the_same_folder_is_refused(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    with claimed(str(place.target)), pytest.raises(FileError) as caught:
        place.fill(manifest)
    assert caught.value.message == f"Another run fills {place.target}"
    assert caught.value.exit_code is ExitCode.FILE
    assert place.fill(manifest).failed == ()


@needs_git
def test_a_wheelhouse_in_a_project_does_not_change_it(place: Place, tmp_path: Path) -> None:
    project = editable(place, tmp_path)
    (project / "mine.py").write_text("x = 2\n")
    (project / "envsnap.lock.json").write_text("{}")
    listing = 'wheel.write("mine.py"); wheel.writestr("seen.py", str(sorted(os.listdir("."))))'
    (project / "backend.py").write_text(BACKEND.replace('wheel.write("mine.py")', listing))
    manifest = place.locked({"mine": "it is an editable project"})
    filled = fill(manifest, str(project / "wheels"), place.options(), lambda _: None)
    assert git(project, "status", "--porcelain").split() == [
        "M", "backend.py", "M", "mine.py", "??", "envsnap.lock.json",
    ]  # fmt: skip
    seen = inside(filled, "seen.py").decode()
    assert "envsnap.lock.json" not in seen
    assert "wheels" not in seen
    assert "pyproject.toml" in seen


def test_files_of_somebody_else_are_not_hidden_from_git(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("")
    with claimed(str(tmp_path)):
        (tmp_path / "wheelhouse.json").write_text("")
    with claimed(str(tmp_path)):
        pass
    assert not (tmp_path / ".gitignore").exists()


@needs_git
def test_where_git_is_missing_no_folder_is_said_to_be_without_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editable(place, tmp_path)
    manifest = place.locked({"mine": "it is an editable project"})
    tools = tmp_path / "tools"
    tools.mkdir()
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    (tools / "uv").symlink_to(uv)
    monkeypatch.setenv("PATH", str(tools))
    filled = place.fill(manifest)
    assert filled.wheelhouse.files[0].notes == (
        "built from its source by its own backend",
        "its folder is taken as it is: git is not here: its commit is not proved",
        "git is not here: its commit is not proved",
        "not fetched: it is an editable project",
    )


def test_what_came_of_a_repository_is_made_again_and_no_build_code_runs(place: Place) -> None:
    filled = place.fill(from_a_forge(place, "https://forge.example/mine", "0" * 40))
    assert told(filled) == {
        "mine-1.0-py3-none-any.whl": (
            "made",
            (
                "made again from the installed files: the same bytes, and no build code runs",
                "not fetched: it is a repository's",
            ),
        )
    }


def test_a_repository_is_built_from_where_that_is_asked(place: Place) -> None:
    manifest = from_a_forge(place, "http://127.0.0.2:1/mine", "0" * 40)
    filled = place.fill(manifest, allow_build=frozenset({"mine"}))
    assert [each.why for each in filled.failed] == [
        "it is a repository's; git could not fetch commit 000000000000 of it"
    ]


def test_an_anonymous_manifest_is_said_to_be_one(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    captured = replace(manifest.captured, anonymous=True)
    place.shelf.files.clear()
    filled = place.fill(
        replace(manifest, captured=captured),
        look_here=False,
        allow_host=frozenset({"127.0.0.1"}),
    )
    assert [each.why.partition("404. ")[2] for each in filled.failed] == [
        (
            "The manifest is anonymous, so its names may not be those that are installed: fill the "
            "wheelhouse from the manifest that is not, and restore from that one"
        )
    ]
