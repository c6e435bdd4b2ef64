"""Versions of system packages, of a real image: recorded, said, and found again by verify."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.cli import main
from tests.engines import building
from tests.engines.building import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow]

IMAGE = "envsnap-test-system-versions"
REQUIREMENTS = ("opencv-python==4.10.0.84", "numpy==1.26.4")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A locked manifest of an environment that asks for libGL and GLib."""
    monkeypatch.chdir(tmp_path)
    python = os.path.expanduser(f"~/.pyenv/versions/{PYTHON}/bin/python")
    subprocess.run([python, "-m", "venv", ".venv"], check=True)
    pip = [".venv/bin/python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", *REQUIREMENTS], check=True)
    assert main(["capture", "--deep", "--python", ".venv", "-q"]) == 0
    assert main(["lock", "-q"]) == 0
    return tmp_path


def test_a_build_keeps_the_versions_that_its_image_got(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", "--docker", "--image", IMAGE, "--network", "host"]
    try:
        assert main(words) == 0
        said = " ".join(capsys.readouterr().err.split())
        kept = json.loads((project / "envsnap-build" / "build.json").read_text())["system"]
        query = ["docker", "run", "--rm", IMAGE, "dpkg-query", "-W", "-f"]
        listed = building.said([*query, "${Package} ${Version}\n"])
        installed = dict(line.split(" ", 1) for line in listed.splitlines())
        assert sorted(kept["asked"]) == ["libgl1", "libglib2.0-0"]
        assert {name: installed[name] for name in kept["asked"]} == kept["asked"]
        assert {name: installed[name] for name in kept["besides"]} == kept["besides"]
        assert {"libc6", "libglvnd0", "libpcre2-8-0"} <= kept["besides"].keys()
        assert f"System packages: libgl1 {installed['libgl1']}, libglib2.0-0" in said
        assert "the last image from this folder had other" not in said
        words = ["verify", f"docker-daemon:{IMAGE}", "--against", "envsnap.lock.json", "--json"]
        assert main(words) == 0
        told = json.loads(capsys.readouterr().out)["system"]
        assert told == {"same": len(kept["asked"]) + len(kept["besides"]), "differs": []}
    finally:
        subprocess.run(["docker", "image", "rm", "--force", IMAGE], check=False)
