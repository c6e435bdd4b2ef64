"""envsnap restore and its wheelhouse's word: what may stand in for a source or for a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.manifest import environment_id, save
from tests import made, wheels
from tests.cli.restoring import ALL, ALPHA, BETA, place, restore

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = wheels.wheel("alpha", "1.0")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return place(tmp_path)


def of_source(content: str, folder: Path, *files: wheels.Wheel) -> None:
    """A manifest whose lock names the source of alpha, beside a wheelhouse with these wheels."""
    artifacts = (made.artifact("alpha", "1.0", "alpha-1.0.tar.gz", sha256="a" * 64, how="index"),)
    packages = (wheels.packaged(ALPHA, content=content),)
    manifest = made.manifest(packages, artifacts, python=wheels.PYTHON)
    save(manifest, str(folder / "envsnap.lock.json"))
    wheels.wheelhouse(folder / "wh", manifest, *files)


def test_a_wheel_of_what_was_captured_stands_in_for_a_source(tmp_path: Path) -> None:
    of_source(PLAIN.content, tmp_path, PLAIN)
    ended = restore(tmp_path, "--wheelhouse", "wh")
    assert (ended.code, ended.err.splitlines()[1:]) == (
        0,
        ["Restored 1 of 1 packages; all as captured", "To use it:"],
    )


def test_a_wheel_that_only_its_list_calls_the_captured_one_does_not(tmp_path: Path) -> None:
    """The list that came with it states the content of the captured package."""
    evil = wheels.wheel("alpha", "1.0", {"alpha.py": b"VERSION = 'evil'\n"})
    of_source(PLAIN.content, tmp_path, evil._replace(content=PLAIN.content))
    ended = restore(tmp_path, "--wheelhouse", "wh")
    assert (ended.code, ended.err.splitlines()[0]) == (
        6,
        "error: Only their source is there, and building it runs its code here: alpha",
    )
    assert not (tmp_path / "env").exists()


def test_what_was_made_is_compared_with_the_lock_and_not_with_its_list(tmp_path: Path) -> None:
    manifest = wheels.manifest(ALPHA, content="0" * 64)
    save(manifest, str(tmp_path / "envsnap.lock.json"))
    wheels.wheelhouse(tmp_path / "wh", manifest, ALPHA)
    ended = restore(tmp_path, "--wheelhouse", "wh")
    assert (ended.code, ended.err.splitlines()[-2]) == (
        1,
        "  alpha 1.0: other files under the same version",
    )


def test_a_source_under_the_name_of_a_wheel_is_not_installed(project: Path) -> None:
    """The list calls the bytes of the locked source a wheel."""
    fake = ALPHA._replace(filename="alpha-1.0-py3-none-any.whl")
    artifacts = (
        made.artifact("alpha", "1.0", "alpha-1.0.tar.gz", sha256=fake.sha256, how="index"),
    )
    manifest = made.manifest(
        (wheels.packaged(ALPHA, content="0" * 64),), artifacts, python=wheels.PYTHON
    )
    save(manifest, str(project / "envsnap.lock.json"))
    ended = restore(project, "--wheelhouse", "wh")
    assert (ended.code, ended.err.splitlines()[1]) == (
        6,
        "error: Only their source is there, and building it runs its code here: alpha",
    )


def test_a_manifest_without_a_lock_is_restored_from_its_own_wheelhouse(project: Path) -> None:
    save(wheels.manifest(*ALL).with_lock(None), str(project / "envsnap.lock.json"))
    ended = restore(project, "--wheelhouse", "wh", https_proxy="http://127.0.0.1:9", UV_OFFLINE="1")
    assert (ended.code, ended.err.splitlines()[0]) == (
        0,
        "The manifest has no lock: wh has every file, and nobody is asked",
    )
    assert "Restored 3 of 3 packages; all as captured\n" in ended.err


def test_what_a_wheelhouse_says_of_its_own_content_does_not_count(project: Path) -> None:
    """Without a lock there is the manifest alone to say which files belong to that version."""
    evil = wheels.wheel("alpha", "1.0", {"alpha.py": b"VERSION = 'evil'\n"})
    manifest = wheels.manifest(ALPHA).with_lock(None)
    save(manifest, str(project / "envsnap.lock.json"))
    wheels.wheelhouse(project / "wh2", manifest, evil._replace(content=ALPHA.content))
    ended = restore(project, "--wheelhouse", "wh2")
    assert (ended.code, ended.err.splitlines()[-2]) == (
        1,
        "  alpha 1.0: other files under the same version",
    )


def test_a_wheelhouse_of_another_environment_is_said_to_be_one(project: Path) -> None:
    other = wheels.manifest(BETA)
    wheels.wheelhouse(project / "wh2", other, *ALL)
    ended = restore(project, "--wheelhouse", "wh2")
    assert (ended.code, ended.err.splitlines()[0]) == (
        0,
        f"wh2 is of environment {environment_id(other)}: files are taken from it only by hash",
    )
