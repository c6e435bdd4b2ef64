"""Options of build that no format heeds are refused; those that one heeds do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.formats import formats, heeds
from envsnap.manifest import FILE_NAME, save
from envsnap.sections import Git, Project
from tests import made, wheels

BASE = "127.0.0.1:9/python:3.11.7@sha256:" + "ab" * 32
TRUSTED = ("--allow-host", "files.example")
READS = "no step of what is written reads it"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a locked manifest, and a PATH without engines."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{tmp_path}/programs:/usr/bin:/bin")
    save(made.manifest(), FILE_NAME)
    return folder


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["--to", "conda", "--netrc", FILE_NAME], f"--netrc changes nothing here: {READS}",
         "Leave it out"),
        (["--to", "slurm", "--pip-conf", FILE_NAME], f"--pip-conf changes nothing here: {READS}",
         "Leave it out"),
        (["--to", "conda,slurm,repo2docker", "--base-image", "foo:1"],
         "--base-image changes nothing here: nothing that is written starts from a base image",
         "Leave it out"),
        (["--to", "conda", "--snapshot", "2026-01-31"],
         "--snapshot changes nothing here: nothing that is written installs system packages",
         "Leave it out"),
        (["--to", "slurm", "--with-project"],
         "--with-project changes nothing here: nothing that is written has the project's code",
         "Leave it out"),
        (["--to", "slurm", "--no-project"],
         "--no-project changes nothing here: nothing that is written has the project's code",
         "Leave it out"),
        (["--docker", "--network", "foo"],
         "--network changes nothing here: no image is built",
         "Give --image NAME, too, or leave it out"),
        (["--singularity", "--network", "foo", "--image", "x.sif"],
         "--network changes nothing here: apptainer build has no networks", "Leave it out"),
        (["--docker", "--embed-wheelhouse"],
         "--embed-wheelhouse keeps files of a wheelhouse, and none is named",
         "Name it: --wheelhouse DIR"),
        (["--repo2docker", "--embed-wheelhouse", "--wheelhouse", "wh"],
         "--embed-wheelhouse changes nothing here: nothing that is written keeps files in an image",
         "Leave it out"),
        (["--docker", "--time", "5"], "--time changes nothing here: no batch job is written",
         "Add the job's script: --to slurm"),
        (["--singularity", "--time", "5"], "--time changes nothing here: no batch job is written",
         "Add the job's script: --to slurm"),
        (["--singularity", "--fetch", "--gres", "gpu:1"],
         "--gres changes nothing here: no job is written that runs a program",
         "Add the job's script: --to slurm"),
        (["--to", "slurm", "--partition", "a;b"],
         "--partition takes one plain word, not 'a;b'",
         "Write it as sbatch --partition takes it"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_refused_before_anything_is_done(
    words: list[str], said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", *words]) == 2
    assert capsys.readouterr().err == f"error: {said}\nhint: {hint}\n"
    assert os.listdir() == [FILE_NAME]


def test_every_option_that_a_format_heeds_is_one_of_build(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["build", "--help"]) == 0
    said = capsys.readouterr().out
    for each in formats().values():
        for option in each.heeds | each.heeds_fetched:
            assert f"--{option.replace('_', '-')} " in said, (each.name, option)
            assert heeds([each.name], option, is_fetched=True)


def test_a_batch_job_takes_the_lists_that_sbatch_takes() -> None:
    words = ["--partition", "a,b", "--gres", "gpu:a100:2,shard:3", "--account", "lab_7"]
    assert main(["build", "--to", "slurm", *words, *TRUSTED, "-q"]) == 0
    lines = Path("envsnap-build/job.sbatch").read_text().splitlines()
    assert [each for each in lines if each.startswith("#SBATCH")][1:] == [
        "#SBATCH --partition=a,b", "#SBATCH --account=lab_7", "#SBATCH --gres=gpu:a100:2,shard:3",
    ]  # fmt: skip


def git(*words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("form", "is_told"), [("slurm", False), ("conda", False),
                                               ("repo2docker", True)])  # fmt: skip
def test_where_no_image_is_made_nobody_hears_what_is_not_in_it(
    form: str, capsys: pytest.CaptureFixture[str], *, is_told: bool
) -> None:
    git("init", "-q")
    Path("a.py").write_text("1")
    git("add", "a.py")
    git("commit", "-qm", "one")
    state = Git(
        commit=git("rev-parse", "HEAD"), commit_time="2026-01-31T12:00:00Z", branch="main",
        changed_files=2, remote=None, pushed=False,
    )  # fmt: skip
    project = Project(name="paper", git=state, lock_files=(), newest_install=None)
    save(made.manifest(project=project), FILE_NAME)
    assert main(["build", "--to", form, *TRUSTED, "-q"]) == 0
    assert ("Not in the image" in capsys.readouterr().err) is is_told


def test_a_definition_that_would_pull_its_base_image_is_refused_offline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = wheels.wheel("one", "1.0")
    python = made.python(version="3.7.16", soabi="cpython-37m-x86_64-linux-gnu")
    manifest = made.manifest((wheels.packaged(one),), (wheels.artifact(one),), python=python)
    save(manifest, FILE_NAME)
    wheels.wheelhouse(Path("wh"), manifest, one)
    words = ["build", "--offline", "--wheelhouse", "wh", "--no-project", "-q", "--singularity"]
    assert main([*words, "--base-image", "python:3.7.16-slim"]) == 6
    assert capsys.readouterr().err == (
        "error: A definition cannot do --offline from python:3.7.16-slim: Apptainer would pull it "
        "from its registry\n"
        "hint: Start from a file of it: --base-image docker-archive:FILE (docker save makes one); "
        "or have all of it fetched: envsnap build --singularity --fetch -o DIR\n"
    )
    assert not os.path.exists("envsnap-build")
    for base in ("docker-archive:b.tar", "oci-archive:b.tar", "localimage:b.sif"):
        assert main([*words, "--base-image", base]) == 0
        agent = base.partition(":")[0]
        definition = Path("envsnap-build/envsnap.def").read_text()
        assert definition.startswith(f"Bootstrap: {agent}\n")
        assert "Bootstrap: docker\n" not in definition


UV = """#!/bin/sh
[ "$1" = --version ] && { echo "uv 0.9.1 (test)"; exit; }
echo "$UV_CACHE_DIR $XDG_CACHE_HOME $TMPDIR" >"%s"
echo 'lock-version = "1.0"'
echo 'packages = []'
"""


@pytest.mark.parametrize("way", ["--workdir", "SCRATCH"])
def test_the_working_folder_holds_the_cache_of_the_lock_that_build_makes(
    way: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, seen = project.parent / "programs", project.parent / "seen"
    programs.mkdir()
    (programs / "uv").write_text(UV % seen)
    (programs / "uv").chmod(0o755)
    # The uv beside the interpreter comes first, so the interpreter stands where there is none.
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    save(made.manifest().with_lock(None), FILE_NAME)
    words = ["build", "--docker", "--base-image", BASE, "--allow-missing", *TRUSTED, "-q"]
    if way == "SCRATCH":
        monkeypatch.setenv("SCRATCH", str(project.parent / "work"))
        main(words)
    else:
        main([*words, "--workdir", "../work"])
    root = f"{project.parent}/work/envsnap-"
    uv, other, passing = seen.read_text().split()
    assert (uv, other) == (f"{root}cache/uv", f"{root}cache/cache")
    assert passing.startswith(f"{root}tmp-")
    assert os.listdir(project.parent / "work") == ["envsnap-cache"]
