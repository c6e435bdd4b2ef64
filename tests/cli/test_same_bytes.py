"""The same environment is the same bytes, whoever captures it, wherever they stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import environment, envsnap, names_in, variables

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = ("python", "packages", "os", "cpu", "gpu", "cuda", "engines")


def captured(here: Path, python: Path, **more: str) -> bytes:
    env = variables(SOURCE_DATE_EPOCH="86400", **more)
    words = ("--only", ",".join(SECTIONS), "--python", str(python), "-o", "-", "-q")
    ended = envsnap("capture", *words, cwd=here, env=env)
    assert ended.code == 0, ended.err
    return ended.out.encode()


@pytest.fixture
def python(tmp_path: Path) -> Path:
    packages = {"idna": "3.7", "PySocks": "1.7.1", "zope.interface": "6.0", "Ärger": "1.0"}
    return environment(tmp_path / "env", **packages)


@pytest.mark.parametrize(
    "more",
    [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "4711"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"},
        {"LC_ALL": "tr_TR.UTF-8"},
        {"TZ": "Asia/Tokyo"},
        {"TZ": "America/St_Johns"},
        {"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=lambda more: " ".join(f"{key}={value}" for key, value in more.items()),
)
def test_locale_time_zone_and_hash_seed_change_no_byte(
    tmp_path: Path, python: Path, more: dict[str, str]
) -> None:
    assert captured(tmp_path, python, **more) == captured(tmp_path, python, PYTHONHASHSEED="0")


def test_the_folder_one_stands_in_changes_no_byte(tmp_path: Path, python: Path) -> None:
    elsewhere = tmp_path / "else where" / "ümlaut"
    elsewhere.mkdir(parents=True)
    assert captured(elsewhere, python) == captured(tmp_path, python)


def test_the_time_of_capture_is_source_date_epoch_s(tmp_path: Path, python: Path) -> None:
    assert json.loads(captured(tmp_path, python))["captured"]["time"] == "1970-01-02T00:00:00Z"


def test_json_is_utf_8_whatever_the_locale(tmp_path: Path, python: Path) -> None:
    (tmp_path / "m.json").write_bytes(captured(tmp_path, python))
    words = ("show", "m.json", "--field", "packages.installed[3].name")
    for more in ({}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}):
        assert envsnap(*words, cwd=tmp_path, env=variables(**more)) == (0, '"Ärger"\n', "")


def test_a_capture_leaves_nothing_but_its_file(tmp_path: Path, python: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    before = sorted(each for each in python.rglob("*"))
    env = {key: value for key, value in variables().items() if "BYTECODE" not in key}
    ended = envsnap("capture", "--python", str(python), "-q", cwd=here, env=env)
    assert ended.code == 0
    assert names_in(here) == ["envsnap.lock.json"]
    assert sorted(each for each in python.rglob("*")) == before
