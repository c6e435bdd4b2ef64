"""A job that is killed before any one of its steps on disk: the next one ends it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace as with_fields
from typing import TYPE_CHECKING

import pytest

from envsnap._build import build
from envsnap.cli import main
from envsnap.engines._folder import claim, making
from envsnap.errors import FileError
from tests.cli import restoring
from tests.cli.processes import BASE
from tests.killing import each_step_killed, killed_at
from tests.test_fetch import (
    MANIFEST,
    Served,
    answered,
    hashed,
    is_whole,
    options,
    place,
    run,
    served,
    summed,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
__all__ = ["served"]

RESTORE = ["restore", "env", "--wheelhouse", "wh", "--python", BASE.path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.usefixtures("project")
def test_a_build_goes_on() -> None:
    given = options("apptainer", "repo2docker").build
    given = with_fields(given, plan=with_fields(given.plan, offline=False))
    build(MANIFEST, given, answered)
    whole = hashed()
    for _ in each_step_killed(
        lambda: build(MANIFEST, given, answered), lambda: without("ctx"), "ctx"
    ):
        build(MANIFEST, given, answered)
        assert hashed() == whole


@pytest.mark.usefixtures("project")
def test_a_fetch_goes_on(served: Served) -> None:
    given = options("apptainer", "dockerfile", base=served.base)
    for _ in each_step_killed(lambda: run(given), lambda: without("ctx"), "ctx", every=2):
        if os.path.exists("ctx/SHA256SUMS"):  # which is written last
            assert summed().items() <= hashed().items()
        run(given)
        is_whole()
        assert not os.path.exists("ctx/.fetch")


@pytest.mark.usefixtures("project")
def test_a_folder_that_is_fetched_again_looks_whole_only_while_it_is(served: Served) -> None:
    run(options("apptainer", "dockerfile", base=served.base))
    shutil.copytree("ctx", "whole", symlinks=True)

    def prepare() -> None:
        without("ctx")
        shutil.copytree("whole", "ctx")

    given = options("apptainer", base=served.base)
    for _ in each_step_killed(lambda: run(given), prepare, "ctx", every=3):
        if os.path.exists("ctx/SHA256SUMS"):
            assert summed().items() <= hashed().items()
        run(given)
        is_whole()
        assert not os.path.exists("ctx/.fetch")


@pytest.mark.usefixtures("project")
def test_a_fetch_that_is_killed_again_and_again_gets_further(served: Served) -> None:
    for steps in range(0, 60, 3):
        killed_at(steps, lambda: run(options("apptainer", base=served.base)), "ctx")
    run(options("apptainer", base=served.base))
    is_whole()
    assert not os.path.exists("ctx/.fetch")


@pytest.mark.parametrize("following", ["a plain run", "one that fails", "one that ends well"])
def test_a_restored_environment_is_made_anew(following: str, empty: Path) -> None:
    """The old one is whole, at its place or found by the next run, until the new one is."""
    folder = empty / "env"

    def make(text: str = "new", *, fails: bool = False) -> None:
        with making("env", "0123456789ab", force=True):
            (folder / "pyvenv.cfg").write_text(text)
            (folder / "bin").mkdir()
            (folder / "bin" / "python").write_text(text)
            if fails:
                raise ZeroDivisionError

    def prepare() -> None:
        without("env")
        make("old")

    def held() -> set[str]:
        found = {(folder / name).read_text() for name in ("pyvenv.cfg", "bin/python")}
        assert len(found) == 1
        return found

    names = [".gitignore", "bin", "envsnap-restore.json", "pyvenv.cfg"]
    seen = set()
    for _ in each_step_killed(make, prepare):
        if following == "a plain run":
            with pytest.raises(FileError, match="holds an environment that was restored before"):
                claim("env", force=False)
            seen |= held()
        elif following == "one that fails":
            with pytest.raises(ZeroDivisionError):
                make("failed", fails=True)
            seen |= held()
        make()
        assert held() == {"new"}
        assert sorted(os.listdir("env")) == names
        assert os.listdir() == ["env"]
    assert seen == (set() if following == "one that ends well" else {"old", "new"})


def test_a_restore_goes_on(empty: Path) -> None:
    restoring.place(empty)
    assert main(RESTORE) == 0
    whole = sorted(os.listdir("env"))
    for _ in each_step_killed(lambda: main(RESTORE), lambda: without("env"), every=4):
        assert main([*RESTORE, "--force"]) == 0
        assert sorted(os.listdir("env")) == whole
        assert sorted(os.listdir()) == ["env", "envsnap.lock.json", "wh"]
