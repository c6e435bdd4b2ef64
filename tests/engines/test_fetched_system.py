"""Packages of the distribution that travel with a recipe, installed where there is no network."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from tests.engines.building import captured, said
from tests.engines.halves import on_node

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.slow]

IMAGE = "envsnap-test-fetched-system"
NEEDS_GLIB = ("opencv-python-headless==4.10.0.84", "numpy==1.26.4")
TOLD = "Python and 2 packages are those of the manifest"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, fetched: GLib's package and what that depends on are in it."""
    folder = tmp_path_factory.mktemp("fetched")
    manifest = captured(folder, *NEEDS_GLIB)
    words = ["build", "--docker", "--singularity", "--fetch", "-o", str(folder / "ctx"), manifest]
    assert main([*words, "--workdir", str(folder), "-q"]) == 0
    assert any(each.startswith("libglib2.0-0_") for each in os.listdir(folder / "ctx" / "debs"))
    return folder / "ctx"


def test_docker_installs_them(context: Path) -> None:
    name = said(["docker", "load", "-q", "-i", str(context / "base.tar")]).split()[-1]
    try:
        said(["docker", "build", "-q", "--network", "none", "-t", IMAGE, str(context)])
        assert said(["docker", "run", "--rm", IMAGE, "envsnap-verify"]).startswith(TOLD)
        assert said(["docker", "run", "--rm", IMAGE, "python", "-c", "import cv2"]) == ""
    finally:
        rm = ["docker", "image", "rm", "--force", IMAGE, name]
        subprocess.run(rm, capture_output=True, check=False)


@pytest.mark.parametrize("ids", ["yes", "no"])
def test_apptainer_installs_them_with_subordinate_ids_and_without(
    context: Path, tmp_path: Path, ids: str
) -> None:
    """Without them a container knows one user: apt can become no other."""
    home, images = tmp_path / "home", tmp_path / "images"
    home.mkdir()
    images.mkdir()
    build = ("sh", "build.sh", f"{images}/a.sif")
    done = on_node(home, [context, images], *build, ENVSNAP_NODE_IDS=ids)
    assert done.returncode == 0, done.stderr
    assert TOLD in done.stderr
    ran = on_node(
        home, [images], "apptainer", "exec", f"{images}/a.sif", "python", "-c", "import cv2"
    )
    assert (ran.returncode, ran.stdout) == (0, "")
