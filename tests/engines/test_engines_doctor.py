"""doctor --build on real machines: this one, and containers that take something away."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from envsnap.cli import main
from tests.engines.building import BASE, HERE

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SOURCE = os.path.dirname(os.path.dirname(HERE))
LIBRARIES = os.path.join(SOURCE, ".venv/lib/python3.11/site-packages")


def doctor_in_a_container(*options: str) -> dict[str, Any]:
    """What doctor says as a plain user of a container."""
    argv = ["docker", "run", "--rm", "--network", "none", "--user", "1000", *options,
            "-v", f"{SOURCE}/envsnap:/source/envsnap:ro", "-v", f"{LIBRARIES}:/libraries:ro",
            "-e", "PYTHONPATH=/source:/libraries", "-e", "HOME=/tmp", BASE,
            "python", "-m", "envsnap", "doctor", "--build", "--format", "json"]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check_of(found: dict[str, Any], topic: str) -> dict[str, str]:
    return next(each for each in found["checks"] if each["topic"].startswith(topic))


def test_every_engine_of_this_machine_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--build", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    works = {each["engine"] for each in found["routes"] if each["works"]}
    assert {"docker", "podman", "buildah", "apptainer", "repo2docker"} <= works
    assert (found["chosen"], found["command"].split()[:5]) == (
        "docker",
        ["envsnap", "build", "--docker", "--engine", "docker"],
    )


def test_a_seccomp_filter_that_blocks_user_namespaces_is_found_by_trying() -> None:
    blocked = check_of(doctor_in_a_container(), "user namespaces")
    assert blocked["word"] == "stops"
    assert blocked["said"].startswith("blocked")
    open_ = doctor_in_a_container("--security-opt", "seccomp=unconfined")
    assert check_of(open_, "user namespaces")["said"] == "one was made"


def test_a_noexec_folder_and_a_memory_limit_are_found() -> None:
    found = doctor_in_a_container(
        "--tmpfs", "/scratch:rw,noexec,mode=1777", "-e", "SCRATCH=/scratch", "--memory", "512m"
    )
    assert check_of(found, "working folder /scratch")["said"] == (
        "programs cannot be started from it (noexec)"
    )
    assert check_of(found, "memory limit")["said"] == ("537 MB: packing a large image may be ended")


def test_the_base_image_is_asked_for_as_a_build_asks(capsys: pytest.CaptureFixture[str]) -> None:
    told = ("doctor", "--build", "--online", "--format", "json", "--base-image")
    assert main([*told, BASE]) == 0
    there = check_of(json.loads(capsys.readouterr().out), f"base image {BASE}")
    assert (there["word"], there["said"]) == ("fine", "its registry, or a mirror, has it")
    main([*told, "python:0.0.1-none"])
    gone = check_of(json.loads(capsys.readouterr().out), "base image python:0.0.1-none")
    assert gone["word"] == "warns"
    # The registry's own word, or that it is silent: the mirror's 404 is none.
    assert "registry-1.docker.io " in gone["said"]
