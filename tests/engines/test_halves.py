"""Two halves of a build: fetched where a network is, killed on the way, built where none is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.images import manifest_of, open_image

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.slow]

NODE = str(Path(__file__).with_name("node"))
PYTHON = os.environ.get("ENVSNAP_ENGINES_PYTHONS", "3.11.7").split()[0]
REGISTRY = "127.0.0.1:5000"
IMAGE = "envsnap-test-halves"
TOLD = "Python and 2 packages are those of the manifest"
FETCH = """
import sys
from envsnap._build import BuildOptions
from envsnap._fetch import FetchOptions, fetch
from envsnap.manifest import load
build = BuildOptions(formats=("apptainer", "dockerfile"), output=sys.argv[2], workdir=sys.argv[3])
fetch(load(sys.argv[1]), FetchOptions(build=build), lambda line: print(line, flush=True))
"""
"""The flow as the command calls it, in a process that can be killed."""


def interpreter() -> str:
    """A Python of the version that the base image has."""
    found = os.path.expanduser(f"~/.pyenv/versions/{PYTHON}/bin/python3")
    if os.path.exists(found):
        return found
    asked = subprocess.run(
        ["uv", "python", "find", PYTHON], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or pytest.fail(f"no Python {PYTHON} to capture")


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A login node: a captured and locked environment, a home folder, a folder to work in."""
    folder = tmp_path_factory.mktemp("login")
    for name in ("home", "work", "images"):
        (folder / name).mkdir()
    (folder / "home" / "data").write_bytes(b"mine")
    python = folder / ".venv" / "bin" / "python"
    subprocess.run(
        [interpreter(), "-m", "venv", "--without-pip", str(python.parents[1])], check=True
    )
    wanted = ["idna==3.7", "markupsafe==2.1.5"]
    line = ["uv", "pip", "install", "-q", "--python", str(python), "--no-deps", *wanted]
    subprocess.run(line, check=True)
    manifest = str(folder / "envsnap.lock.json")
    assert main(["capture", "--python", str(python), "-o", manifest, "-q"]) == 0
    assert main(["lock", manifest, "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def context(login: Path) -> Path:
    """The folder, fetched."""
    folder = login / "a context"
    child = start(login, folder)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert out.splitlines()[-1] == "Writing the recipe ..."
    return folder


def start(login: Path, folder: Path) -> subprocess.Popen[str]:
    words = [str(login / "envsnap.lock.json"), str(folder), str(login / "work")]
    variables = {
        **os.environ, "HOME": str(login / "home"), "ENVSNAP_REGISTRY_MIRROR": REGISTRY,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, *words], text=True, env=variables,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def summed(folder: Path) -> dict[str, str]:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def test_a_folder_has_everything_and_the_hash_of_each_file(login: Path, context: Path) -> None:
    found = digests(context)
    del found["SHA256SUMS"], found["build.json"]
    assert summed(context) == found
    assert {"base.tar", "build.sh", "README.txt", "envsnap.def", "Dockerfile"} <= found.keys()
    wheels = sorted(each.split("-")[0] for each in os.listdir(context / "wheels"))
    assert wheels == ["MarkupSafe", "idna", "uv"]
    assert digests(login / "home") == {"data": hashlib.sha256(b"mine").hexdigest()}


def test_a_fetch_that_was_killed_anywhere_goes_on(login: Path, context: Path) -> None:
    """Killed at a dozen moments, of which each phase has some; the last run ends it."""
    folder = login / "killed"
    moments = [0.3 + 0.2 * each for each in range(12)]
    for seconds in moments:
        child = start(login, folder)
        time.sleep(seconds)
        child.kill()
        child.communicate()
        assert child.returncode == 0 or not (folder / "SHA256SUMS").exists()
    child = start(login, folder)
    _, err = child.communicate(timeout=300)
    assert (child.returncode, err) == (0, "")
    assert digests(folder) == digests(context)
    assert not (folder / ".fetch").exists()


def test_apptainer_builds_it_without_a_network_and_changes_nothing_else(
    login: Path, context: Path
) -> None:
    home = login / "node"
    home.mkdir()
    (home / "data").write_bytes(os.urandom(1 << 20))
    before, whole = digests(home), digests(context)
    for each in (context, *(path for path in context.rglob("*") if path.is_dir())):
        each.chmod(0o555)
    done = on_node(home, [context, login / "images"], "sh", "build.sh", f"{login}/images/a b.sif")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(TOLD) >= 1
    assert os.listdir(login / "images") == ["a b.sif"]
    assert (digests(home), digests(context)) == (before, whole)
    with open_image(f"{login}/images/a b.sif") as image:
        found = manifest_of(image)
    assert found == (context / "envsnap.lock.json").read_bytes()
    ran = on_node(home, [login / "images"], "apptainer", "exec", "a b.sif", "python", "-c",
                  "import markupsafe; print(markupsafe.__version__)")  # fmt: skip
    assert ran.stdout == "2.1.5\n", ran.stderr


def on_node(home: Path, folders: list[Path], *words: str) -> subprocess.CompletedProcess[str]:
    """A command on a node that has no network, in the first of the folders."""
    return subprocess.run(
        [NODE, *map(str, folders), "--", *words], capture_output=True, text=True, check=False,
        env={**os.environ, "ENVSNAP_NODE_HOME": str(home)},
    )  # fmt: skip


def test_a_disk_that_is_too_small_is_named_before_anything_is_built(
    login: Path, context: Path
) -> None:
    home = login / "small"
    home.mkdir()
    script = "mkdir /tmp/small && unshare -rm sh -c 'mount -t tmpfs -o size=30m none /tmp/small "
    script += f"&& ENVSNAP_WORKDIR=/tmp/small sh build.sh {login}/images/small.sif'"
    done = on_node(home, [context, login / "images"], "sh", "-c", script)
    assert done.returncode == 6
    assert "small, is passed over: it has 30 MiB free" in done.stderr


def test_docker_builds_it_without_a_network(context: Path) -> None:
    assert shutil.which("docker"), "docker is not on PATH"
    line = ["docker", "build", "-q", "--network", "none", "-t", IMAGE, str(context)]
    try:
        subprocess.run(line, check=True, capture_output=True)
        ran = subprocess.run(
            ["docker", "run", "--rm", "--network", "none", IMAGE, "envsnap-verify"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, TOLD), ran.stderr
    finally:
        subprocess.run(["docker", "rmi", "-f", IMAGE], capture_output=True, check=False)
