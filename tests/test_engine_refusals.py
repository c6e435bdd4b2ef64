"""What engines refuse before anything is made for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envsnap.engines import Job
from envsnap.engines._choice import choose
from envsnap.engines._sif_builder import half
from envsnap.engines.apptainer import Apptainer
from envsnap.engines.docker import Docker
from envsnap.engines.podman import Podman
from envsnap.errors import FileError, ToolError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tag_or_a_name_that_is_too_long_is_refused() -> None:
    Docker().refuse_name(f"a:{'x' * 128}")
    with pytest.raises(UsageError) as caught:
        Docker().refuse_name(f"a:{'x' * 129}")
    assert caught.value.message == "The tag of an image has at most 128 letters, not 129"
    with pytest.raises(UsageError) as caught:
        Podman().refuse_name("a" * 256)
    assert caught.value.message == "The name of an image has at most 255 letters, not 256"


@pytest.mark.parametrize("name", ["lab/Paper", "a..b", "lab//paper", "-a"])
def test_names_that_no_registry_takes_are_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Docker().refuse_name(name)
    assert caught.value.message == (
        f"Docker names images in small letters, as lab/paper:1, not {name!r}"
    )


def test_the_name_of_a_file_is_no_name_for_docker() -> None:
    with pytest.raises(UsageError) as caught:
        Docker().refuse_name("paper.sif")
    assert caught.value.message == "Docker makes no file, and 'paper.sif' is the name of one"
    assert caught.value.hint == "Give --singularity --image paper.sif, or a NAME:TAG"


def test_a_sif_in_no_folder_is_refused_and_none_is_made(tmp_path: Path) -> None:
    target = tmp_path / "no such" / "a.sif"
    for refuse in (Apptainer().refuse_name, lambda name: half(name).__enter__()):
        with pytest.raises(FileError) as caught:
            refuse(str(target))
        assert caught.value.message == f"There is no folder {tmp_path}/no such for a.sif"
        assert caught.value.hint == f"Make it with: mkdir -p '{tmp_path}/no such'"
    assert os.listdir(tmp_path) == []


def test_two_builds_of_one_file_do_not_meet(tmp_path: Path) -> None:
    target = str(tmp_path / "a.sif")
    with half(target) as part:
        assert os.path.dirname(os.path.dirname(part)) == str(tmp_path)
        with pytest.raises(FileError) as caught, half(target):
            pass
        assert caught.value.message == f"{target} is being built by another process"
    assert os.listdir(tmp_path) == []


def test_a_network_that_apptainer_does_not_have_is_refused(tmp_path: Path) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    asked = Job(
        context=str(tmp_path), recipe="x.def", image=str(tmp_path / "x.sif"),
        platform=f"linux/{machine}", network="host", listen=lambda _: None,
    )  # fmt: skip
    with pytest.raises(UsageError) as caught:
        Apptainer().build(asked)
    assert caught.value.message == (
        "apptainer builds in the machine's own network, and takes no --network"
    )


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_an_engine_that_is_not_here_says_where_to_look(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        choose("dockerfile", name)
    assert caught.value.message == f"{name} is not on PATH"
    assert caught.value.hint == "See what this machine lacks with: envsnap doctor --build"
    with pytest.raises(ToolError) as caught:
        choose("dockerfile")
    assert caught.value.message == (
        "No engine here builds 'dockerfile':\n"
        "  docker: docker is not on PATH\n"
        "  podman: podman is not on PATH\n"
        "  buildah: buildah is not on PATH"
    )
