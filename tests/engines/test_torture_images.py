"""Images of an installation of every kind, by three Pythons: nothing is lost, nothing changed.

They are built where there is no network: neither envsnap, nor the engine, nor a step has one. The
base images are stand-ins (README.md); all else is what is emitted, unmodified.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pytest

from envsnap.manifest import load
from envsnap.plan._layers import installer
from tests.engines.building import readable_folder, said
from tests.torture.test_rebuilt import active
from tests.torture.test_torture import made

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

FIRST, *OTHERS = os.environ.get("ENVSNAP_ENGINES_PYTHONS", "3.11.7 3.8.18 3.13.0").split()
IMAGE = "envsnap-test-torture"
OFFLINE = ("unshare", "-n")
RUNS = """
import idna, markupsafe, torture_debian, torture_editable_finder, torture_edited, torture_egg
import torture_flat, torture_space.one, torture_space.two, torture_twice, torture_zipped
print(torture_twice.VERSION, torture_edited.EDITED, markupsafe.__version__, idna.__version__)
"""
PROGRAMS = 'torture-script; torture-shell; cat /opt/env/share/torture/data.txt; python -c "$1"'
ANSWERS = "script\nshell\ndata\n2.0 True 2.1.5 3.7\n"
NOT_USED = "Not in the image, for import never used them: torture-twice 1.0"


class Locked(NamedTuple):
    """An environment, captured and locked, and a wheelhouse of all that an image of it needs."""

    folder: Path
    packages: int
    """How many there are."""

    def build(self, *words: str) -> str:
        """What envsnap says of an image that it builds without a network."""
        options = ["-o", str(self.folder / "context"), "--wheelhouse", "wheels", "--offline"]
        return self.envsnap("build", "m.json", *options, *words, wrapper=OFFLINE)

    def envsnap(self, *words: str, wrapper: tuple[str, ...] = (), **variables: str) -> str:
        argv = [*wrapper, sys.executable, "-m", "envsnap", *words]
        done = subprocess.run(
            argv, cwd=self.folder, capture_output=True, text=True, check=False,
            env={**os.environ, **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def is_proved_by(self, reference: str, run: list[str]) -> None:
        """Every package and file is the manifest's: the image says so, and whoever reads it."""
        first, second, *more = said([*run, "envsnap-verify"]).splitlines()
        assert first == f"Python and {self.packages} packages are those of the manifest"
        assert second.endswith(" files hashed, each as its RECORD states")
        assert not [line for line in more if line.startswith("by version alone")]
        words = ["verify", reference, "--against", str(self.folder / "m.json"), "--json"]
        argv = [*OFFLINE, sys.executable, "-m", "envsnap", *words]
        found = json.loads(subprocess.run(argv, capture_output=True, check=False).stdout)
        left = [(each["code"], each["names"]) for each in found["not_proved"]]
        assert (found["answer"], found["differs"], left) == ("same", [], [])
        whole = {"found": self.packages, "by_content": self.packages, "by_version": {}}
        assert found["packages"] == whole
        assert said([*run, "sh", "-c", PROGRAMS, "sh", RUNS]) == ANSWERS


def pyenv(version: str) -> str:
    """The Python that the stand-in base image was made of."""
    found = os.path.expanduser(f"~/.pyenv/versions/{version}/bin/python")
    if not os.path.exists(found):
        pytest.skip(f"no Python {version} to capture")
    return found


def lock(folder: Path, version: str) -> Locked:
    """The environment with everything in it, and what installs it, as the refusal says."""
    folder.mkdir()
    told = made(pyenv(version), folder / "here")["environments"]["full"]
    new = Locked(folder, 0)
    here = {"python": told["python"], **told["variables"]}
    python = here.pop("python")
    new.envsnap("capture", "-o", "m.json", "--python", python, **here)
    answer = new.envsnap("lock", "m.json", "--wheelhouse", "wheels", "--python", python, **here)
    assert "Packages lost: 0" in answer
    tool = installer(version)[0]
    pip = [pyenv(version), "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    said([*pip, "--no-deps", "-d", str(folder / "wheels"), f"{tool.name}=={tool.version}"])
    return Locked(folder, len(active(load(str(folder / "m.json")))))


@pytest.fixture(scope="module")
def locked() -> Iterator[Callable[[str], Locked]]:
    """The environment of a Python, made the first time that it is asked for."""
    with readable_folder() as folder:
        yield cache(lambda version: lock(folder / version, version))


@pytest.fixture
def image() -> Iterator[str]:
    yield IMAGE
    for program in ("docker", "podman", "buildah"):
        if shutil.which(program):
            subprocess.run([program, "rmi", "-f", IMAGE], capture_output=True, check=False)


@pytest.mark.parametrize("version", [FIRST, *OTHERS])
def test_docker_builds_the_whole_environment(
    locked: Callable[[str], Locked], version: str, image: str
) -> None:
    environment = locked(version)
    answer = environment.build("--docker", "--engine", "docker", "--image", image)
    count = environment.packages
    assert f"Python and {count} packages are those of the manifest" in answer
    assert NOT_USED in answer
    run = ["docker", "run", "--rm", "--network", "none", image]
    environment.is_proved_by(f"docker-daemon:{image}", run)


@pytest.mark.parametrize(
    ("version", "engine"),
    [
        (FIRST, "podman"),
        pytest.param(FIRST, "buildah", marks=pytest.mark.long),
        *(pytest.param(each, "podman", marks=pytest.mark.long) for each in OTHERS),
    ],
)
def test_podman_and_buildah_build_it_too(
    locked: Callable[[str], Locked], version: str, engine: str, image: str
) -> None:
    said(["podman", "pull", "-q", f"python:{version}-slim-bookworm"])
    environment = locked(version)
    answer = environment.build("--docker", "--engine", engine, "--image", image)
    assert f"Python and {environment.packages} packages are those of the manifest" in answer
    run = ["podman", "run", "--rm", "--network", "none", image]
    environment.is_proved_by(f"podman:{image}", run)


@pytest.mark.parametrize(
    "version", [FIRST, *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS)]
)
def test_apptainer_builds_it_as_a_plain_user(locked: Callable[[str], Locked], version: str) -> None:
    environment = locked(version)
    base, sif = environment.folder / "base.tar", environment.folder / "image.sif"
    said(["docker", "save", "-o", str(base), f"python:{version}-slim-bookworm"])
    words = ["--base-image", f"docker-archive:{base}", "--image", str(sif)]
    answer = environment.build("--singularity", *words)
    assert f"Python and {environment.packages} packages are those of the manifest" in answer
    run = ["apptainer", "exec", "--cleanenv", "--no-home", "--net", "--network", "none", str(sif)]
    environment.is_proved_by(str(sif), run)
