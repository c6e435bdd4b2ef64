"""Wheels that were made again, before the tools that judge and install wheels."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pytest

from envsnap.host import LocalHost
from envsnap.inside.wheel import from_wheel
from envsnap.probes import Options
from envsnap.probes._located import Environment, located
from envsnap.wheelhouse._make import home_of, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.slow]
UV = shutil.which("uv", path=f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
PACKAGES = {
    "idna==3.7": "idna",
    "six==1.16.0": "six",
    "MarkupSafe==2.1.5": "markupsafe",
    "rich==13.7.1": "rich",
    "jsonschema==4.22.0": "jsonschema",
    "docutils==0.21.2": "docutils",
    "greenlet==3.0.3": "greenlet",
    "zope.interface==6.4": "zope.interface",
    "bleach==6.1.0": "bleach",
}
"""Of every shape: pure, one module, compiled, entry points, scripts, headers, a namespace."""
_CODE = re.compile(r"\bW\d{3}\b")


class Wheels(NamedTuple):
    """The wheels of one index and those made again, by file name."""

    original: Mapping[str, Path]
    made: Mapping[str, Path]
    folder: Path


def ran(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def uv(*words: str) -> str:
    assert UV is not None
    done = ran(UV, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    if UV is None:
        pytest.skip("uv is not installed")
    folder = tmp_path_factory.mktemp("agree")
    uv("venv", "--quiet", "--seed", "--python", sys.executable, str(folder / "env"))
    python = str(folder / "env" / "bin" / "python")
    original, made = folder / "original", folder / "made"
    original.mkdir()
    made.mkdir()
    done = ran(python, "-m", "pip", "download", "-q", "--no-deps", "-d", str(original), *PACKAGES)
    assert done.returncode == 0, done.stderr
    uv("pip", "install", "--quiet", "--python", python, "--no-deps", *map(str, found(original)))
    here = located(LocalHost(), Options(python=python))
    assert isinstance(here, Environment)
    names = {name.partition("==")[0] for name in PACKAGES}
    for each in here.packages:
        if each.package.name in names:
            make_wheel(each, home_of(here.interpreter), str(made))
    return Wheels(by_name(original), by_name(made), folder)


def found(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.whl"))


def by_name(folder: Path) -> dict[str, Path]:
    """By distribution: the tags of a name stand in another order in some."""
    return {each.name.split("-")[0].lower().replace(".", "_"): each for each in found(folder)}


def test_a_made_wheel_has_the_name_and_the_content_of_the_original(wheels: Wheels) -> None:
    contents = {name: from_wheel(str(path)).content for name, path in wheels.made.items()}
    assert contents == {
        name: from_wheel(str(path)).content for name, path in wheels.original.items()
    }
    assert len(contents) == len(PACKAGES)


def test_twine_says_of_a_made_wheel_what_it_says_of_the_original(wheels: Wheels) -> None:
    def verdicts(paths: Sequence[Path]) -> list[str]:
        done = ran(str(UV), "tool", "run", "--quiet", "twine", "check", *map(str, paths))
        said = re.findall(r"PASSED with warnings|PASSED|FAILED", done.stdout)
        assert len(said) == len(paths), done.stdout + done.stderr
        return said

    names = sorted(wheels.made)
    made = verdicts([wheels.made[name] for name in names])
    assert made == verdicts([wheels.original[name] for name in names])
    assert set(made) == {"PASSED", "PASSED with warnings"}


def test_check_wheel_contents_finds_in_a_made_wheel_what_it_finds_in_the_original(
    wheels: Wheels,
) -> None:
    def codes(path: Path) -> list[str]:
        done = ran(str(UV), "tool", "run", "--quiet", "check-wheel-contents", str(path))
        assert path.name in done.stdout, done.stderr
        return sorted(_CODE.findall(done.stdout))

    made = {name: codes(path) for name, path in wheels.made.items()}
    assert made == {name: codes(path) for name, path in wheels.original.items()}


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_made_wheel_installs_and_imports(wheels: Wheels, installer: str) -> None:
    env = wheels.folder / installer
    uv("venv", "--quiet", "--seed", "--python", sys.executable, str(env))
    python = str(env / "bin" / "python")
    paths = [str(path) for path in wheels.made.values()]
    if installer == "uv":
        uv("pip", "install", "--quiet", "--python", python, "--no-deps", "--no-index", *paths)
    else:
        done = ran(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", *paths)
        assert done.returncode == 0, done.stderr
    modules = ["idna", "six", "markupsafe", "docutils.core", "greenlet", "zope.interface"]
    done = ran(python, "-c", f"import {', '.join(modules)}")
    assert done.returncode == 0, done.stderr
    script = env / "bin" / "rst2html"
    assert ran(str(script), "--version").returncode == 0
    here = located(LocalHost(), Options(python=python))
    assert isinstance(here, Environment)
    stated = {
        each.package.name.lower().replace(".", "_"): each.package.content for each in here.packages
    }
    for name, path in wheels.original.items():
        assert stated[name] == from_wheel(str(path)).content
