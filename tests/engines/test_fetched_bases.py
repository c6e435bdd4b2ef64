"""Folders that start from an image's file, fetched, and built by real engines without a network."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from envsnap.images import manifest_of, open_image
from tests.engines.building import PYTHON, captured, said
from tests.engines.halves import REGISTRY, TOLD, on_node

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.slow]

IMAGE = "envsnap-test-fetched-base"
BASE = f"{REGISTRY}/library/python:{PYTHON}-slim-bookworm"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, fetched; its base image is what docker save wrote."""
    folder = tmp_path_factory.mktemp("fetched")
    manifest = captured(folder, "idna==3.7", "markupsafe==2.1.5")
    archive = str(folder / "base-image.tar")
    said(["docker", "pull", "-q", BASE])
    said(["docker", "save", "-o", archive, BASE])
    words = ["build", "--docker", "--singularity", "--fetch", "-o", str(folder / "ctx"), manifest]
    words += ["--base-image", f"docker-archive:{archive}", "--workdir", str(folder), "-q"]
    assert main(words) == 0
    os.unlink(archive)
    return folder / "ctx"


def test_docker_builds_it_from_the_archive_that_came_along(context: Path) -> None:
    name = said(["docker", "load", "-q", "-i", str(context / "base.tar")]).split()[-1]
    try:
        said(["docker", "build", "-q", "--network", "none", "-t", IMAGE, str(context)])
        assert said(["docker", "run", "--rm", IMAGE, "envsnap-verify"]).startswith(TOLD)
    finally:
        rm = ["docker", "image", "rm", "--force", IMAGE, name]
        subprocess.run(rm, capture_output=True, check=False)


def test_apptainer_builds_it_from_the_archive_that_came_along(context: Path) -> None:
    home, images = context.parent / "home", context.parent / "images"
    home.mkdir()
    images.mkdir()
    done = on_node(home, [context, images], "sh", "build.sh", f"{images}/a.sif")
    assert done.returncode == 0, done.stderr
    assert TOLD in done.stderr
    with open_image(f"{images}/a.sif") as image:
        assert manifest_of(image) == (context / "envsnap.lock.json").read_bytes()
