"""A project to restore, and envsnap restore as a whole process that restores it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from envsnap.manifest import save
from tests import wheels
from tests.cli.processes import BASE, Ended, envsnap, variables

if TYPE_CHECKING:
    from pathlib import Path

ALPHA = wheels.wheel("alpha", "1.0", points="[console_scripts]\nalpha = alpha:main\n")
BETA = wheels.wheel("beta-b", "2.1+cpu")
ODD = wheels.wheel(
    "odd", "1.1build1",
    {
        "odd.py": b"def main():\n    print('odd')\n",
        "odd-1.1build1.data/scripts/odd-run": b"#!python\nprint('run')\n",
        "odd-1.1build1.data/data/share/odd.txt": b"data\n",
    },
    points="[console_scripts]\nodd = odd:main\n",
)  # fmt: skip
ALL = (ALPHA, BETA, ODD)


def place(folder: Path) -> Path:
    """A folder with a manifest of three packages, and their wheelhouse."""
    manifest = wheels.manifest(*ALL)
    save(manifest, str(folder / "envsnap.lock.json"))
    wheels.wheelhouse(folder / "wh", manifest, *ALL)
    return folder


def restore(project: Path, *words: str, before: tuple[str, ...] = (), **env: str) -> Ended:
    own = ("--python", BASE.path)
    found = variables(PATH=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}", **env)
    return envsnap("restore", "env", *own, *words, cwd=project, env=found, before=before)


def python(project: Path, code: str) -> str:
    line = [str(project / "env" / "bin" / "python"), "-I", "-c", code]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout
