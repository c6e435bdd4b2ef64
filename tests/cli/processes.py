"""envsnap as a whole process, and environments made by hand for it to look at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
HOSTS = CHECKOUT / "tests" / "hosts"


class Python(NamedTuple):
    """An interpreter to make environments of."""

    path: str
    version: str


BASE = Python(
    getattr(sys, "_base_executable", sys.executable), ".".join(map(str, sys.version_info[:3]))
)
"""The Python below any virtual environment of the tests' own."""


class Ended(NamedTuple):
    """A process that ended."""

    code: int
    out: str
    err: str


def variables(**more: str) -> dict[str, str]:
    """What the process may see: nothing that this test run was started with."""
    found = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**found, **more}


def command(*words: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "envsnap", *words]


def envsnap(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, before: Sequence[str] = ()
) -> Ended:
    """Run envsnap to its end; `before` is the command that it is started through."""
    return run([*before, *command(*words)], cwd, env)


def run(argv: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end. It never ends with a traceback."""
    ran = subprocess.run(
        list(argv), cwd=cwd, env=dict(env or variables()),
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    ended = Ended(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
    assert "Traceback" not in ended.err, ended.err
    return ended


def environment(folder: Path, base: Python = BASE, /, **packages: str) -> Path:
    """A virtual environment with packages of these versions, made without an installer."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(base.path)
    minor = base.version.rpartition(".")[0]
    (folder / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    lines = f"home = {os.path.dirname(base.path)}\nversion = {base.version}\n"
    (folder / "pyvenv.cfg").write_text(f"{lines}include-system-site-packages = false\n")
    for name, stated in packages.items():
        distribution(site_packages(folder), name, stated)
    return folder


def site_packages(folder: Path) -> Path:
    (found,) = folder.glob("lib/python*/site-packages")
    return found


def distribution(site: Path, name: str, version: str, **more: str) -> Path:
    """An installed package: its metadata, its RECORD, and any more files of its dist-info."""
    stem = re.sub(r"[^\w]", "_", name)
    folder = site / f"{stem}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText.\n"
    )
    (folder / "INSTALLER").write_text("pip\n")
    (folder / "WHEEL").write_text("Wheel-Version: 1.0\nTag: py3-none-any\n")
    digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    (folder / "RECORD").write_text(f"{stem}/__init__.py,{digest},0\n{folder.name}/RECORD,,\n")
    for file, text in more.items():
        (folder / file.replace("__", ".")).write_text(text)
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))
