"""A wheelhouse is filled: fetched, built, or made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from envsnap.errors import ManifestError, ToolError
from envsnap.sections import (
    Artifact,
    Lock,
    Packages,
)
from envsnap.wheelhouse._store import open_wheelhouse
from tests.wheelhouse.by_hand import install
from tests.wheelhouse.places import Place, editable, git, inside, needs_git, sha256, source_of, told


def test_files_are_fetched_and_what_is_on_no_index_is_made_again(place: Place) -> None:
    place.put("one")
    place.put("two")
    manifest = place.locked({"two": "no index has it"})
    filled = place.fill(manifest)
    assert told(filled) == {
        "one-1.0-py3-none-any.whl": ("index", ()),
        "two-1.0-py3-none-any.whl": ("made", ("not fetched: no index has it",)),
    }
    assert filled.failed == ()
    assert place.shelf.asked == ["one-1.0-py3-none-any.whl"]
    assert open_wheelhouse(str(place.target)) == filled.wheelhouse
    lock = filled.manifest.lock
    assert lock is not None
    assert [(each.name, each.how, each.url is None) for each in lock.artifacts] == [
        ("one", "index", False),
        ("two", "made", True),
    ]
    packages = manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    assert [each.content for each in lock.artifacts] == [e.content for e in packages.installed]
    for each in filled.wheelhouse.files:
        assert sha256(Path(filled.wheelhouse.path(each)).read_bytes()) == each.sha256


def test_a_second_run_fetches_nothing_and_changes_no_byte(place: Place) -> None:
    place.put("one")
    place.put("two")
    first = place.fill(place.locked({"two": "no index has it"}))
    before = {each.name: each.read_bytes() for each in sorted(place.target.iterdir())}
    second = place.fill(first.manifest)
    assert place.shelf.asked == ["one-1.0-py3-none-any.whl"]
    assert {each.name: each.read_bytes() for each in sorted(place.target.iterdir())} == {
        **before,
        "wheelhouse.json": (place.target / "wheelhouse.json").read_bytes(),
    }
    assert second.manifest == first.manifest
    third = place.fill(place.locked({"two": "no index has it"}))
    assert third.wheelhouse == first.wheelhouse
    assert third.manifest.lock == first.manifest.lock
    assert {each.name: each.read_bytes() for each in sorted(place.target.iterdir())} == before


def test_a_file_that_the_index_has_dropped_is_made_again(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    place.shelf.files.clear()
    filled = place.fill(manifest)
    why = f"not fetched: {place.url}/files/one-1.0-py3-none-any.whl is gone: the server answers 404"
    assert told(filled) == {"one-1.0-py3-none-any.whl": ("made", (why,))}


def test_a_file_that_is_gone_and_not_installed_here_is_said_with_what_can_be_done(
    place: Place,
) -> None:
    place.put("one")
    manifest = place.locked()
    place.shelf.files.clear()
    filled = place.fill(manifest, look_here=False, allow_host=frozenset({"127.0.0.1"}))
    assert [(each.name, each.version) for each in filled.failed] == [("one", "1.0")]
    assert filled.failed[0].why == (
        f"{place.url}/files/one-1.0-py3-none-any.whl is gone: the server answers 404. "
        "Fill the wheelhouse where the environment still is: "
        "envsnap lock --wheelhouse DIR --python ENV"
    )
    assert filled.wheelhouse.files == ()


def test_other_bytes_under_the_right_name_are_not_taken(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    place.shelf.files["one-1.0-py3-none-any.whl"] = b"something else"
    filled = place.fill(manifest)
    name = "one-1.0-py3-none-any.whl"
    assert told(filled) == {
        name: (
            "made",
            (f"not fetched: {place.url}/files/{name} has other bytes than those that were locked",),
        )
    }


def test_a_wheel_that_would_install_other_files_is_made_of_those_that_are_installed(
    place: Place,
) -> None:
    place.put("one")
    install(place.env, {"one.py": b"x = 2\n"}, "one")
    filled = place.fill(place.locked())
    why = "not fetched: the file of that name on the index installs other files than are installed"
    assert told(filled) == {"one-1.0-py3-none-any.whl": ("made", (why,))}


def test_a_strange_host_is_named_before_anything_is_fetched(place: Place) -> None:
    place.put("one")
    manifest = place.locked()
    lock = manifest.lock
    assert lock is not None
    strange = [
        Artifact(
            name="one", version="1.0", filename="one-1.0-py3-none-any.whl",
            url="https://files.example/one-1.0-py3-none-any.whl", sha256="0" * 64, size=1,
            is_installed=True, how="address",
        )
    ]  # fmt: skip
    foreign = manifest.with_lock(
        Lock(environment=lock.environment, locker="", artifacts=tuple(strange), unlocked=())
    )
    with pytest.raises(ToolError) as caught:
        place.fill(foreign)
    assert caught.value.message == (
        "1 file is not fetched, from files.example (1): "
        "files.example is neither in your own settings nor allowed"
    )
    assert caught.value.hint == "If you trust it, allow it: --allow-host files.example"
    assert not place.target.exists()


@pytest.mark.parametrize("name", ["../one.whl", "/one.whl", "a/one.whl", ".one.whl", "one\n.whl"])
def test_a_lock_cannot_write_outside_the_folder(place: Place, name: str) -> None:
    place.put("one")
    manifest = place.locked()
    artifact = Artifact(
        name="one", version="1.0", filename=name, url=f"{place.url}/files/one", sha256="0" * 64,
        size=1, is_installed=True,
    )  # fmt: skip
    lock = Lock(environment="0" * 12, locker="", artifacts=(artifact,), unlocked=())
    with pytest.raises(ManifestError) as caught:
        place.fill(manifest.with_lock(lock))
    assert caught.value.message == (
        f"{name!a} is no name of a file in 'lock.artifacts[0].filename'"
    )
    assert not place.target.exists()


def test_files_of_another_environment_are_left_alone(place: Place) -> None:
    place.target.mkdir()
    (place.target / "other-1.0-py3-none-any.whl").write_bytes(b"other")
    place.put("one")
    place.fill(place.locked())
    assert (place.target / "other-1.0-py3-none-any.whl").read_bytes() == b"other"
    listed = json.loads((place.target / "wheelhouse.json").read_text())
    assert [each["filename"] for each in listed["files"]] == ["one-1.0-py3-none-any.whl"]


def test_a_source_is_kept_as_bytes_beside_the_wheel_of_what_is_installed(
    place: Place, tmp_path: Path
) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    filled = place.fill(place.locked())
    assert told(filled) == {
        "one-1.0-py3-none-any.whl": ("made", ("not fetched: the index has its source alone",)),
        "sources/one-1.0.tar.gz": ("index", ()),
    }
    assert not (tmp_path / "canary").exists()


def test_a_strangers_source_is_not_run(place: Place, tmp_path: Path) -> None:
    place.put("one")
    place.shelf.files.clear()
    place.shelf.files["one-1.0.tar.gz"] = source_of(tmp_path / "canary")
    filled = place.fill(place.locked(), look_here=False)
    note = "a source: it is built where it is restored, which runs its code (--allow-build)"
    assert told(filled) == {"sources/one-1.0.tar.gz": ("index", (note,))}
    assert not (tmp_path / "canary").exists()


@needs_git
def test_an_editable_project_is_built_from_its_commit(place: Place, tmp_path: Path) -> None:
    project = editable(place, tmp_path)
    (project / "mine.egg-info").mkdir()
    (project / "mine.egg-info" / "PKG-INFO").write_text("")
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    assert told(filled) == {
        "mine-1.0-py3-none-any.whl": (
            "built",
            (
                "built from its source by its own backend",
                f"built from commit {git(project, 'rev-parse', 'HEAD')}",
                "not fetched: it is an editable project",
            ),
        )
    }


@needs_git
def test_a_changed_project_is_built_as_it_is_and_said_to_be(place: Place, tmp_path: Path) -> None:
    project = editable(place, tmp_path)
    (project / "mine.py").write_text("x = 2\n")
    filled = place.fill(place.locked({"mine": "it is an editable project"}))
    packages = filled.manifest.section(Packages)
    assert isinstance(packages, Packages)
    assert isinstance(packages.installed, tuple)
    commit = git(project, "rev-parse", "HEAD")[:12]
    notes = filled.wheelhouse.files[0].notes
    assert notes[1] == (
        f"built from its folder as it is: 1 changed files on commit {commit}, "
        f"difference {packages.installed[0].origin.difference}"
    )
    assert git(project, "status", "--porcelain") == "M mine.py"


@needs_git
def test_the_recorded_commit_is_built_though_the_folder_has_moved_on(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")
    manifest = place.locked({"mine": "it is an editable project"})
    (project / "mine.py").write_text("x = 2\n")
    git(project, "commit", "--quiet", "-a", "-m", "second")
    (project / "mine.py").write_text("x = 3\n")
    filled = place.fill(manifest)
    assert filled.wheelhouse.files[0].notes == (
        "built from its source by its own backend",
        f"its folder is at commit {git(project, 'rev-parse', 'HEAD')[:12]} now",
        f"built from commit {commit}",
        "not fetched: it is an editable project",
    )
    assert inside(filled, "mine.py") == b"x = 1\n"
    assert filled.differing == ()


@needs_git
def test_what_is_built_of_another_commit_than_the_recorded_one_is_not_what_was_captured(
    place: Place, tmp_path: Path
) -> None:
    project = editable(place, tmp_path)
    commit = git(project, "rev-parse", "HEAD")
    manifest = place.locked({"mine": "it is an editable project"})
    shutil.rmtree(project / ".git")
    (project / "mine.py").write_text("x = 2\n")
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "another")
    filled = place.fill(manifest)
    head = git(project, "rev-parse", "HEAD")[:12]
    assert filled.wheelhouse.files[0].notes == (
        "built from its source by its own backend",
        f"built from its folder as it is: 0 changed files on commit {head}",
        f"not what was captured: that was commit {commit[:12]}, which its repository has no more",
        "not fetched: it is an editable project",
    )
    assert filled.differing == filled.wheelhouse.files
    lock = filled.manifest.lock
    assert lock is not None
    assert [each.is_installed for each in lock.artifacts] == [False]
