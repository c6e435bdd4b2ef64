"""The commands lock and build as people type them, with programs of the test's own for engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.manifest import environment_id, load, save
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "ab" * 32
BASE = f"127.0.0.1:9/python:3.11.7@{DIGEST}"
FORMATS = "The formats are: apptainer, conda, devcontainer, dockerfile, repo2docker, slurm"
FILL = (
    "Fill one where there is a network, envsnap lock --wheelhouse DIR, and name it: "
    "--offline --wheelhouse DIR"
)
NAME = f"envsnap-{environment_id(made.manifest())}"
COST = """\
To build it: at least 18 MB to fetch, 16 kB unpacked, under a minute at 100
  Mbit/s: 1 source archive to build; without the base image, whose registry did
  not say how large it is
"""
STRANGE = f"""\
note: It is not known which Python and which glibc
  {BASE}
  has: the build stops where it will not do
"""
TRUSTED = ("--allow-host", "files.example")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a locked manifest, and a PATH without engines."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    save(made.manifest(), "envsnap.lock.json")
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return folder


def program(project: Path, name: str, script: str) -> None:
    path = project.parent / "programs" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_recipes_are_written_and_the_next_line_is_the_answer(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", "--to", "dockerfile,apptainer,repo2docker", "--base-image", BASE, *TRUSTED]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out == (
        f"docker build -t {NAME} envsnap-build\n"
        "cd envsnap-build && apptainer build ../envsnap.sif envsnap.def\n"
        "repo2docker envsnap-build\n"
    )
    assert err == (
        "The image's files come from: files.example (4)\n"
        f"Talks to: 127.0.0.1:9 (size of\n  {BASE})\n"
        "Wrote Dockerfile, Apptainer definition, repo2docker folder into envsnap-build/:\n"
        "  Python 3.11.7, 4 packages, linux/amd64\n"
        f"{COST}{STRANGE}Next, build it:\n"
    )
    names = {".dockerignore", "Dockerfile", "binder", "envsnap.def", "install.sh", "layers"}
    assert names <= {*os.listdir(project / "envsnap-build")}


def test_a_folder_with_a_space_is_quoted_in_the_next_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [
        "build",
        "--to",
        "dockerfile,apptainer",
        "--base-image",
        BASE,
        *TRUSTED,
        "-q",
        "-o",
        "my recipes",
    ]
    assert main(words) == 0
    assert capsys.readouterr().out == (
        f"docker build -t {NAME} 'my recipes'\n"
        "cd 'my recipes' && apptainer build ../envsnap.sif envsnap.def\n"
    )


def test_explain_prints_every_decision_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--docker", "--base-image", BASE, *TRUSTED, "--explain", "-q"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:2] == [f"base={BASE}", "    it was asked for [--base-image]"]
    assert [each for each in lines if len(each) > 80 and " " in each] == []
    assert err == STRANGE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [],
            ("Nothing to write", "Give --docker, --singularity, --repo2docker or --to"),
        ),
        (
            ["--to", "vagrant"],
            ("Unknown format 'vagrant'", FORMATS),
        ),
        (
            ["--docker", "--singularity", "--image", "x"],
            (
                "--image needs the one engine that makes it",
                "Give --docker or --singularity, not both",
            ),
        ),
        (
            ["--singularity", "--image", "paper"],
            ("Apptainer makes a FILE.sif, not 'paper'", "Give --image FILE.sif"),
        ),
        (
            ["--docker", "--image", "Lab/Paper"],
            (
                "Docker names images in small letters, as lab/paper:1, not 'Lab/Paper'",
                "Give --image NAME or --image NAME:TAG",
            ),
        ),
    ],
)
def test_a_wrong_command_line_is_said_and_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: tuple[str, str]
) -> None:
    assert main(["build", *words]) == 2
    assert capsys.readouterr().err == "error: {}\nhint: {}\n".format(*said)
    assert os.listdir(project) == ["envsnap.lock.json"]


def test_no_plan_is_exit_6(capsys: pytest.CaptureFixture[str]) -> None:
    save(made.manifest(python=made.python(implementation="pypy")), "envsnap.lock.json")
    assert main(["build", "--docker", *TRUSTED]) == 6
    assert capsys.readouterr().err.splitlines() == [
        "error: No image is planned for 'pypy': only CPython is",
        "hint: Make the environment with CPython, and capture that",
    ]


def test_without_an_engine_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--singularity", "--image", "x.sif", "--base-image", BASE, *TRUSTED]) == 5
    assert capsys.readouterr().err.splitlines() == [
        "error: No engine here builds 'apptainer':",
        "  apptainer: apptainer is not on PATH",
        "  singularity: singularity is not on PATH",
        "hint: See what this machine lacks with: envsnap doctor --build",
    ]
    assert not (project / "envsnap-build").exists()
    assert not (project / "x.sif").exists()


def test_who_is_asked_for_the_digest_is_said_before(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(project, "docker", "exit 1")
    nobody = "127.0.0.1:9/python:3.11.7"
    assert main(["build", "--docker", "--base-image", nobody, *TRUSTED]) == 0
    files, first, second, *_ = capsys.readouterr().err.splitlines()
    assert files == "The image's files come from: files.example (4)"
    assert first == f"Talks to: 127.0.0.1:9 (digest of {nobody})"
    assert second == "Wrote Dockerfile into envsnap-build/: Python 3.11.7, 4 packages, linux/amd64"


def test_who_is_asked_by_the_engine_is_said_before(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(project, "apptainer", '[ "$1" = --version ] && echo "apptainer version 1.4.5"')
    words = ["build", "--singularity", "--image", "x.sif", "--base-image", BASE, *TRUSTED]
    assert main(words) == 5
    said = capsys.readouterr().err.splitlines()
    at = said.index("Building x.sif ...")
    assert said[at : at + 2] == [
        "Building x.sif ...",
        "Talks to: 127.0.0.1:9, files.example (4), pip's default index",
    ]


SLOW = """
[ "$2" != --help ] || exit 0
case "$1" in
  --version) echo "apptainer version 1.4.5" ;;
  build) echo half >"$2"; echo building >started; sleep 60 ;;
esac
"""


def test_ctrl_c_in_a_build_leaves_no_half_image(project: Path) -> None:
    program(project, "apptainer", SLOW)
    words = ["build", "--singularity", "--image", "x.sif", "--base-image", BASE, *TRUSTED]
    child = subprocess.Popen(
        [sys.executable, "-m", "envsnap", *words], cwd=project, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    started = project / "envsnap-build" / "started"
    for _ in range(300):
        if started.exists() or child.poll() is not None:
            break
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "interrupted: nothing was left half-written"
    assert sorted(os.listdir(project)) == ["envsnap-build", "envsnap.lock.json"]


UV = """
[ "$1" = --version ] && { echo "uv 0.9.1 (test)"; exit; }
cat <<'TOML'
lock-version = "1.0"
[[packages]]
name = "idna"
version = "3.7"
wheels = [{ url = "FILES/idna-3.7-py3-none-any.whl", hashes = { sha256 = "SHA" } }]
TOML
""".replace("SHA", "ab" * 32).replace("FILES", made.FILES)


@pytest.fixture
def unlocked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest without a lock, and a uv that answers."""
    program(project, "uv", UV)
    # The uv beside the interpreter comes first, so the interpreter stands where there is none.
    monkeypatch.setattr(sys, "executable", str(project.parent / "programs" / "python"))
    mine = made.package("mine", "0.1", origin=made.origin("editable"))
    save(made.manifest((made.package("idna", "3.7"), mine)).with_lock(None), "envsnap.lock.json")


@pytest.mark.usefixtures("unlocked")
def test_lock_writes_the_manifest_back_and_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    before = load("envsnap.lock.json")
    assert main(["lock", "--index-url", "https://me:secret@index.example/simple"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "Talks to: index.example\n"
        "Locked 1 of 2 packages by uv 0.9.1, each with its SHA-256\n"
        "  1 matched by name, version, build and tags, not fetched\n"
        "  files on files.example (1)\n"
        "  1 not locked: it is an editable project on this machine; install a released\n"
        "    version of it: mine 0.1\n"
        "Wrote envsnap.lock.json\n"
    )
    after = load("envsnap.lock.json")
    assert after.with_lock(None) == before
    assert after.lock is not None
    assert [each.filename for each in after.lock.artifacts] == ["idna-3.7-py3-none-any.whl"]


@pytest.mark.usefixtures("unlocked")
def test_build_locks_first_and_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--docker", "--allow-missing", "--base-image", BASE, *TRUSTED]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "envsnap.lock.json has no lock yet: locking it first"
    assert "Wrote the lock into envsnap.lock.json" in said
    assert load("envsnap.lock.json").lock is not None
    record = json.loads((project / "envsnap-build" / "build.json").read_text())
    assert record["left_out"] == ["mine"]


@pytest.mark.usefixtures("unlocked")
def test_a_lock_on_standard_output_is_the_whole_manifest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = load("envsnap.lock.json")
    assert main(["lock", "-o", "-", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["lock"]["locker"] == "uv 0.9.1"
    assert load("envsnap.lock.json") == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--docker", "--snapshot", "2026-02-31"],
            ("Expected a day, not '2026-02-31', in '--snapshot'",
             "Give a day such as: --snapshot 2026-01-31"),
        ),
        (
            ["--docker", "--snapshot", "2999-01-31"],
            ("--snapshot 2999-01-31 is a day to come, and no archive has it",
             "Give a day that has passed"),
        ),
        (
            ["--docker", "--base-image", "x\nRUN evil"],
            ("--base-image takes an image, not 'x\\nRUN evil'",
             "Name one as python:3.11.9-slim-bookworm"),
        ),
        (
            ["--docker", "--partition", "gpu"],
            ("--partition changes nothing here: no batch job is written",
             "Add the job's script: --to slurm"),
        ),
        (
            ["--to", "slurm", "--time", "abc"],
            ("--time takes a time as sbatch does, not 'abc'",
             "Write minutes, hours or days: 90, 04:00:00 or 1-12:00:00"),
        ),
        (
            ["--docker", "--offline"],
            ("--offline takes every file from a wheelhouse, and none is named",
             FILL),
        ),
    ],
)  # fmt: skip
def test_a_value_that_can_never_work_is_said_before_anybody_is_asked(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: tuple[str, str]
) -> None:
    assert main(["build", *words]) == 2
    assert capsys.readouterr().err == "error: {}\nhint: {}\n".format(*said)
    assert os.listdir(project) == ["envsnap.lock.json"]


def test_image_lines_come_before_the_line_that_runs_the_image(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["build", "--to", "slurm,apptainer", "--base-image", BASE, *TRUSTED, "-q", "-o", "s"]
    assert main(words) == 0
    assert capsys.readouterr().out == (
        "cd s && apptainer build ../envsnap.sif envsnap.def\nsbatch s/job.sbatch python PROGRAM\n"
    )


def test_the_files_that_a_definition_may_read_are_bound_by_their_names(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "n.rc").write_text("machine index.example login me password secret\n")
    words = ["build", "--singularity", "--netrc", "n.rc", "--base-image", BASE, *TRUSTED, "-q"]
    assert main([*words, "-o", "s"]) == 0
    assert capsys.readouterr().out == (
        """(d=$(mktemp -d) && trap 'rm -r "$d"' EXIT && trap 'exit 130' HUP INT TERM && """
        f'cp {project}/n.rc "$d"/netrc && cd s && apptainer build --bind "$d":/mnt:ro '
        "../envsnap.sif envsnap.def)\n"
    )


@pytest.mark.usefixtures("unlocked")
def test_offline_a_manifest_without_a_lock_needs_a_wheelhouse_that_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["build", "--docker", "--offline", "--wheelhouse", "wh"]) == 7
    assert capsys.readouterr().err == (
        "error: No wheelhouse.json in wh\nhint: Fill it: envsnap lock MANIFEST --wheelhouse wh\n"
    )
