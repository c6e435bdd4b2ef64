"""Real images whose Python nobody publishes for its base: compiled from its source, and proved."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from envsnap.cli import main
from envsnap.facts import Looked, python_sources
from envsnap.manifest import environment_id, load
from envsnap.wheelhouse._store import Stored, Wheelhouse, write_list
from tests.engines.building import BASE, said
from tests.engines.halves import on_node
from tests.engines.test_docker_closure import answered, environment

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long]

VERSION = "3.11.2"
"""Debian 12's own: its mirrors have the very archive. No relocatable build of it was published."""
FETCHER = "python:3.13.15-slim-bookworm"
"""What the recipe fetches with: here the stand-in goes by its name."""
IMAGE = "envsnap-tests-compiled-python"
AUTHORITIES = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
"""What this machine trusts: plain Debian knows no authority of a site's own."""
LOOK = """
import bz2, ctypes, curses, dbm.gnu, hashlib, idna, lzma, readline, sqlite3, ssl, sys, uuid, zlib
print(sys.version.split()[0], sys.base_prefix, idna.__version__)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, from the mirror that this machine's own apt is set to."""
    folder = tmp_path_factory.mktemp("source")
    parts = folder / "parts"
    parts.mkdir()
    for each in Path("/etc/apt/sources.list.d").glob("*.sources"):
        (parts / each.name).write_text(each.read_text().replace("Types: deb\n", "Types: deb-src\n"))
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::SourceParts={parts}", "-o",
           "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::State={folder / 'state'}", "-o",
           f"Dir::Cache={folder / 'cache'}"]  # fmt: skip
    (folder / "state" / "lists" / "partial").mkdir(parents=True)
    for words in (["update"], ["source", "--download-only", "--tar-only", "python3.11"]):
        subprocess.run([*apt, *words], cwd=folder, capture_output=True, check=False)
    found = folder / f"python3.11_{VERSION}.orig.tar.gz"
    if not found.is_file():
        pytest.skip(f"no mirror of this machine has the source of Python {VERSION}")
    return found


@pytest.fixture
def image() -> Iterator[str]:
    assert shutil.which("docker"), "docker is not on PATH"
    subprocess.run(["docker", "tag", BASE, FETCHER], check=True)
    yield IMAGE
    for name in (IMAGE, FETCHER):
        subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)


@pytest.fixture
def published() -> Iterator[None]:
    """The stand-in by that name in the registry, which has Apptainer's images."""
    name = f"127.0.0.1:5000/library/{FETCHER}"
    said(["docker", "build", "-q", "-t", name, "-"], input=f"FROM {BASE}\nLABEL lab.of=tests\n")
    said(["docker", "push", "-q", name])
    inspect = ["docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", name]
    digest = said(inspect).strip().partition("@")[2]
    yield
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, check=False)
    address = f"http://127.0.0.1:5000/v2/library/python/manifests/{digest}"
    with urllib.request.urlopen(urllib.request.Request(address, method="DELETE")):
        pass


def of_that_python(manifest: Path) -> None:
    """The manifest as that Python's own: its packages are pure, and any Python's."""
    document = json.loads(manifest.read_text())
    python = document["sections"]["python"]
    python.update(version=VERSION, implementation_version=VERSION)
    manifest.write_text(json.dumps(document))


def wheelhouse(source: Path, manifest: Path, folder: Path) -> None:
    """A wheelhouse that has the source alone, under the name that its publisher gave it."""
    raw = source.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    known = python_sources.source(VERSION)
    assert isinstance(known, Looked)
    assert known.value.sha256 == digest
    folder.mkdir()
    (folder / known.value.filename).write_bytes(raw)
    stored = Stored("python", VERSION, known.value.filename, digest, len(raw), "address")
    found = Wheelhouse(str(folder), str(environment_id(load(str(manifest)))), (stored,))
    write_list(found)


@pytest.fixture
def recipe(tmp_path: Path, source: Path) -> list[str]:
    """The words that build its context, of the source in a wheelhouse."""
    manifest = Path(environment(tmp_path, "idna==3.7")[0])
    of_that_python(manifest)
    assert main(["lock", str(manifest), "-q"]) == 0
    wheelhouse(source, manifest, tmp_path / "wh")
    return [
        "build", str(manifest), "-o", str(tmp_path / "ctx"), "--ca-cert", AUTHORITIES,
        "--base-image", "debian:bookworm-slim", "--wheelhouse", str(tmp_path / "wh"),
    ]  # fmt: skip


def test_an_image_has_the_python_that_was_compiled_and_no_compiler(
    recipe: list[str], image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*recipe, "--docker", "--image", image, "--network", "host", "--engine", "docker"]
    assert main(words) == 0, capsys.readouterr().err

    assert answered(image, "python", "-c", LOOK) == f"{VERSION} /opt/python 3.7\n"
    compilers = "command -v gcc cc make; ls -d /opt/python.src /usr/include/openssl 2>/dev/null; :"
    assert answered(image, "sh", "-c", compilers) == ""
    assert answered(image, "sh", "-c", "find /opt/python -name __pycache__ -o -name '*.a'") == ""
    told = answered(image, "envsnap-verify").splitlines()
    assert told[0] == "Python and 3 packages are those of the manifest"
    verify = ["verify", f"docker-daemon:{image}", "--against", recipe[1]]
    assert main(verify) == 0, capsys.readouterr()


@pytest.mark.usefixtures("published")
def test_apptainer_compiles_it_as_a_plain_user(
    recipe: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*recipe, "--singularity"]) == 0, capsys.readouterr().err
    for name in ("home", "images"):
        (tmp_path / name).mkdir()
    home, folders = tmp_path / "home", [tmp_path / "ctx", tmp_path / "images"]
    sif = f"{folders[1]}/a.sif"
    build = ("apptainer", "build", sif, "envsnap.def")
    done = on_node(home, folders, *build, ENVSNAP_NODE_NETWORK="yes")
    assert done.returncode == 0, done.stderr[-4000:]

    inside = ("apptainer", "exec", "--cleanenv", "--no-home", sif)
    assert on_node(home, folders[1:], *inside, "python", "-c", LOOK).stdout == (
        f"{VERSION} /opt/python 3.7\n"
    )
    compilers = on_node(home, folders[1:], *inside, "sh", "-c", "command -v gcc cc make; :")
    assert (compilers.returncode, compilers.stdout) == (0, "")
    assert main(["verify", sif, "--against", recipe[1]]) == 0, capsys.readouterr()
