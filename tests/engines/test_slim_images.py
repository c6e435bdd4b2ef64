"""The system libraries found by evidence, in an image that has nothing else: enough, and no more.

An environment of packages that need a system's libraries is made here and captured with `--deep`.
The Debian packages that own what it needs are installed on the stand-in for `python:X-slim`; the
environment is shown to that image as it lies here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from envsnap._capture import capture
from envsnap.host import LocalHost
from envsnap.probes import Options
from envsnap.sections import SystemLibraries, SystemLibrary, Unknown
from tests.engines.building import PYTHON, interpreter

pytestmark = [pytest.mark.engine, pytest.mark.slow]

REQUIREMENTS = Path(__file__).parents[2] / "bench" / "environments" / "system.txt"
FROM_SOURCE = "psycopg2"
IMAGE = "envsnap-test-slim"
IMPORT_EACH = """
import importlib.machinery, json, os, sys
import mpi4py
mpi4py.rc.initialize = False
site, found = sys.argv[1], {}
suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
modules = ["cv2", "soundfile"]  # each opens its library in a way of its own
for folder, _, names in sorted(os.walk(site)):
    for name in sorted(names):
        if name.endswith(suffixes):
            module = os.path.relpath(os.path.join(folder, name.partition(".")[0]), site)
            modules.append(module.replace(os.sep, "."))
for module in modules:
    try:
        __import__(module)
        found[module] = None
    except BaseException as error:
        found[module] = "%s: %s" % (type(error).__name__, error)
sys.stdout.flush()
os.write(1, ("\\nFOUND" + json.dumps(found) + "\\n").encode())
os._exit(0)
"""


class Made(NamedTuple):
    """An environment, and what of it can be imported here."""

    site: str
    importable: frozenset[str]
    needed: tuple[SystemLibrary, ...]


def imported(command: list[str]) -> frozenset[str]:
    """The extension modules that import where this command runs Python."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [each for each in ran.stdout.splitlines() if each.startswith("FOUND")]
    if not lines:
        return frozenset()
    return frozenset(name for name, error in json.loads(lines[-1][5:]).items() if error is None)


def installed(environment: Path) -> str:
    """Where bench/environments/system.txt was installed, psycopg2 built from its source."""
    subprocess.run([interpreter(), "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    only = ["--only-binary", ":all:", "--no-binary", FROM_SOURCE]
    subprocess.run([*pip, "install", "-q", *only, "-r", str(REQUIREMENTS)], check=True)
    minor = ".".join(PYTHON.split(".")[:2])
    return str(environment / "lib" / f"python{minor}" / "site-packages")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The environment of bench/environments/system.txt, psycopg2 built from its source."""
    folder = tmp_path_factory.mktemp("slim")
    site = installed(folder / "env")
    python = str(folder / "env" / "bin" / "python")
    options = Options(python=str(folder / "env"), deep=True)
    section = capture(LocalHost(), options, sections=frozenset({"system_libraries"})).section(
        SystemLibraries
    )
    assert isinstance(section, SystemLibraries), section
    assert not isinstance(section.needed, Unknown), section
    return Made(site, imported([python, "-c", IMPORT_EACH, site]), section.needed)


@pytest.fixture(scope="module")
def image(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The slim image with the owners of what is needed, and nothing that they only recommend."""
    assert shutil.which("docker"), "docker is not on PATH"
    packages = sorted({each.owner for each in made.needed if isinstance(each.owner, str)})
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(
        f"FROM {os.environ['ENVSNAP_TEST_IMAGE']}\n"
        f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}\n"
    )
    build = ["docker", "build", "-q", "--network", "host", "-t", IMAGE, str(context)]
    subprocess.run(build, check=True, capture_output=True)
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


def there(image: str, site: str, before: str = "true") -> frozenset[str]:
    """What of the environment imports in the image, after a shell's line was run in it."""
    program = f'{before}; exec python -c "$0" /site'
    shown = f"-v {site}:/site:ro -e PYTHONPATH=/site -e OMPI_MCA_btl=self".split()
    command = ["sh", "-c", program, IMPORT_EACH]
    return imported(["docker", "run", "--rm", "--network", "none", *shown, image, *command])


def test_every_module_that_imports_here_imports_there(made: Made, image: str) -> None:
    assert {"cv2", "psycopg2._psycopg", "scipy.linalg._fblas", "soundfile"} <= made.importable
    assert there(image, made.site) == made.importable


def test_the_bare_image_is_not_enough(made: Made) -> None:
    lacking = made.importable - there(os.environ["ENVSNAP_TEST_IMAGE"], made.site)
    assert "cv2" in lacking


def test_no_library_is_there_in_vain(made: Made, image: str) -> None:
    here = [each.name for each in made.needed if isinstance(each.location, str)]
    in_vain = [
        name
        for name in here
        if there(image, made.site, f"find / -xdev -name '{name}' -not -path '/site/*' -delete")
        >= made.importable
    ]
    assert in_vain == []
