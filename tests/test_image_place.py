"""An image file gets its place once it was looked into, and what is made before it is swept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace as with_fields
from pathlib import Path

import pytest

from envsnap._build import BuildOptions, Recipes, build
from envsnap._image import build_image, engine_of
from envsnap.engines._sif_builder import half
from envsnap.errors import ToolError, UsageError
from envsnap.plan import PlanOptions
from tests import made
from tests.images.squash import Node, sif, squashfs

BASE = PlanOptions(base_image="registry.example/python:3.11.7@sha256:" + "ab" * 32)
MADE = sif(squashfs(Node({"usr": Node({"thing": Node(b"made")})})))
APPTAINER = """#!/bin/sh
case "$1" in
  --version) echo "apptainer version 1.4.5" ;;
  build)
    [ "$2" != --help ] || exit 0
    for word; do case "$word" in *.sif) cp made "$word"; part=$word ;; esac; done
    . ./while-it-builds ;;
  *) exit 1 ;;
esac
"""
"""Makes a file of the test's own, and starts no image."""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an Apptainer of our own."""
    monkeypatch.chdir(tmp_path)
    Path("bin").mkdir()
    text = APPTAINER.replace("cp made", f"cp {tmp_path}/made")
    Path("bin/apptainer").write_text(text.replace("./while", f"{tmp_path}/while"))
    Path("bin/apptainer").chmod(0o755)
    Path("made").write_bytes(MADE)
    Path("while-it-builds").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path


def options(**changes: object) -> BuildOptions:
    asked = BuildOptions(
        formats=("apptainer",), output="ctx", image="paper.sif", plan=BASE, workdir=os.getcwd(),
        with_project=False,
    )  # fmt: skip
    return with_fields(asked, **changes)  # type: ignore[arg-type]  # by name


def recipes(asked: BuildOptions) -> Recipes:
    return build(made.manifest(), asked)


def test_an_image_that_cannot_be_looked_into_replaces_none() -> None:
    Path("paper.sif").write_text("the image of before")
    asked = options()
    with pytest.raises(ToolError) as caught:
        build_image(recipes(asked), asked, lambda _: None)
    assert caught.value.message.startswith("Cannot look into the new image: ")
    assert Path("paper.sif").read_text() == "the image of before"
    assert sorted(os.listdir()) == [
        "bin", "ctx", "envsnap-cache", "made", "paper.sif", "while-it-builds",
    ]  # fmt: skip


@pytest.mark.parametrize("base", ["base.sif", "../base.sif", "linked.sif"])
def test_an_image_does_not_take_the_place_of_its_base(base: str) -> None:
    Path("base.sif").touch()
    Path("ctx").mkdir()
    Path("linked.sif").symlink_to("base.sif")
    plan = with_fields(BASE, base_image=f"localimage:{base}")
    with pytest.raises(UsageError) as caught:
        engine_of(options(plan=plan, image="./base.sif"))
    assert caught.value.message == (
        "./base.sif is the base image itself, and the new one would take its place"
    )
    assert engine_of(options(plan=plan, image="paper.sif"))[1] == "envsnap.def"


def killed(job: Callable[[], object]) -> None:
    """Do a job in a process that is killed at the job's end, with all that it would tidy up."""
    child = os.fork()
    if child == 0:
        try:
            job()
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill_here(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_and_killed() -> None:
    with half(os.path.abspath("paper.sif")) as part:
        Path("part").write_text(part)
        Path(part).touch()
        kill_here()


def test_a_build_shares_no_folder_with_one_that_was_killed() -> None:
    """The guard of that one removes its folder while the next one builds."""
    killed(half_and_killed)
    before = Path("part").read_text()
    assert os.path.exists(before)
    with half(os.path.abspath("paper.sif")) as part:
        assert os.path.dirname(part) != os.path.dirname(before)
        assert not os.path.exists(before)
    assert [each for each in os.listdir() if ".part" in each] == []


def test_a_folder_of_somebodys_own_stays_whatever_its_name() -> None:
    for name in (".paper.sif.part", ".paper.sif.part-mine"):
        Path(name).mkdir()
        Path(name, "thesis.tex").touch()
        os.utime(name, (0, 0))
    with half(os.path.abspath("paper.sif")):
        pass
    kept = [each for each in sorted(os.listdir()) if ".part" in each]
    assert kept == [".paper.sif.part", ".paper.sif.part-mine"]
    assert [os.listdir(each) for each in kept] == [["thesis.tex"]] * 2


def test_the_second_of_two_images_goes_with_the_next_build_where_this_one_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = options(twice=True)
    ready = recipes(asked)
    monkeypatch.setattr("envsnap._image._prove", lambda *_: ((), None))  # nothing can be started
    with monkeypatch.context() as patched:
        patched.setattr("envsnap._image.compare", kill_here)
        for _ in range(2):
            killed(lambda: build_image(ready, asked, lambda _: None))
    assert [each for each in os.listdir() if each.endswith(".sif")] == ["paper.sif"]
    found = build_image(ready, asked, lambda _: None)
    assert found.twice is not None
    assert [each for each in os.listdir() if "paper" in each] == ["paper.sif"]
