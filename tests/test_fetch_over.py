"""A fetch into a folder with other files: what it moves, replaces and removes is its own alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace as with_fields
from pathlib import Path
from typing import NoReturn

import pytest

from envsnap._build import alone, build
from envsnap._fetch import fetch
from envsnap.errors import EnvsnapError, FileError, ToolError
from envsnap.formats._context import RECORD, claim, refuse_kept, remove_kept, write_record
from envsnap.manifest import FILE_NAME, save
from tests.images.registries import Behaviour, registry
from tests.killing import each_step_killed
from tests.test_fetch import (
    BLOBS,
    MANIFEST,
    ONE,
    TWO,
    Served,
    answered,
    is_whole,
    locked,
    options,
    place,
    run,
    summed,
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


@pytest.fixture
def served() -> Iterator[Served]:
    """A registry that has the base image."""
    behaviour = Behaviour(dict(BLOBS), elsewhere="no login")
    with registry(behaviour) as host:
        yield Served(behaviour, f"{host}/lab/python:3.7.16-slim")


def test_files_of_ones_own_are_named_before_anything_is_fetched(served: Served) -> None:
    run(options("apptainer", base=served.base))
    for name in ("README.txt", f"wheels/{ONE.filename}"):
        os.unlink(f"ctx/{name}")  # a wheel is the wheelhouse's own file under another name
        Path("ctx", name).write_text("mine")
    served.behaviour.asked.clear()
    with pytest.raises(FileError) as caught:
        run(options("apptainer", base=served.base), resolve=lambda _: pytest.fail("asked"))
    assert caught.value.message == (
        "ctx holds files that envsnap did not write, or that were edited since: README.txt, "
        f"wheels/{ONE.filename}"
    )
    assert served.behaviour.asked == []
    assert {"SHA256SUMS", RECORD} <= {*os.listdir("ctx")}
    found = run(options("apptainer", base=served.base, force=True))
    is_whole()
    assert found.notes[-1:] == (
        f"Replaced, for --force was given: README.txt, wheels/{ONE.filename}",
    )


def test_a_wheelhouse_of_ones_own_in_the_same_folder_stays(served: Served) -> None:
    Path("ctx").mkdir()
    os.rename("wh", "ctx/wheels")
    Path("ctx/wheels/thesis.tex").write_text("mine")
    asked = options("dockerfile", base=served.base, wheelhouse="ctx/wheels", force=True)
    assert run(asked).notes == ()
    assert "wheels/thesis.tex" not in summed()
    build(MANIFEST, with_fields(asked.build, formats=("slurm",)))
    here = {ONE.filename, TWO.filename, "thesis.tex", "wheelhouse.json"}
    assert here <= {*os.listdir("ctx/wheels")}
    assert not os.path.exists("ctx/base.tar")
    assert not os.path.exists("ctx/SHA256SUMS")


def test_what_a_fetch_that_failed_had_replaced_is_its_own(served: Served) -> None:
    run(options("apptainer", "dockerfile", base=served.base))
    kept = dict(served.behaviour.blobs)
    served.behaviour.blobs.clear()
    Path("ctx/Dockerfile").write_text("mine")
    with pytest.raises(ToolError):
        run(options("apptainer", base=served.base))
    served.behaviour.blobs |= kept
    found = run(options("apptainer", base=served.base))
    assert Path("ctx/Dockerfile").read_text() == "mine"
    assert found.notes == (
        "Left in the folder, for nothing shows that an earlier build wrote it so: Dockerfile",
    )


def test_the_manifest_that_a_fetch_reads_is_not_changed(served: Served) -> None:
    run(options("apptainer", base=served.base))
    Path("ctx", FILE_NAME).write_text(json.dumps(json.loads(Path("ctx", FILE_NAME).read_text())))
    before = Path("ctx", FILE_NAME).read_bytes()
    asked = options("apptainer", base=served.base, manifest=f"ctx/{FILE_NAME}", force=True)
    with pytest.raises(FileError) as caught:
        run(asked, resolve=lambda _: pytest.fail("asked"))
    assert caught.value.message == (
        f"ctx/{FILE_NAME} is the manifest that is read, and the recipes have another file of that "
        "name"
    )
    assert Path("ctx", FILE_NAME).read_bytes() == before
    assert os.path.exists("ctx/SHA256SUMS")


@pytest.mark.parametrize("name", ["SHA256SUMS", RECORD, "README.txt", ".fetch/m.json"])
@pytest.mark.parametrize("is_linked", [False, True])
def test_a_manifest_is_no_file_of_the_fetchs_own(name: str, *, is_linked: bool) -> None:
    place = Path("ctx", name)
    place.parent.mkdir(parents=True)
    save(MANIFEST, "m.json" if is_linked else str(place))
    if is_linked:
        place.symlink_to(Path("m.json").resolve())
    before = place.read_bytes()
    asked = options("apptainer", manifest=f"ctx/{name}", force=True)
    with pytest.raises(FileError, match=f"^ctx/{name} is the manifest that is read, and "):
        run(asked, resolve=lambda _: pytest.fail("asked"))
    assert [path for path in Path("ctx").rglob("*") if path.is_file()] == [place]
    assert (place.read_bytes(), place.is_symlink()) == (before, is_linked)


def test_a_manifest_is_not_taken_for_what_a_killed_run_left(served: Served) -> None:
    Path("ctx").mkdir()
    names = [f"ctx/{FILE_NAME}.{each * 8}.tmp" for each in "ab"]
    for each in names:
        save(MANIFEST, each)
    run(options("apptainer", base=served.base, manifest=names[0], force=True))
    assert [os.path.exists(each) for each in names] == [True, False]


def test_the_manifest_that_a_fetch_reads_stays_in_the_folder_that_it_fills(
    served: Served,
) -> None:
    run(options("apptainer", base=served.base))
    save(MANIFEST, "m.json")
    assert Path("m.json").read_bytes() == Path("ctx", FILE_NAME).read_bytes()
    run(options("apptainer", base=served.base, manifest=f"ctx/{FILE_NAME}"))
    is_whole()
    build(MANIFEST, with_fields(options("slurm").build, force=True))
    assert Path("ctx", FILE_NAME).exists()


def test_a_folder_that_an_older_version_fetched_is_known_by_its_hashes(served: Served) -> None:
    run(options("apptainer", "dockerfile", base=served.base))
    place = Path("ctx", RECORD)
    record = json.loads(place.read_text())
    listed = sorted(record["files"].keys() - {"SHA256SUMS"})
    place.write_text(json.dumps({**record, "build": "1.0", "files": listed}))
    run(options("apptainer", base=served.base))
    is_whole()
    assert not os.path.exists("ctx/Dockerfile")
    sums = hashlib.sha256(Path("ctx/SHA256SUMS").read_bytes()).hexdigest()
    assert json.loads(place.read_text())["files"]["SHA256SUMS"] == sums


def test_a_folder_that_was_fetched_is_not_taken_apart_unless_somebody_insists(
    served: Served,
) -> None:
    asked = options("dockerfile", base=served.base)
    run(asked)
    with pytest.raises(FileError) as caught:
        build(MANIFEST, with_fields(asked.build, formats=("slurm",)))
    assert caught.value.message == (
        "ctx was fetched for a machine without a network, and recipes alone would take it apart"
    )
    is_whole()
    build(MANIFEST, with_fields(asked.build, formats=("slurm",), force=True))
    assert not {"SHA256SUMS", "base.tar", "Dockerfile"} & {*os.listdir("ctx")}


MOMENTS = {
    "the folder": (),
    "its own folder": (".fetch",),
    "the lock": (".fetch/.lock",),
    "a record that is not whole": (
        ".fetch/.lock",
        ".fetch/.gitignore",
        f".fetch/{RECORD}.0a1b2c3d.tmp",
    ),
    "a build's record": (f"{RECORD}.0a1b2c3d.tmp",),
}


@pytest.mark.parametrize("left", MOMENTS.values(), ids=MOMENTS)
def test_a_run_that_was_killed_before_it_had_a_record_goes_on(
    served: Served, left: tuple[str, ...]
) -> None:
    leave(left)
    run(options("apptainer", base=served.base))
    is_whole()
    assert not [each for each in os.listdir("ctx") if each.endswith((".tmp", ".fetch"))]


@pytest.mark.parametrize(
    "left",
    [
        (".fetch/.lock", ".fetch/thesis.tex"),
        (".fetch/.lock", "thesis.tex"),
        (f".fetch/{RECORD}",),
        (".lock",),
        (f"{RECORD}.tmp",),
        (f"{RECORD}.0a1b2c3.tmp",),
        (f"{RECORD}.0A1B2C3D.tmp",),
    ],
)
def test_what_is_beside_the_marks_of_such_a_run_is_somebodys_own(left: tuple[str, ...]) -> None:
    leave(left)
    with pytest.raises(FileError, match=r"^ctx holds files that envsnap did not write$"):
        run(options("apptainer"), resolve=lambda _: pytest.fail("asked"))


@pytest.mark.parametrize("insists", [False, True])
def test_a_folder_of_somebodys_own_where_a_fetch_keeps_what_comes_is_not_removed(
    served: Served, *, insists: bool
) -> None:
    run(options("apptainer", base=served.base))
    for make in (leave_a_thesis, leave_a_link):
        make()
        with pytest.raises(FileError) as caught:
            run(options("apptainer", base=served.base, force=insists))
        assert caught.value.message == (
            "ctx/.fetch is not of a fetch, and a fetch removes what has that name when it ends"
        )
        assert Path("ctx/.fetch/thesis.tex").read_text() == "mine"


def leave_a_thesis() -> None:
    Path("ctx/.fetch").mkdir()
    Path("ctx/.fetch/thesis.tex").write_text("mine")


def leave_a_link() -> None:
    os.rename("ctx/.fetch", "thesis")
    Path("ctx/.fetch").symlink_to("../thesis")


def unreached(reference: str) -> NoReturn:
    raise ToolError(f"{reference} does not answer")


def test_an_empty_folder_of_ones_own_stays_where_the_fetch_fails() -> None:
    one = locked(ONE, url="https://files.example/one-1.0-py3-none-any.whl", how="index")
    for is_there in (False, True):
        if is_there:
            Path("ctx").mkdir(mode=0o2770)
        with pytest.raises(EnvsnapError):
            run(options("apptainer", wheelhouse=None), one, unreached)
        assert os.path.exists("ctx") is is_there
    assert os.listdir("ctx") == []


def test_a_fetch_that_was_killed_while_it_removed_what_it_kept_is_known_for_ours() -> None:
    def leave_all() -> None:
        shutil.rmtree("ctx", ignore_errors=True)
        Path("ctx/.fetch/wheels").mkdir(parents=True)
        Path("ctx/.fetch/wheels/.lock").touch()
        write_record("ctx/.fetch", {}, {})
        Path("ctx/.fetch/tools/base").mkdir(parents=True)
        Path("ctx/.fetch/a.tar").touch()

    for _ in each_step_killed(lambda: remove_kept("ctx"), leave_all, "ctx"):
        claim("ctx", force=False)
        refuse_kept("ctx")
        remove_kept("ctx")
        assert os.listdir("ctx") == []


def test_a_build_and_a_fetch_do_not_write_into_one_folder_at_once(served: Served) -> None:
    with alone("ctx"), pytest.raises(FileError) as caught:
        run(options("apptainer", base=served.base))
    assert caught.value.message == "Another run builds in ctx"
    heard: list[str] = []

    def listen(line: str) -> None:
        heard.append(line)
        with pytest.raises(FileError, match=r"^Another run builds in ctx$"), alone("ctx"):
            pass

    fetch(MANIFEST, options("apptainer", base=served.base), listen, answered)
    assert heard


def leave(paths: tuple[str, ...]) -> None:
    Path("ctx").mkdir()
    for each in paths:
        Path("ctx", each).parent.mkdir(exist_ok=True)
        Path("ctx", each).mkdir() if each == ".fetch" else Path("ctx", each).touch()
