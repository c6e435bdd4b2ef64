"""ImageHost against the real engines."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from envsnap.errors import ToolError
from envsnap.host import ImageHost, Ran, Stat, image_host
from envsnap.sections import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = os.environ.get("ENVSNAP_TEST_IMAGE") or "python:3.11.7-slim-bookworm"

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def sif(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The test image as Apptainer's one file."""
    if shutil.which("apptainer") is None:
        pytest.skip("Apptainer is not on PATH")
    place: Path = tmp_path_factory.mktemp("sif") / "image.sif"
    definition = place.with_suffix(".def")
    definition.write_text(f"Bootstrap: docker\nFrom: {IMAGE}\n")
    subprocess.run(["apptainer", "build", place, definition], check=True, capture_output=True)
    return str(place)


@pytest.fixture(scope="module")
def pulled() -> str:
    """The test image in the store that Podman and Buildah share."""
    subprocess.run(["podman", "pull", f"docker.io/library/{IMAGE}"], check=True)
    return f"containers-storage:docker.io/library/{IMAGE}"


@pytest.fixture(params=["docker", "podman", "apptainer"])
def image(request: pytest.FixtureRequest) -> Iterator[ImageHost]:
    """The test image, opened by each engine."""
    others = {"podman": "pulled", "apptainer": "sif"}
    docker = f"docker-daemon:{IMAGE}"
    name = docker if request.param == "docker" else request.getfixturevalue(others[request.param])
    with image_host(name) as host:
        yield host


def test_the_files_of_the_image_are_seen_and_not_the_hosts(image: ImageHost) -> None:
    release = image.read("/etc/os-release")
    assert isinstance(release, bytes)
    assert b"VERSION_CODENAME=bookworm" in release
    assert image.stat(__file__) is None
    assert isinstance(image.stat("/usr/local/bin/python3"), Stat)
    assert image.which("python3") == "/usr/local/bin/python3"


def test_commands_run_inside_the_image(image: ImageHost) -> None:
    version = IMAGE.split(":")[1].split("-")[0]
    assert image.run(["python3", "--version"]) == Ran(0, f"Python {version}\n", "")
    assert image.run(["no-such-command"]) == Unknown(Reason.TOOL_MISSING, "no-such-command")


def test_the_kernel_is_the_hosts(image: ImageHost) -> None:
    found = image.uname()
    assert not isinstance(found, Unknown)
    assert found.release == os.uname().release


def test_variables_of_this_shell_do_not_enter_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENVSNAP_CANARY", "1")
    with image_host(f"docker-daemon:{IMAGE}") as host:
        assert host.environ("ENVSNAP_CANARY") is None


def test_no_container_stays_behind() -> None:
    with image_host(f"docker-daemon:{IMAGE}") as host:
        name = host.read("/etc/hostname")
    assert isinstance(name, bytes)
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"id={name.decode().strip()}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_an_image_that_the_daemon_has_not_is_a_tool_error() -> None:
    with pytest.raises(ToolError) as raised:
        image_host("docker-daemon:no-such-image:1")
    assert raised.value.message.startswith("Cannot look into docker-daemon:no-such-image:1: ")
    assert "No such image: no-such-image:1" in raised.value.message
