"""Which Python an environment is made from."""

from __future__ import annotations

import os
import platform
import sysconfig
from typing import TYPE_CHECKING

import pytest

from envsnap.engines._pythons import Wanted, find_python
from envsnap.errors import ToolError, UsageError
from tests.cli.processes import BASE

if TYPE_CHECKING:
    from pathlib import Path

VERSION = platform.python_version()
SOABI = sysconfig.get_config_var("SOABI")
TELLS = '#!/bin/sh\necho \'["cpython", "{}", "{}", ""]\'\n'


def pretend(folder: Path, name: str, version: str, soabi: str = "cpython-39-x") -> Path:
    """A program that answers as a Python of this version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(TELLS.format(version, soabi))
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no Python is found but those that a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere" / "python"))
    return tmp_path


def test_a_real_one_is_told_by_its_installation() -> None:
    found = find_python(Wanted("cpython", VERSION, SOABI), BASE.path)
    assert (found.version, found.soabi) == (VERSION, SOABI)
    assert os.path.realpath(found.executable) == os.path.realpath(BASE.path)


def test_the_very_patch_release_comes_before_one_that_stands_earlier(alone: Path) -> None:
    pretend(alone / "bin", "python3", "3.9.2")
    exact = pretend(alone / "pyenv" / "versions" / "3.9.7" / "bin", "python3.9", "3.9.7")
    assert find_python(Wanted("cpython", "3.9.7", None), None).executable == str(exact)


def test_else_the_nearest_patch_release_is_taken(alone: Path) -> None:
    pretend(alone / "bin", "python3", "3.9.2")
    near = pretend(alone / "pyenv" / "versions" / "3.9.8" / "bin", "python3.9", "3.9.8")
    assert find_python(Wanted("cpython", "3.9.7", None), None).executable == str(near)


def test_another_binary_interface_is_no_such_python(alone: Path) -> None:
    pretend(alone / "bin", "python3", "3.9.7", "cpython-39d-x")
    with pytest.raises(ToolError) as caught:
        find_python(Wanted("cpython", "3.9.7", "cpython-39-x"), None)
    assert caught.value.message == "No Python 3.9.7 is here, and none of its minor version"
    assert caught.value.hint == (
        "Get it: uv python install 3.9.7; or name one with --python"
    )  # fmt: skip


def test_what_is_no_python_is_said(tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\necho hello\n")
    path.chmod(0o755)
    with pytest.raises(UsageError) as caught:
        find_python(Wanted("cpython", "3.9.7", None), str(path))
    assert caught.value.message == f"{path} is no Python that answers"
