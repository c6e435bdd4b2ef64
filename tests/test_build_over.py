"""Folders with other files in them: what a build replaces and removes, and what it never does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.formats._context import RECORD, add_to_record
from envsnap.manifest import FILE_NAME, save
from tests import made

BASE = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
TRUSTED = ("--allow-host", "files.example", "-q")
DOCKER = ("build", "--docker", "--base-image", BASE, *TRUSTED)
BINDER = ("build", "--repo2docker", *TRUSTED)
SLURM = ("build", "--to", "slurm", *TRUSTED)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a locked manifest, and PATH without engines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    save(made.manifest(), FILE_NAME)
    return tmp_path


def below(folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def recorded(folder: str) -> dict[str, str]:
    found = json.loads(Path(folder, RECORD).read_text())["files"]
    assert isinstance(found, dict)
    return found


def as_an_older_version(folder: str) -> None:
    """Make its record one of a version that kept no hashes."""
    place = Path(folder, RECORD)
    record = json.loads(place.read_text())
    place.write_text(json.dumps({**record, "build": "1.0", "files": sorted(record["files"])}))


def test_the_manifest_that_is_read_is_never_removed() -> None:
    before = Path(FILE_NAME).read_bytes()
    assert main([*DOCKER, "-o", ".", "--force"]) == 0
    assert main([*BINDER, "-o", "."]) == 0
    assert not os.path.exists("Dockerfile")
    assert Path(FILE_NAME).read_bytes() == before
    assert FILE_NAME not in recorded(".")


def test_in_a_context_that_was_cloned_its_own_manifest_is_read_and_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main([*DOCKER, "-o", "ctx"]) == 0
    shutil.copytree("ctx", "clone")
    monkeypatch.chdir("clone")
    before = Path(FILE_NAME).read_bytes()
    assert main([*BINDER, "-o", "."]) == 0
    assert Path(FILE_NAME).read_bytes() == before
    assert not os.path.exists("Dockerfile")


@pytest.mark.parametrize("insists", [(), ("--force",)])
def test_the_manifest_that_is_read_is_never_changed(
    insists: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand it is written otherwise than the recipes have it."""
    assert main([*DOCKER, "-o", "ctx"]) == 0
    spread = json.dumps(json.loads(Path(FILE_NAME).read_text()), indent=7)
    Path("ctx", FILE_NAME).write_text(spread)
    before = below("ctx")
    capsys.readouterr()
    assert main([*DOCKER, f"ctx/{FILE_NAME}", "-o", "ctx", *insists]) == 7
    assert capsys.readouterr().err.splitlines()[-2:] == [
        (
            f"error: ctx/{FILE_NAME} is the manifest that is read, and the recipes have another "
            "file of that name"
        ),
        "hint: Name another folder with -o",
    ]
    assert below("ctx") == before


@pytest.mark.parametrize("leads", ["build.json", "mine.json"])
def test_a_manifest_that_is_called_as_the_record_is_never_overwritten(
    leads: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.replace(FILE_NAME, leads)
    if leads != RECORD:
        os.symlink(leads, RECORD)
    before = below(".")
    assert main([*DOCKER, RECORD, "-o", ".", "--force"]) == 7
    assert capsys.readouterr().err.splitlines()[-2:] == [
        (
            f"error: ./{RECORD} is the manifest that is read, and the recipes have another file "
            "of that name"
        ),
        "hint: Name another folder with -o",
    ]
    assert below(".") == before
    assert os.path.islink(RECORD) == (leads != RECORD)


def test_a_link_to_the_manifest_that_is_read_is_not_replaced() -> None:
    assert main([*SLURM, "-o", "ctx"]) == 0
    os.replace(f"ctx/{FILE_NAME}", "mine.json")
    os.symlink("../mine.json", f"ctx/{FILE_NAME}")
    assert main([*SLURM, "mine.json", "-o", "ctx", "--force"]) == 7
    assert os.path.islink(f"ctx/{FILE_NAME}")


def test_somebodys_own_files_are_named_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*SLURM, "-o", "ctx"]) == 0
    Path("ctx/binder").mkdir()
    Path("ctx/binder/environment.yml").write_text("mine")
    with open("ctx/job.sbatch", "a") as file:
        file.write("# mine\n")
    before = below("ctx")
    capsys.readouterr()
    assert main(["build", "--to", "slurm,repo2docker", *TRUSTED, "-o", "ctx"]) == 7
    assert capsys.readouterr().err == (
        "error: ctx holds files that envsnap did not write, or that were edited since: "
        "binder/environment.yml, job.sbatch\n"
        "hint: Name another folder with -o, or have them replaced: --force\n"
    )
    assert below("ctx") == before


def test_who_insists_is_told_what_was_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("ctx").mkdir()
    for name in ("Dockerfile", RECORD, "thesis.tex"):
        Path("ctx", name).write_text("mine")
    assert main([*DOCKER, "-o", "ctx", "--force"]) == 0
    assert f"note: Replaced, for --force was given: {RECORD}, Dockerfile\n" in (
        capsys.readouterr().err
    )
    assert Path("ctx/thesis.tex").read_text() == "mine"
    assert Path("ctx/Dockerfile").read_text() != "mine"


def test_what_nobody_edited_is_replaced_and_removed_without_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*DOCKER, "-o", "ctx"]) == 0
    capsys.readouterr()
    assert main([*BINDER, "-o", "ctx"]) == 0
    assert "note:" not in capsys.readouterr().err
    assert {*below("ctx")} == {*recorded("ctx"), RECORD}


def test_a_folder_in_which_nothing_is_left_goes_with_its_files() -> None:
    assert main([*DOCKER, "-o", "out"]) == 0
    assert Path("out", "layers").is_dir()
    assert main([*SLURM, "-o", "out"]) == 0
    assert [path for path in Path("out").iterdir() if path.is_dir() and not [*path.iterdir()]] == []
    assert main([*BINDER, "-o", "out"]) == 0
    Path("out", "binder", "notes.txt").write_text("mine\n")
    assert main([*SLURM, "-o", "out"]) == 0
    assert [path.name for path in Path("out", "binder").iterdir()] == ["notes.txt"]


def test_a_file_that_was_edited_stays_where_it_is_no_longer_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*DOCKER, "-o", "ctx"]) == 0
    Path("ctx/install.sh").write_text("mine")
    capsys.readouterr()
    assert main([*SLURM, "-o", "ctx"]) == 0
    note = "Left in the folder, for nothing shows that an earlier build wrote it so: install.sh"
    assert note in " ".join(capsys.readouterr().err.split())
    assert Path("ctx/install.sh").read_text() == "mine"
    assert not os.path.exists("ctx/Dockerfile")
    assert "install.sh" not in recorded("ctx")


def test_a_file_of_ones_own_that_is_alike_is_neither_refused_nor_ever_removed() -> None:
    assert main([*SLURM, "-o", "ctx"]) == 0
    assert main([*DOCKER, "-o", "other"]) == 0
    shutil.copy("other/install.sh", "ctx/install.sh")
    assert main([*DOCKER, "-o", "ctx"]) == 0
    assert main([*SLURM, "-o", "ctx"]) == 0
    assert "install.sh" in below("ctx")
    assert "Dockerfile" not in below("ctx")


def test_a_folder_of_an_older_version_with_the_same_files_is_taken() -> None:
    assert main([*DOCKER, "-o", "ctx"]) == 0
    before = recorded("ctx")
    as_an_older_version("ctx")
    assert main([*DOCKER, "-o", "ctx"]) == 0
    assert recorded("ctx") == before


def test_of_an_older_version_nothing_is_replaced_that_may_have_been_edited(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*DOCKER, "-o", "ctx"]) == 0
    Path("ctx/install.sh").write_text("of a version before, or mine")
    as_an_older_version("ctx")
    before = below("ctx")
    capsys.readouterr()
    assert main([*DOCKER, "-o", "ctx"]) == 7
    assert capsys.readouterr().err == (
        "error: ctx was written by an older envsnap, whose record does not tell if these were "
        "edited: install.sh\n"
        "hint: Name another folder with -o, or have them replaced: --force\n"
    )
    assert below("ctx") == before
    assert main([*SLURM, "-o", "ctx"]) == 0
    assert {"Dockerfile", "install.sh"} <= {*below("ctx")}  # nothing shows whose they are


def test_a_log_that_an_older_version_kept_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DOCKER, "-o", "ctx"]) == 0
    add_to_record("ctx", "build.log", "")
    as_an_older_version("ctx")
    Path("ctx/build.log").write_text("FATAL: no space\n")
    capsys.readouterr()
    assert main([*DOCKER, "-o", "ctx"]) == 0
    assert "build.log" not in below("ctx")
    assert "Left in the folder" not in capsys.readouterr().err


ODD = ("\ud800", "x" * 300, "x/" * 3000 + "x", RECORD, os.fsdecode(b"\xff"))


@pytest.mark.parametrize("path", ODD)
@pytest.mark.parametrize("is_older", [False, True])
def test_a_row_of_a_record_that_can_be_no_file_is_nobodys(
    path: str, *, is_older: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SLURM, "-o", "ctx"]) == 0
    with open(b"ctx/\xff", "wb") as file:
        file.write(b"mine")
    record = json.loads(Path("ctx", RECORD).read_text())
    record["files"][path] = hashlib.sha256(b"mine").hexdigest()
    Path("ctx", RECORD).write_text(json.dumps(record))
    if is_older:
        as_an_older_version("ctx")
    capsys.readouterr()
    assert main([*SLURM, "-o", "ctx"]) == 0
    assert "Left in the folder" not in capsys.readouterr().err
    assert path not in recorded("ctx")
    assert os.path.exists(b"ctx/\xff")


def test_an_index_of_hashes_of_ones_own_is_not_a_fetched_folders() -> None:
    assert main([*SLURM, "-o", "ctx"]) == 0
    Path("ctx/SHA256SUMS").write_text("mine")
    assert main([*SLURM, "-o", "ctx"]) == 0
    assert main([*SLURM, "-o", "ctx", "--force"]) == 0
    assert Path("ctx/SHA256SUMS").read_text() == "mine"


FAILING = """#!/bin/sh
[ "$2" != --help ] || exit 0
case "$1" in
  --version) echo "apptainer version 1.4.5" ;;
  build) echo "FATAL: no space" >&2; exit 255 ;;
esac
"""


def test_a_log_of_ones_own_is_kept_and_the_builds_own_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apptainer").write_text(FAILING)
    (tmp_path / "bin/apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    sif = ("build", "--singularity", "--base-image", BASE, *TRUSTED, "-o", "ctx", "--image")
    assert main([*SLURM, "-o", "ctx"]) == 0
    Path("ctx/build.log").write_text("mine")
    assert main([*sif, "x.sif"]) == 5
    (kept,) = [name for name in below("ctx") if name.endswith(".log") and name != "build.log"]
    assert Path("ctx", kept).read_text() == "FATAL: no space\n"
    assert recorded("ctx")[kept] == hashlib.sha256(b"FATAL: no space\n").hexdigest()
    assert main([*SLURM, "-o", "ctx"]) == 0
    assert [name for name in below("ctx") if name.endswith(".log")] == ["build.log"]
    assert Path("ctx/build.log").read_text() == "mine"


def test_an_empty_folder_of_ones_own_stays_where_the_build_is_refused() -> None:
    for is_there in (False, True):
        if is_there:
            Path("ctx").mkdir(mode=0o2770)
        assert main(["build", "--docker", "--base-image", BASE, "-q", "-o", "ctx"]) != 0
        assert os.path.exists("ctx") is is_there
