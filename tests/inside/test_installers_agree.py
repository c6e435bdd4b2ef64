from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from envsnap.inside.content import Stated
from envsnap.inside.outside import of_file
from envsnap.inside.wheel import from_wheel

WHEELS = (
    "attrs==25.3.0",
    "black==25.1.0",
    "jupyterlab-widgets==3.0.15",
    "numpy==2.2.6",
    "packaging==25.0",
    "ruff==0.12.0",
    "uv==0.8.0",
)
"""Pure and compiled; with entry points; with a program, data and headers in the wheel."""


def stated_in(site: Path) -> Mapping[str, Stated]:
    return {
        folder.name: of_file(str(folder / "RECORD").encode()) for folder in site.glob("*.dist-info")
    }


@pytest.mark.network
@pytest.mark.slow
def test_pip_uv_and_the_wheels_agree(tmp_path: Path) -> None:
    wheelhouse, log = tmp_path / "wheels", (tmp_path / "log").open("w")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, stdout=log, stderr=log)

    run(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
        "-d", wheelhouse, *WHEELS)  # fmt: skip
    wheels = sorted(wheelhouse.glob("*.whl"))
    sites = {}
    for installer in ("pip", "uv"):
        environment = tmp_path / installer
        run(sys.executable, "-m", "venv", environment)
        python = environment / "bin" / "python"
        pip = (python, "-m", "pip") if installer == "pip" else (uv, "pip")
        target = () if installer == "pip" else ("--python", python)
        run(*pip, "install", *target, "--no-deps", "--no-index", *wheels)
        sites[installer] = stated_in(next(environment.glob("lib/python*/site-packages")))
    log.close()
    assert len(wheels) == len(WHEELS)
    for wheel in wheels:
        folder = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
        own, pip_says, uv_says = from_wheel(str(wheel)), *(sites[by][folder] for by in sites)
        assert own.content is not None
        assert (pip_says.content, pip_says.files) == (own.content, own.files), wheel.name
        assert (uv_says.content, uv_says.files) == (own.content, own.files), wheel.name
        if own.other_refusal is None:
            assert (pip_says.other, uv_says.other) == (own.other, own.other), wheel.name
