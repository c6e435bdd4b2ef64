"""Relocatable Pythons, NGC's images, who wants the system's CUDA, and tags of nvidia/cuda."""

from __future__ import annotations

import pytest

from envsnap.facts import Looked, NewerThanFacts, NotInTable
from envsnap.facts.cuda_users import need
from envsnap.facts.ngc_images import Release, release
from envsnap.facts.nvidia_cuda_images import is_known, tags
from envsnap.facts.python_builds import address, build, versions
from envsnap.facts.python_images import python_slim_versions
from envsnap.plan._floor import DEBIAN, UBUNTU, glibc_of

DATE = "2026-08-21"
RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
FILE = "cpython-3.11.7+20240107-aarch64-unknown-linux-gnu-install_only.tar.gz"


def test_a_build_is_its_file_its_address_and_its_digest() -> None:
    found = build("3.11.7", "aarch64")
    assert isinstance(found, Looked)
    assert found.value == (
        FILE,
        f"{RELEASES}/20240107/{FILE.replace('+', '%2B')}",
        "b102eaf865eb715aa98a8a2ef19037b6cc3ae7dfd4a632802650f29de635aa13",
    )
    assert found.confidence == "high"
    assert found.sources[0].title == "astral-sh/uv crates/uv-python/download-metadata.json"


@pytest.mark.parametrize("version", ["3.11.0", "3.11.2", "3.10.10", "3.9.8", "3.7.17", "2.7.18"])
def test_a_version_that_was_never_built_is_not_in_the_table(version: str) -> None:
    assert build(version, "x86_64") == NotInTable(
        f"A relocatable build of Python {version} for x86_64", "python_builds"
    )


@pytest.mark.parametrize("version", ["3.11.99", "3.14.8", "3.15.0", "3.16.0a1", "4.0.0"])
def test_a_version_after_the_newest_of_its_release_is_newer(version: str) -> None:
    assert build(version, "x86_64") == NewerThanFacts(
        f"A relocatable build of Python {version} for x86_64", DATE
    )


@pytest.mark.parametrize("version", ["", "3", "3.11", "3.11.7.1", "3.11.x", "9" * 5000, "3.1.²"])
def test_what_is_no_version_is_in_no_table(version: str) -> None:
    assert isinstance(build(version, "x86_64"), NotInTable)


def test_builds_without_the_gil_are_their_own() -> None:
    found = build("3.14.4", "x86_64", free_threaded=True)
    assert isinstance(found, Looked)
    assert found.value.filename == (
        "cpython-3.14.4+20260414-x86_64-unknown-linux-gnu-freethreaded-install_only_stripped.tar.gz"
    )
    assert isinstance(build("3.13.2", "x86_64", free_threaded=True), NotInTable)
    assert versions("x86_64", free_threaded=True)[0] == "3.13.12"


def test_versions_come_oldest_first_with_a_pre_release_below_its_release() -> None:
    found = versions("x86_64")
    assert found[0] == "3.8.12"
    assert found[-2:] == ("3.15.0b4", "3.15.0rc1")
    assert found.index("3.14.5rc1") + 1 == found.index("3.14.5")
    assert "3.9.15" not in versions("s390x")


def test_the_address_of_an_archive_is_found_by_its_name() -> None:
    for machine in ("x86_64", "aarch64", "ppc64le", "s390x"):
        for version in versions(machine):
            found = build(version, machine)
            assert isinstance(found, Looked)
            assert address(found.value.filename) == found.value.url
    assert address("cpython-3.11.7+20240107-riscv64-unknown-linux-gnu-install_only.tar.gz") is None
    assert address("../../etc/passwd") is None


def test_no_two_archives_have_one_digest() -> None:
    found = [
        answer.value.sha256
        for machine in ("x86_64", "aarch64", "ppc64le", "s390x")
        for free_threaded in (False, True)
        for version in versions(machine, free_threaded=free_threaded)
        if isinstance(answer := build(version, machine, free_threaded=free_threaded), Looked)
    ]
    assert len(found) == len(set(found)) > 400


@pytest.mark.parametrize(
    ("month", "python", "confidence"),
    [
        ("20.02", "3.6", "high"), ("22.12", "3.8", "medium"), ("23.02", "3.8", "low"),
        ("23.12", "3.10", "medium"), ("24.05", "3.10", "low"), ("25.10", "3.12", "low"),
    ],
)  # fmt: skip
def test_a_month_has_the_python_of_its_image(month: str, python: str, confidence: str) -> None:
    found = release(month)
    assert isinstance(found, Looked)
    assert (found.value.python, found.confidence) == (python, confidence)


def test_a_month_between_two_that_differ_is_not_guessed() -> None:
    assert release("21.06") == NotInTable("Image nvcr.io/nvidia/pytorch:21.06-py3", "ngc_images")
    assert isinstance(release("26.09"), NewerThanFacts)
    assert isinstance(release("19.01"), NotInTable)
    assert isinstance(release("25.1"), NotInTable)
    assert release("20.12") != release("22.12")
    assert isinstance(found := release("20.12"), Looked)
    assert found.value == Release("3.8", "/opt/conda/bin/python3", "20.04")


def test_who_brings_the_libraries_needs_none_of_the_system() -> None:
    assert need("onnxruntime-gpu", ["numpy"]) is not None
    assert need("onnxruntime-gpu", ["nvidia-cublas-cu12"]) is None
    assert need("onnxruntime") is None


def test_the_tags_of_a_release_are_those_of_its_patches() -> None:
    assert {found.value.cuda for found in tags("12.6")} == {"12.6.0", "12.6.1", "12.6.2", "12.6.3"}
    assert {found.value.state for found in tags()} == {"listed", "seen", "unsupported"}
    assert tags("10.2") == tags("no version") == tags("9" * 5000) == ()


@pytest.mark.parametrize(
    ("cuda", "known"),
    [("12.4.1", True), ("12.4", True), ("11.2.0", False), ("10.2", False), ("10.2.89", False),
     ("12.7", False)],
)  # fmt: skip
def test_a_release_is_known_alive_or_gone(cuda: str, known: bool) -> None:  # noqa: FBT001 - a row
    found = is_known(cuda)
    assert isinstance(found, Looked)
    assert found.value is known


def test_every_slim_version_has_a_suite() -> None:
    found = python_slim_versions("aarch64")
    assert (found[0], found[-1]) == ("2.7.14", "3.14.7")
    assert python_slim_versions("riscv64") == ()


def test_the_glibc_of_every_release_that_images_are_built_on_is_known() -> None:
    known = {
        **{name: glibc_of("debian", version) for name, version in DEBIAN.items()},
        **{name: glibc_of("ubuntu", version) for name, version in UBUNTU.items()},
    }
    assert known == {
        "trixie": "2.41", "bookworm": "2.36", "bullseye": "2.31", "buster": "2.28",
        "stretch": "2.24", "jessie": "2.19",
        "noble": "2.39", "jammy": "2.35", "focal": "2.31", "bionic": "2.27",
    }  # fmt: skip
