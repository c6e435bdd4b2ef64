"""Two halves of a build: fetched where a network is, killed on the way, built where none is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from envsnap.images import manifest_of, open_image
from tests.engines.building import said
from tests.engines.halves import TOLD, digests, on_node, start

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.slow]

IMAGE = "envsnap-test-halves"


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
        if (folder / "SHA256SUMS").exists():  # an earlier one may have come to its end
            assert summed(folder).items() <= digests(folder).items()
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
    loaded = said(["docker", "load", "-q", "-i", str(context / "base.tar")])
    base = loaded.strip().removeprefix("Loaded image: ")
    try:
        said(["docker", "build", "-q", "--network", "none", "-t", IMAGE, str(context)])
        ran = subprocess.run(
            ["docker", "run", "--rm", "--network", "none", IMAGE, "envsnap-verify"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, TOLD), ran.stderr
    finally:
        subprocess.run(["docker", "rmi", "-f", IMAGE, base], capture_output=True, check=False)
