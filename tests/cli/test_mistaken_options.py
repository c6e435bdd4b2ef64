"""Options that a script or a slip of the hand gets wrong: nothing is changed by them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.manifest import load, save
from tests import wheels

ONE, TWO = wheels.wheel("one", "1.0"), wheels.wheel("two", "2.0")
LOCK = ("lock", "m.json", "--offline", "--python", "/usr", "-q", "--wheelhouse")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest with a lock of two packages, and their wheelhouse."""
    monkeypatch.chdir(tmp_path)
    manifest = wheels.manifest(ONE, TWO)
    save(manifest, "m.json")
    wheels.wheelhouse(tmp_path / "wh", manifest, ONE, TWO)
    return tmp_path


def test_a_wheelhouse_that_is_not_there_costs_no_lock(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("m.json").read_bytes()
    assert main([*LOCK, "typo"]) == 7
    said = "error: There is no folder typo\n"
    said += "hint: Name the one that has the files, or make one for those of the environment here\n"
    assert capsys.readouterr().err == said
    assert (Path("m.json").read_bytes(), os.path.exists("typo")) == (before, False)


def test_a_lock_of_less_is_not_put_in_the_place_of_a_whole_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = Path("m.json").read_bytes()
    os.mkdir("empty")
    assert main([*LOCK, "empty"]) == 7
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "error: empty lacks 2 of the 2 packages that the lock here names: one, two",
        ("hint: Write the lesser lock elsewhere: envsnap lock MANIFEST --offline --wheelhouse "
         "empty -o PATH"),
    ]  # fmt: skip
    assert Path("m.json").read_bytes() == before
    assert main([*LOCK, "empty", "-o", "less.json"]) == 1
    lock = load("less.json").lock
    assert lock is not None
    assert [each.name for each in lock.unlocked] == ["one", "two"]


def test_a_wheelhouse_of_another_environment_says_what_its_list_loses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(wheels.manifest(ONE), "m.json")
    assert main([*LOCK, "wh"]) == 0
    words = " ".join(capsys.readouterr().err.split())
    assert (
        f"warning: wh was another environment's: its list no longer names {TWO.filename}, and each "
        "environment needs a wheelhouse of its own. To list them again: envsnap lock "
        "OTHER_MANIFEST --offline --wheelhouse wh"
    ) in words


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where nobody may")
def test_a_wheelhouse_that_is_right_already_need_not_be_writable(project: Path) -> None:
    assert main([*LOCK, "wh"]) == 0
    (project / "wh").chmod(0o555)
    try:
        assert main([*LOCK, "wh", "-o", "other.json"]) == 0
    finally:
        (project / "wh").chmod(0o755)


def test_a_list_that_is_right_already_is_not_written_anew(project: Path) -> None:
    assert main([*LOCK, "wh"]) == 0
    before = (project / "wh" / "wheelhouse.json").stat().st_ino
    assert main([*LOCK, "wh"]) == 0
    assert (project / "wh" / "wheelhouse.json").stat().st_ino == before


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("lock", "m.json", "-o", ""), "--output"), (("build", "--docker", "-o", ""), "--output"),
        (("verify", "a.sif", "--against", ""), "--against"),
        (("verify", "a.sif", "--extract="), "--extract"),
        (("verify", "a.sif", "--prefix", ""), "--prefix"),
    ],
)  # fmt: skip
def test_an_empty_name_is_no_name(
    words: tuple[str, ...], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"error: {flag} names nothing: its value is empty\nhint: Give it a value, or leave out "
        f"{flag}\n"
    )


def test_two_wheelhouses_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LOCK, "wh", "--wheelhouse=other"]) == 2
    assert capsys.readouterr().err == (
        "error: --wheelhouse is given 2 times, and takes one value\nhint: Leave all but one out\n"
    )
    assert main(["build", "m.json", "--docker", "--wheelhouse", ""]) == 2
    assert capsys.readouterr().err == (
        "error: --wheelhouse names no folder\nhint: Name one: --wheelhouse DIR\n"
    )


def test_a_base_image_whose_path_no_recipe_can_have_is_told_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a b.tar").write_bytes(b"")
    assert main(["build", "m.json", "--docker", "--base-image", "docker-archive:a b.tar"]) == 2
    assert capsys.readouterr().err == (
        "error: --base-image takes an image, not 'docker-archive:a b.tar'\n"
        "hint: Give the file a name without spaces, or make a link to it: no recipe can have it\n"
    )


def test_the_hint_for_a_folder_without_a_list_takes_the_files_that_are_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["build", "m.json", "--docker", "--offline", "-q", "--wheelhouse"]
    os.unlink("wh/wheelhouse.json")
    assert main([*words, "wh"]) == 7
    assert capsys.readouterr().err == (
        "error: No wheelhouse.json in wh\n"
        "hint: List what is there: envsnap lock MANIFEST --offline --wheelhouse wh\n"
    )
    Path("wh", "wheelhouse.json").write_text("{")
    assert main([*words, "wh"]) == 7
    assert capsys.readouterr().err == (
        "error: wh/wheelhouse.json is no list of a wheelhouse of version 1\n"
        "hint: Write it anew: envsnap lock MANIFEST --offline --wheelhouse wh\n"
    )
    assert main([*words, "m.json"]) == 7
    said = "error: m.json is no folder\nhint: Name one: --wheelhouse DIR\n"
    assert capsys.readouterr().err == said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(("words", "code"), [([*LOCK[:-2], "--wheelhouse", "wh"], 0),
                                             ([*LOCK, "typo"], 7)])  # fmt: skip
def test_a_log_that_is_full_changes_no_answer(words: list[str], code: int) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "envsnap", *words], stderr=full, check=False, timeout=120
        )
    assert ended.returncode == code


@pytest.mark.parametrize("formats", ["conda", "slurm", "slurm,conda,repo2docker"])
def test_formats_that_name_no_base_image_ask_no_registry_for_it(
    formats: str, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = wheels.manifest(ONE, url=f"https://files.example/{ONE.filename}", how="index")
    save(manifest, "conda.json")
    words = ["build", "conda.json", "--to", formats, "--allow-host", "files.example", "-o", "out"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "Talks to" not in said
    assert "named by its tag" not in said
