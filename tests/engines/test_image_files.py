"""Real images read as files: of Docker, Podman, a registry and Apptainer, all telling the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from envsnap.images import (
    Entry,
    add_object,
    fetch_image,
    manifest_of,
    open_image,
    tree,
    write_archive,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine

REGISTRY = "127.0.0.1:5000"
NAME = f"envsnap-test-files-{os.getpid()}"
PUSHED = f"{REGISTRY}/envsnap-test/files:1"
MANIFEST = b'{"schema": "1.0", "about": "' + b"x" * 50_000 + b'"}'
RECIPE = """\
FROM {base}
RUN mkdir -p /opt/env && echo gone > /opt/env/gone && ln -s env /opt/link \\
    && dd if=/dev/urandom of=/opt/env/large bs=1M count=8 && ln /opt/env/large /opt/env/same
RUN rm /opt/env/gone && echo new > /opt/env/new && touch /opt/env/one
COPY manifest.json /opt/envsnap/manifest.json
LABEL lab.label="a b"
"""


def done(*argv: str, cwd: Path | None = None) -> str:
    ended = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The archive of an image that Docker built, which it and the registry have as well."""
    base = os.environ["ENVSNAP_TEST_IMAGE"].partition("@")[0]
    folder = tmp_path_factory.mktemp("files")
    folder.chmod(0o755)
    (folder / "Dockerfile").write_text(RECIPE.format(base=base))
    (folder / "manifest.json").write_bytes(MANIFEST)
    done("docker", "buildx", "build", "--load", "--provenance=false", "-t", NAME, ".", cwd=folder)
    done("docker", "tag", NAME, PUSHED)
    done("docker", "push", "-q", PUSHED)
    done("docker", "save", "-o", str(folder / "image.tar"), NAME)
    (folder / "image.tar").chmod(0o644)
    yield folder / "image.tar"
    done("docker", "rmi", "-f", NAME, PUSHED)


def entries(reference: str) -> dict[str, Entry]:
    with open_image(reference) as image:
        found = tree(image, lambda _: False)
    assert found.doubtful == ()
    return {path: each._replace(layer=0) for path, each in found.entries.items()}


def test_docker_an_archive_and_a_registry_have_the_same_files(saved: Path) -> None:
    archive = entries(f"docker-archive:{saved}")
    assert "/opt/env/gone" not in archive
    assert archive["/opt/env/same"] == archive["/opt/env/large"]
    assert archive["/opt/env/large"].size == 8 << 20
    assert entries(f"docker-daemon:{NAME}") == archive
    assert entries(f"docker://{PUSHED}") == archive


def test_the_files_are_those_that_the_engine_itself_shows(saved: Path) -> None:
    listed = done(
        "docker", "run", "--rm", "--network", "none", NAME, "sh", "-c",
        "find /usr /opt -type f -exec sha256sum {} +",
    )  # fmt: skip
    shown = {line[66:]: line[:64] for line in listed.splitlines()}
    ours = {
        path: each.sha256
        for path, each in entries(f"docker-archive:{saved}").items()
        if each.kind == "file" and path.startswith(("/usr/", "/opt/"))
    }
    assert ours == shown


def test_every_way_gives_the_manifest_and_starts_nothing(saved: Path) -> None:
    before = done("docker", "ps", "-aq", "--no-trunc")
    for reference in (f"docker-archive:{saved}", f"docker-daemon:{NAME}", f"docker://{PUSHED}"):
        with open_image(reference) as image:
            assert image.config.labels["lab.label"] == "a b"
            assert manifest_of(image) == MANIFEST
            assert getattr(image, "received", 0) < 1_000_000
    base = os.environ["ENVSNAP_TEST_IMAGE"].partition("@")[0]
    with open_image(f"docker-daemon:{base}") as image:
        assert manifest_of(image) is None
    assert set(done("docker", "ps", "-aq", "--no-trunc").split()) <= set(before.split())


def test_a_fetched_image_is_what_the_registry_has(saved: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "layout")
    fetch_image(f"docker://{PUSHED}", "linux/amd64", folder, lambda *_: None)
    write_archive(folder, str(tmp_path / "image.tar"), 1_700_000_000)
    wanted = entries(f"docker-archive:{saved}")
    assert entries(f"oci:{folder}") == wanted
    assert entries(f"oci-archive:{tmp_path / 'image.tar'}") == wanted


@pytest.mark.skipif(shutil.which("podman") is None, reason="Podman is not installed")
def test_podman_has_the_same_files_after_it_loaded_the_archive(saved: Path) -> None:
    if subprocess.run(["podman", "info"], capture_output=True, check=False).returncode:
        pytest.skip("Podman does not work here")
    done("podman", "load", "-q", "-i", str(saved))
    name = f"localhost/{NAME}:latest"
    listed = done("podman", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    name = name if name in listed else f"docker.io/library/{NAME}:latest"
    try:
        assert entries(f"podman:{name}") == entries(f"docker-archive:{saved}")
        with open_image(f"podman:{name}") as image:
            assert manifest_of(image) == MANIFEST
    finally:
        done("podman", "rmi", "-f", name)


def test_a_sif_of_apptainer_has_the_same_files_and_takes_our_object(saved: Path) -> None:
    folder = saved.parent
    folder.chmod(0o777)
    done("apptainer", "build", "image.sif", "docker-archive:image.tar", cwd=folder)
    path = str(folder / "image.sif")
    wanted = entries(f"docker-archive:{saved}")
    found = entries(path)
    differs = {
        name
        for name in wanted.keys() | found.keys()
        if name not in found or name not in wanted or found[name].sha256 != wanted[name].sha256
    }
    ours = ("/opt/", "/usr/", "/bin", "/lib", "/sbin")  # in the rest Apptainer adds its own
    assert {name for name in differs if name.startswith(ours)} == set()
    with open_image(path) as image:
        assert manifest_of(image) == MANIFEST
        assert image.config.labels["lab.label"] == "a b"
    add_object(path, "envsnap.lock.json", b'{"schema": "1.0"}\n')
    with open_image(path) as image:
        assert manifest_of(image) == b'{"schema": "1.0"}\n'
    assert "JSON" in done("apptainer", "sif", "list", "image.sif", cwd=folder).upper()
    dumped = done("apptainer", "sif", "dump", "5", "image.sif", cwd=folder)
    assert dumped == '{"schema": "1.0"}\n'
    said = done("apptainer", "exec", "--contain", "image.sif", "cat", "/opt/env/new", cwd=folder)
    assert said == "new\n"
    # And theirs is read by us.
    (folder / "other.json").write_text('{"theirs": 1}\n')
    add = ("apptainer", "sif", "add", "--datatype", "6", "--filename", "other.json")
    done(*add, "image.sif", "other.json", cwd=folder)
    from envsnap.images._sif import Sif

    sif = Sif(path)
    try:
        names = {each.name: each for each in sif.objects}
        assert sif.bytes_of(names["other.json"]) == b'{"theirs": 1}\n'
        assert sif.bytes_of(names["envsnap.lock.json"]) == b'{"schema": "1.0"}\n'
    finally:
        sif.close()


@pytest.mark.usefixtures("saved")
def test_show_says_which_host_it_asks(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "envsnap", "show", f"docker://{PUSHED}", "--field", "schema"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stderr.startswith(f"Talks to: {REGISTRY}\n")
