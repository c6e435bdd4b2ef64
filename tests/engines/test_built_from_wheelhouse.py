"""Real images of an environment with an editable and a VCS package, which no index has."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.inside.wheel import from_wheel
from envsnap.manifest import environment_id, load, save
from envsnap.sections import Artifact, Unlocked, replace
from envsnap.wheelhouse._store import Stored, Wheelhouse, write_list
from tests.engines.building import interpreter
from tests.engines.test_built_images import IMAGE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PROJECT = """
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"
[project]
name = "{name}"
version = "{version}"
"""


def source(folder: Path, name: str, version: str) -> Path:
    """A project of one module."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, version=version))
    (folder / f"{name}.py").write_text(f"VERSION = {version!r}\n")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A captured and locked environment, and the wheels of what no index has."""
    folder = tmp_path_factory.mktemp("project")
    editable = source(folder / "editable", "editedone", "0.3")
    versioned = source(folder / "versioned", "versionedone", "1.2+lab")
    git = ["git", "-C", str(versioned), "-c", "user.name=t", "-c", "user.email=t@t.example"]
    subprocess.run(["git", "init", "-q", str(versioned)], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    subprocess.run([interpreter(), "-m", "venv", str(folder / ".venv")], check=True)
    pip = [str(folder / ".venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    what = ["idna==3.7", "-e", str(editable), f"git+file://{versioned}#egg=versionedone"]
    subprocess.run([*pip, "install", "-q", *what], check=True)
    manifest = str(folder / "envsnap.lock.json")
    assert main(["capture", "--python", str(folder / ".venv"), "-o", manifest, "-q"]) == 0
    assert main(["lock", manifest, "-q"]) == 0
    built = folder / "wh"
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "-w", str(built), str(editable), str(versioned)],
        check=True,
    )
    keep(manifest, built)
    return folder


def keep(path: str, folder: Path) -> None:
    """Name the wheels in a list of their own and in the lock."""
    manifest = load(path)
    assert manifest.lock is not None
    stored = tuple(stored_of(each) for each in sorted(folder.iterdir()))
    artifacts = tuple(
        Artifact(
            name=each.name, version=each.version, filename=each.filename, url=None,
            sha256=each.sha256, size=each.size, is_installed=False, how="built",
            content=each.content,
        )
        for each in stored
    )  # fmt: skip
    names = {each.name for each in artifacts}
    unlocked: tuple[Unlocked, ...] = tuple(
        each for each in manifest.lock.unlocked if each.name not in names
    )
    whole = sorted((*manifest.lock.artifacts, *artifacts), key=lambda each: each.name)
    lock = replace(manifest.lock, artifacts=tuple(whole), unlocked=unlocked)
    save(manifest.with_lock(lock), path)
    write_list(Wheelhouse(str(folder), str(environment_id(manifest)), stored))


def stored_of(path: Path) -> Stored:
    raw = path.read_bytes()
    name, version = path.name.split("-")[:2]
    digest, content = hashlib.sha256(raw).hexdigest(), from_wheel(str(path)).content
    return Stored(name, version, path.name, digest, len(raw), "built", content)


@pytest.fixture
def docker_image() -> Iterator[str]:
    assert shutil.which("docker"), "docker is not on PATH"
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


CODE = "import editedone, versionedone; print(editedone.VERSION, versionedone.VERSION)"
BUILT = "Captured the image: Python and 5 packages are those of the manifest"


def test_docker_installs_what_lies_in_the_wheelhouse(
    project: Path, docker_image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", str(project / "envsnap.lock.json"), "--docker", "-o", str(project / "ctx")]
    words += ["--wheelhouse", str(project / "wh"), "--image", docker_image, "--network", "host"]
    assert main(words) == 0
    assert BUILT in " ".join(capsys.readouterr().err.split())
    ran = subprocess.run(
        ["docker", "run", "--rm", docker_image, "python", "-c", CODE],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "0.3 1.2+lab\n"


def test_apptainer_installs_what_lies_in_the_wheelhouse(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sif = project / "paper.sif"
    words = ["build", str(project / "envsnap.lock.json"), "--singularity"]
    words += ["-o", str(project / "def"), "--wheelhouse", str(project / "wh"), "--image", str(sif)]
    assert main(words) == 0
    assert BUILT in " ".join(capsys.readouterr().err.split())
    for line, said in (
        (["python", "-c", CODE], "0.3 1.2+lab\n"),
        (["ls", "/opt/envsnap"], None),
    ):
        ran = subprocess.run(
            ["apptainer", "exec", "--cleanenv", "--no-home", str(sif), *line],
            capture_output=True, text=True, check=True, cwd=project,
        )  # fmt: skip
        assert ran.stdout == said if said else "wheels" not in ran.stdout.split()


def test_repo2docker_installs_what_lies_in_the_wheelhouse(project: Path) -> None:
    """Its last step, in a venv of that Python: the folder is used as it stands."""
    out = project / "binder-recipe"
    words = ["build", str(project / "envsnap.lock.json"), "--repo2docker", "-o", str(out), "-q"]
    assert main([*words, "--wheelhouse", str(project / "wh")]) == 0
    env = project / "notebook"
    subprocess.run([interpreter(), "-m", "venv", str(env)], check=True)
    done = subprocess.run(
        ["sh", "binder/postBuild"], cwd=out, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{env}/bin:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Python and 5 packages are those of the manifest" in done.stdout.splitlines()
