"""The program of images for wheels that no installer takes, run by Pythons from 3.6 on."""

from __future__ import annotations

import glob
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

import envsnap
from tests import wheels

PROGRAM = Path(envsnap.__file__).parent / "inside" / "unpack.py"
ODD = wheels.wheel(
    "odd", "1.1build1",
    {
        "odd.py": b"def main():\n    print('odd')\n",
        "odd-1.1build1.data/scripts/odd-run": b"#!python\nprint('run')\n",
    },
    points="[console_scripts]\nodd = odd:main\n",
)  # fmt: skip


class Place(NamedTuple):
    """A new environment, and a folder with the wheel and the list of what to unpack."""

    python: str
    folder: Path

    def unpack(self, *rows: str) -> tuple[int, str]:
        (self.folder / "list.txt").write_text("".join(f"{row}\n" for row in rows))
        ran = subprocess.run(
            [self.python, "-I", "-B", str(PROGRAM), str(self.folder / "list.txt"),
             str(self.folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(params=["3.6", "3.8", "3.11", "3.13"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    found = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{request.param}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {request.param} on this machine")
    env = tmp_path / "env"
    subprocess.run([found[0], "-m", "venv", "--without-pip", str(env)], check=True)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / ODD.filename).write_bytes(ODD.raw)
    return Place(str(env / "bin" / "python"), tmp_path / "wheels")


def test_what_no_installer_takes_is_installed_with_its_scripts(place: Place) -> None:
    assert place.unpack(f"{ODD.sha256} {ODD.filename}") == (0, "")
    env = Path(place.python).parent.parent
    for script, said in (("odd", "odd\n"), ("odd-run", "run\n")):
        ran = subprocess.run(
            [str(env / "bin" / script)], capture_output=True, text=True, check=True
        )
        assert ran.stdout == said
    (info,) = env.glob("lib/python3.*/site-packages/odd-1.1build1.dist-info")
    named = [line.split(",")[0] for line in (info / "RECORD").read_text().splitlines()]
    assert named == [
        "../../../bin/odd", "../../../bin/odd-run", "odd-1.1build1.dist-info/INSTALLER",
        "odd-1.1build1.dist-info/METADATA", "odd-1.1build1.dist-info/WHEEL",
        "odd-1.1build1.dist-info/entry_points.txt", "odd.py", "odd-1.1build1.dist-info/RECORD",
    ]  # fmt: skip


def test_other_bytes_than_the_list_names_are_not_installed(place: Place) -> None:
    said = f"unpack.py: {ODD.filename} has other bytes than it should\n"
    assert place.unpack(f"{'0' * 64} {ODD.filename}") == (1, said)
    assert not list(place.folder.parent.glob("env/lib/python3.*/site-packages/odd*"))


def test_a_name_that_leads_out_of_the_folder_is_no_name(place: Place) -> None:
    row = f"{ODD.sha256} ../wheels/{ODD.filename}"
    said = f"unpack.py: '../wheels/{ODD.filename}' is no name of a wheel\n"
    assert place.unpack(row) == (1, said)


def test_a_wheel_that_is_not_there_is_said(place: Place) -> None:
    code, said = place.unpack(f"{ODD.sha256} gone-1-py3-none-any.whl")
    assert (code, said.startswith("unpack.py: [Errno 2] No such file or directory: ")) == (1, True)
