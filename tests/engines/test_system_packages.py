"""The system packages that a plan names, on the stand-in slim image: every library is found.

An environment whose packages need libraries of the system is made and captured with `--deep`; the
plan names Debian's packages from the table, whatever machine the capture was made on.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap._capture import capture
from envsnap.host import LocalHost
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions
from envsnap.plan._model import BaseImage, SystemPackages
from envsnap.plan._safe import reference
from envsnap.plan._system import system_packages_of
from envsnap.probes import Options
from envsnap.sections import Artifact, Packages, Reason, SystemLibraries, Unknown
from tests import made as known
from tests.engines.building import PYTHON
from tests.engines.test_slim_images import FROM_SOURCE, IMPORT_EACH, imported, installed

pytestmark = [pytest.mark.engine, pytest.mark.slow]

IMAGE = "envsnap-test-system-packages"
LACKING = "find /site -name '*.so*' -exec ldd {} + 2>/dev/null | grep 'not found' | sort -u"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The environment of bench/environments/system.txt, psycopg2 built from its source."""
    return installed(tmp_path_factory.mktemp("system") / "env")


@pytest.fixture(scope="module")
def manifest(site: str) -> Manifest:
    """What a deep capture says of it."""
    options = Options(python=str(Path(site).parents[2]), deep=True)
    sections = frozenset({"system_libraries", "packages"})
    return capture(LocalHost(), options, sections=sections)


@pytest.fixture(scope="module")
def planned(manifest: Manifest) -> SystemPackages:
    """What the plan names for it; psycopg2 is a source archive there."""
    repository, tag, _ = reference(f"python:{PYTHON}-slim-bookworm", "test")
    base = BaseImage(reference=f"{repository}:{tag}", repository=repository, tag=tag,
                     digest=Unknown(Reason.NOT_ASKED))  # fmt: skip
    packages, _ = system_packages_of(manifest, base, artifacts(manifest), PlanOptions())
    return packages


def artifacts(manifest: Manifest) -> list[Artifact]:
    section = manifest.section(Packages)
    assert isinstance(section, Packages), section
    assert not isinstance(section.installed, Unknown), section
    return [
        known.artifact(
            each.name, each.version,
            f"{each.name}-{each.version}.tar.gz" if each.name == FROM_SOURCE
            else f"{each.name}-{each.version}-cp311-cp311-manylinux_2_28_x86_64.whl",
        )
        for each in section.installed
    ]  # fmt: skip


@pytest.fixture(scope="module")
def image(planned: SystemPackages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The slim image with what the plan names, without what that recommends."""
    names = " ".join(each.name for each in planned.image)
    context = tmp_path_factory.mktemp("context")
    (context / "Dockerfile").write_text(
        f"FROM {os.environ['ENVSNAP_TEST_IMAGE']}\n"
        f"RUN apt-get update && apt-get install -y --no-install-recommends {names}\n"
    )
    build = ["docker", "build", "-q", "--network", "host", "-t", IMAGE, str(context)]
    subprocess.run(build, check=True, capture_output=True)
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "--force", IMAGE], capture_output=True, check=False)


def inside(image: str, site: str, *command: str) -> list[str]:
    shown = f"-v {site}:/site:ro -e PYTHONPATH=/site -e OMPI_MCA_btl=self".split()
    return ["docker", "run", "--rm", "--network", "none", *shown, image, *command]


def test_the_plan_names_what_the_libraries_ask_for(planned: SystemPackages) -> None:
    assert [each.name for each in planned.image] == [
        "libgl1", "libglib2.0-0", "libopenmpi3", "libpq5", "libxcb1",
    ]  # fmt: skip
    assert [each.name for each in planned.builder] == ["build-essential", "libpq-dev", "pkgconf"]


def test_the_linker_finds_there_all_but_what_no_import_reaches(
    image: str, site: str, manifest: Manifest
) -> None:
    def lacking(where: str) -> list[str]:
        ran = subprocess.run(
            inside(where, site, "sh", "-c", LACKING), capture_output=True, text=True, check=False
        )
        return sorted({line.split()[0] for line in ran.stdout.splitlines()})

    assert "libpq.so.5" in lacking(os.environ["ENVSNAP_TEST_IMAGE"])
    section = manifest.section(SystemLibraries)
    assert isinstance(section, SystemLibraries), section
    assert not isinstance(section.exempt, Unknown), section
    brought = {each.name for each in Path(site).rglob("*.so*")}  # found by who asks for it first
    assert set(lacking(image)) - brought <= {each.name for each in section.exempt}


def test_every_module_that_imports_here_imports_there(image: str, site: str) -> None:
    python = str(Path(site).parents[2] / "bin" / "python")
    here = imported([python, "-c", IMPORT_EACH, site])
    assert {"cv2", "psycopg2._psycopg", "scipy.linalg._fblas", "soundfile"} <= here
    there = imported(inside(image, site, "python", "-c", IMPORT_EACH, "/site"))
    assert there == here
