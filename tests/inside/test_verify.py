"""The verifier that images carry, run by real interpreters in real environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

import envsnap.inside
from envsnap.manifest import encode
from envsnap.sections import Artifact, Package
from tests import made

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = os.path.dirname(envsnap.inside.__file__)
IDENTITY = sys.version_info[:3]


def metadata(site: Path, name: str, version: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: no\n"
    )
    (site / f"{name}.py").write_text("")
    # The SHA-256 of no bytes, as RECORD writes it.
    (folder / "RECORD").write_text(
        f"{name}.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
    )


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with two packages, beside the verifier."""
    folder = tmp_path / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    site = folder / "lib" / f"python{IDENTITY[0]}.{IDENTITY[1]}" / "site-packages"
    metadata(site, "demo", "1.0")
    metadata(site, "Other.Name", "2.0")
    for name in ("verify.py", "content.py"):
        shutil.copy(os.path.join(INSIDE, name), tmp_path)
    return folder


PACKAGES = (
    made.package("demo", "1.0", content=None),
    made.package("other-name", "2.0", content=None),
    made.package("shadowed", "1.0", active=False),
)


def manifest(
    environment: Path,
    packages: tuple[Package, ...] = PACKAGES,
    artifacts: tuple[Artifact, ...] = (),
    *,
    version: str = ".".join(map(str, IDENTITY)),
) -> str:
    """A manifest of this very interpreter, as the codec writes it."""
    python = made.python(implementation=sys.implementation.name, version=version)
    path = environment.parent / "manifest.json"
    path.write_text(encode(made.manifest(packages, artifacts, python=python)))
    return str(path)


def verify(environment: Path, words: Sequence[str]) -> tuple[int, list[str]]:
    program = [
        str(environment / "bin" / "python"),
        "-I",
        "-B",
        str(environment.parent / "verify.py"),
    ]
    done = subprocess.run([*program, *words], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_an_environment_as_its_manifest_says_passes(environment: Path) -> None:
    assert verify(environment, [manifest(environment)]) == (
        0,
        ["Python and 2 packages are those of the manifest"],
    )


def test_every_difference_is_named(environment: Path) -> None:
    packages = (
        made.package("Demo", "1.1", content=None),
        made.package("gone", "3", content=None),
    )
    assert verify(environment, [manifest(environment, packages=packages)]) == (
        1,
        [
            "differs: demo: wanted 1.1, found 1.0",
            "differs: gone 3 is missing",
            "differs: other-name 2.0 is not the manifest's",
        ],
    )


def test_what_was_left_out_is_not_missed_and_others_can_be_allowed(environment: Path) -> None:
    packages = (
        made.package("demo", "1.0", content=None),
        made.package("gone", "3", content=None),
    )
    words = ["--others-ok", "--without", "Gone", manifest(environment, packages=packages)]
    assert verify(environment, words)[0] == 0


def test_other_files_under_the_same_version_are_seen(environment: Path) -> None:
    packages = (
        made.package("demo", "1.0"),
        made.package("other-name", "2.0"),
    )
    artifacts = (
        made.artifact("demo", "1.0", "demo-1.0-py3-none-any.whl"),
        made.artifact("other-name", "2.0", "other_name-2.0.tar.gz", is_installed=False),
    )
    path = manifest(environment, packages=packages, artifacts=artifacts)
    assert verify(environment, [path]) == (1, ["differs: demo 1.0 holds other files than it did"])


def test_another_python_is_seen(environment: Path) -> None:
    assert verify(environment, [manifest(environment, version="3.6.0")]) == (
        1,
        [f"differs: Python's version: wanted 3.6.0, found {'.'.join(map(str, IDENTITY))}"],
    )


def older() -> list[str]:
    root = os.path.expanduser("~/.pyenv/versions")
    found = sorted(os.listdir(root)) if os.path.isdir(root) else []
    return [f"{root}/{each}/bin/python" for each in found if each.startswith(("3.6", "3.7", "3.8"))]


@pytest.mark.skipif(not older(), reason="no Python older than 3.9 here")
@pytest.mark.parametrize("program", older())
def test_old_interpreters_run_it(program: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(encode(made.manifest((), (), python=made.python(implementation="x"))))
    script = os.path.join(INSIDE, "verify.py")
    done = subprocess.run(
        [program, "-I", "-B", script, "--others-ok", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("differs: Python's implementation: wanted x, found cpython\n")
