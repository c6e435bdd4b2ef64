"""What may not be read or written is told; run as nobody, because root may do everything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from envsnap.cli import main
from tests.cli.processes import (
    BASE,
    CHECKOUT,
    Ended,
    Python,
    command,
    distribution,
    environment,
    names_in,
    run,
    site_packages,
    variables,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no such users")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an unprivileged user can reach, with envsnap itself in it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        shutil.copytree(CHECKOUT / "envsnap", place / "program" / "envsnap")
        (place / "here").mkdir()
        python = reachable()
        if python is None:
            pytest.skip("an unprivileged user can reach no Python 3.10 or newer here")
        environment(place / "env", python, idna="3.7", PySocks="1.7.1")
        yield place
        for each in place.rglob("*"):
            if not each.is_symlink():
                each.chmod(0o755)


def before() -> list[str]:
    return NOBODY if os.geteuid() == 0 else []


@cache
def reachable() -> Python | None:
    """A Python that an unprivileged user can start and look at: the tests' own or the system's."""
    if before() and shutil.which("setpriv") is None:
        return None
    script = (
        "import os, sys; os.stat(os.path.realpath(sys.argv[1])); os.listdir(sys.prefix);"
        "print('%d.%d.%d' % sys.version_info[:3])"
    )
    for path in (BASE.path, "/usr/bin/python3"):
        words = [*before(), path, "-I", "-c", script, path]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        version = ran.stdout.strip()
        if ran.returncode == 0 and tuple(map(int, version.split("."))) >= (3, 10):
            return Python(path, version)
    return None


def as_nobody(place: Path, *words: str) -> Ended:
    env = variables(PYTHONPATH=str(place / "program"))
    python = os.readlink(place / "env" / "bin" / "python")
    return run([*before(), *command(*words, python=python)], place / "here", env)


def test_site_packages_that_cannot_be_listed_are_told_and_not_guessed(place: Path) -> None:
    site_packages(place / "env").chmod(0o000)
    ended = as_nobody(place, "capture", "--python", "../env", "-o", "-")
    assert ended.code == 0, ended.err
    where = "{env}/" + os.path.relpath(site_packages(place / "env"), place / "env")
    told = f"{where} could not be listed"
    packages = json.loads(ended.out)["sections"]["packages"]
    assert packages["installed"] == {"unknown": "no-permission", "detail": told}
    assert "  Packages   not seen (no-permission: {env}/lib/" in ended.err
    assert "environment not known" in ended.err


def test_a_check_does_not_call_packages_missing_that_it_could_not_see(place: Path) -> None:
    (place / "here").chmod(0o777)
    assert as_nobody(place, "capture", "--python", "../env", "-o", "m.json").code == 0
    site_packages(place / "env").chmod(0o000)
    ended = as_nobody(place, "check", "m.json", "--python", "../env", "-q")
    assert ended.code == 4, ended.out


def test_metadata_that_cannot_be_read_costs_its_package_alone(place: Path) -> None:
    folder = distribution(site_packages(place / "env"), "closed", "1.0")
    (folder / "METADATA").chmod(0o000)
    ended = as_nobody(place, "capture", "--python", "../env", "-o", "-")
    assert ended.code == 0
    packages = json.loads(ended.out)["sections"]["packages"]
    assert [each["name"] for each in packages["installed"]] == ["idna", "PySocks"]
    where = "{env}/" + os.path.relpath(folder, place / "env")
    assert packages["broken"] == [
        {"location": where, "why": "its metadata could not be read: no-permission"}
    ]


def test_a_folder_that_may_not_be_written_is_told(place: Path) -> None:
    (place / "here").chmod(0o555)
    assert as_nobody(place, "capture", "--python", "../env", "-o", "m.json") == (
        7,
        "",
        "error: Cannot write m.json: Permission denied\nhint: Name another place with -o\n",
    )
    assert names_in(place / "here") == []


def test_a_manifest_that_may_not_be_read_is_told_and_stays(place: Path) -> None:
    manifest = place / "here" / "m.json"
    assert main(["capture", "--host-only", "-q", "-o", str(manifest)]) == 0
    before = manifest.read_bytes()
    manifest.chmod(0o000)
    (place / "here").chmod(0o777)
    refused = (7, "", "error: Cannot read m.json: Permission denied\n")
    assert as_nobody(place, "show", "m.json") == refused
    assert as_nobody(place, "capture", "--host-only", "-o", "m.json") == refused
    manifest.chmod(0o600)
    assert manifest.read_bytes() == before
    assert names_in(place / "here") == ["m.json"]


def test_an_interpreter_that_may_not_be_started_is_told(place: Path) -> None:
    program = place / "python"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o644)
    ended = as_nobody(place, "capture", "--python", "../python", "-o", "-", "-q")
    assert (ended.code, ended.out) == (5, "")
    said = "error: The environment's Python did not answer: no-permission\n"
    assert ended.err.startswith(said)
