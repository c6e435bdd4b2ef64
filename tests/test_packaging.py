"""What the wheel holds, and what the one-file build pins."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import requires
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9.-]", line, maxsplit=1)[0] for line in requirements}


def files_under(folder: str) -> set[str]:
    return {
        os.path.relpath(os.path.join(top, name), CHECKOUT)
        for top, _, names in os.walk(os.path.join(CHECKOUT, folder))
        for name in names
        if "__pycache__" not in top and "/." not in top.removeprefix(CHECKOUT)
    }


def test_the_one_file_build_pins_every_library_but_completion_s() -> None:
    core = names_of([line for line in requires("envsnap") or () if "extra ==" not in line])
    with open(os.path.join(CHECKOUT, "scripts", "pyz-requirements.txt"), encoding="utf-8") as file:
        pinned = {line.split("==")[0] for line in file if "==" in line}
    assert core - pinned == {"shtab"}  # one file that is not on PATH has nothing to complete
    assert pinned - core == {"markupsafe"}  # of jinja2


@pytest.mark.network
def test_the_wheel_holds_the_package_and_its_templates_alone(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    built = subprocess.run(
        [*pip, "--wheel-dir", str(tmp_path), CHECKOUT], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    templates = {f"envsnap/{name}" for name in files_under("templates")}
    assert names == files_under("envsnap") | templates
