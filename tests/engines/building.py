"""A small context that every engine can build, and what a test asks of the image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.engines import Job

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.environ.get("ENVSNAP_ENGINES_PYTHONS", "3.11.7").split()[0]
BASE = f"python:{PYTHON}-slim-bookworm"
PREFIX = "envsnap-test-engines"
DOCKERFILE = f"""\
FROM {BASE}
RUN --mount=type=bind,source=told.txt,target=/mnt/told.txt cp /mnt/told.txt /opt/told.txt
USER 10001
"""
WITH_SECRET = f"""\
FROM {BASE}
RUN --mount=type=secret,id=word,target=/mnt/word,required=true sha256sum /mnt/word >/opt/sum
"""
DEFINITION = f"""\
Bootstrap: docker
From: {BASE}

%files
    told.txt /opt/told.txt

%post
    chmod 644 /opt/told.txt
"""
SECRET_DEFINITION = f"""\
Bootstrap: docker
From: {BASE}

%post
    sha256sum /mnt/word >/opt/sum
"""


@contextmanager
def readable_folder() -> Iterator[Path]:
    """A folder that other users may enter: pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="envsnap-tests-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def context(folder: Path, recipe: str, *, told: str = "told\n") -> Path:
    """A context of that recipe: `told.txt` and the recipe."""
    folder.mkdir(exist_ok=True)
    (folder / "told.txt").write_text(told)
    (folder / "recipe").write_text(recipe)
    return folder


def job(folder: Path, image: str, **changes: object) -> Job:
    """A job of a context. Containers reach a network by the machine's own alone."""
    asked = {
        "context": str(folder), "recipe": "recipe", "image": image, "platform": "linux/amd64",
        "network": "host", "listen": lambda _: None, **changes,
    }  # fmt: skip
    return Job(**asked)  # type: ignore[arg-type]  # by name


def interpreter() -> str:
    """A Python of the version that the base image has."""
    found = os.path.expanduser(f"~/.pyenv/versions/{PYTHON}/bin/python3")
    if os.path.exists(found):
        return found
    if ".".join(map(str, sys.version_info[:3])) == PYTHON:
        return sys.executable
    asked = subprocess.run(
        [sys.executable, "-m", "uv", "python", "find", PYTHON],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or pytest.fail(f"no Python {PYTHON} to capture")


def captured(folder: Path, *what: str) -> str:
    """The manifest of a new environment with these alone, in the folder."""
    python = folder / ".venv" / "bin" / "python"
    said([interpreter(), "-m", "venv", "--without-pip", str(python.parents[1])])
    uv = (sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps")
    said([*uv, "--python", str(python), *what])
    manifest = str(folder / "envsnap.lock.json")
    assert main(["capture", "--python", str(python), "-o", manifest, "-q"]) == 0
    return manifest


def said(argv: list[str], **changes: object) -> str:
    """What a program answers."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **changes)  # type: ignore[call-overload]  # by name
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def tree(folder: str) -> dict[str, tuple[int, float]]:
    """Every file of a folder: size and time of change."""
    return {
        os.path.join(place, name): (
            (found := os.lstat(os.path.join(place, name))).st_size,
            found.st_mtime,
        )
        for place, _, names in os.walk(folder)
        for name in names
    }
