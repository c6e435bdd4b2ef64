"""A job that is killed before any one of its steps on disk: the next one ends it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace as with_fields
from typing import TYPE_CHECKING

import pytest

from envsnap._build import build
from envsnap.cli import main
from envsnap.engines._folder import begin, claim, finish
from tests.cli import restoring
from tests.cli.processes import BASE
from tests.killing import each_step_killed, killed_at
from tests.test_fetch import MANIFEST, Served, hashed, is_whole, options, place, run, served, summed

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
    build(MANIFEST, given)
    whole = hashed()
    for _ in each_step_killed(lambda: build(MANIFEST, given), lambda: without("ctx"), "ctx"):
        build(MANIFEST, given)
        assert hashed() == whole


@pytest.mark.usefixtures("project")
def test_a_fetch_goes_on(served: Served) -> None:
    given = options("apptainer", "dockerfile", base=served.base)
    for _ in each_step_killed(lambda: run(given), lambda: without("ctx"), "ctx"):
        if os.path.exists("ctx/SHA256SUMS"):  # which is written last
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


def test_a_restored_environment_is_made_anew(empty: Path) -> None:
    """The old one is at its place or aside until the new one is whole, and then it is gone."""

    def make(text: str = "new") -> None:
        claim("env", force=True)
        begin("env")
        (empty / "env" / "pyvenv.cfg").write_text(text)
        finish("env", "0123456789ab")

    def prepare() -> None:
        for name in os.listdir():
            without(name)
        make("old")

    for _ in each_step_killed(make, prepare):
        places = [empty / "env", empty / "env.envsnap-old"]
        assert {"old", "new"} & {
            each.read_text() for place in places for each in place.glob("pyvenv.cfg")
        }
        make()
        assert os.listdir() == ["env"]
        assert sorted(os.listdir("env")) == [".gitignore", "envsnap-restore.json", "pyvenv.cfg"]
        assert (empty / "env" / "pyvenv.cfg").read_text() == "new"


def test_a_restore_goes_on(empty: Path) -> None:
    restoring.place(empty)
    assert main(RESTORE) == 0
    whole = sorted(os.listdir("env"))
    for _ in each_step_killed(lambda: main(RESTORE), lambda: without("env"), every=4):
        assert main([*RESTORE, "--force"]) == 0
        assert sorted(os.listdir("env")) == whole
        assert sorted(os.listdir()) == ["env", "envsnap.lock.json", "wh"]
