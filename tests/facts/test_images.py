"""The tags of nvidia/cuda and the suites of python."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.facts import Answer, Looked, NewerThanFacts, NotInTable
from envsnap.facts.nvidia_cuda_images import Dead, Tag, best, by_tag, cudnn_part, dead
from envsnap.facts.python_images import (
    python_alpine_releases,
    python_alpine_versions,
    python_slim_suites,
)

DATE = "2026-11-21"


def value(answer: Answer[object]) -> object:
    assert isinstance(answer, Looked), answer
    return answer.value


@pytest.mark.parametrize(
    ("name", "expected", "alive"),
    [
        (
            "12.8.1-cudnn-devel-ubuntu24.04",
            Tag("12.8.1", "cudnn", "devel", "ubuntu24.04", "listed"),
            True,
        ),
        (
            "11.8.0-base-rockylinux8",
            Tag("11.8.0", None, "base", "rockylinux8", "listed"),
            True,
        ),
        (
            "12.4.0-base-ubuntu22.04",
            Tag("12.4.0", None, "base", "ubuntu22.04", "unsupported"),
            None,
        ),
        (
            "13.3.1-base-ubuntu24.04",
            Tag("13.3.1", None, "base", "ubuntu24.04", "seen"),
            None,
        ),
        (
            "11.2.0-base-ubuntu20.04",
            Tag("11.2.0", None, "base", "ubuntu20.04", "gone"),
            False,
        ),
        (
            "12.8.1-cudnn9-devel-ubuntu24.04",
            Tag("12.8.1", "cudnn9", "devel", "ubuntu24.04", "gone"),
            False,
        ),
    ],
)
def test_a_tag_is_alive_dead_or_doubtful(name: str, expected: Tag, alive: bool | None) -> None:  # noqa: FBT001 - a row of a table
    assert value(by_tag(name)) == expected
    assert expected.name == name
    assert expected.alive is alive


def test_a_tag_that_the_lists_do_not_cover_has_no_answer() -> None:
    for name in ("latest", "", "12.1.1-tensorrt-devel-ubuntu22.04", "13.2.1-base-rockylinux9"):
        assert by_tag(name) == NotInTable(f"Image nvidia/cuda:{name}", "nvidia_cuda_images")
    name = "14.0.0-base-ubuntu24.04"
    assert by_tag(name) == NewerThanFacts(f"Image nvidia/cuda:{name}", DATE)


def test_the_best_tag_of_a_minor_is_its_newest_listed_patch() -> None:
    assert value(best("12.4", "runtime", "ubuntu22.04")) == Tag(
        "12.4.1", None, "runtime", "ubuntu22.04", "listed"
    )
    assert value(best("12.8", "devel", "ubuntu24.04", cudnn=True)) == Tag(
        "12.8.1", "cudnn", "devel", "ubuntu24.04", "listed"
    )


def test_an_unsupported_tag_is_the_best_where_nothing_is_listed() -> None:
    assert value(best("11.2", "base", "ubuntu20.04")) == Tag(
        "11.2.2", None, "base", "ubuntu20.04", "unsupported"
    )


def test_no_tag_is_best_where_there_is_none() -> None:
    assert best("12.7", "base", "ubuntu22.04") == NotInTable(
        "Image nvidia/cuda for CUDA 12.7 (base, ubuntu22.04)", "nvidia_cuda_images"
    )
    assert best("14.0", "devel", "ubuntu24.04", cudnn=True) == NewerThanFacts(
        "Image nvidia/cuda for CUDA 14.0 (cudnn devel, ubuntu24.04)", DATE
    )


@pytest.mark.parametrize(
    ("cuda", "spelled"),
    [("11.8.0", "cudnn8"), ("12.3.2", "cudnn9"), ("12.8.1", "cudnn"), ("13.1.0", None)],
)
def test_the_tags_spell_cudnn_by_their_cuda(cuda: str, spelled: str | None) -> None:
    assert value(cudnn_part(cuda)) == spelled


def test_a_cuda_without_images_spells_nothing() -> None:
    assert cudnn_part("11.2.0") == NotInTable(
        "cuDNN in the images of CUDA 11.2.0", "nvidia_cuda_images"
    )
    assert cudnn_part("14.0.0") == NewerThanFacts("cuDNN in the images of CUDA 14.0.0", DATE)


@pytest.mark.parametrize(
    ("version", "suites"),
    [
        ("3.11.7", ("bookworm", "bullseye")),
        ("3.7.17", ("bookworm", "bullseye", "buster")),
        ("3.12.0", ("bookworm", "bullseye")),
        ("3.13.7", ("trixie", "bookworm")),
        ("3.14.0", ("trixie", "bookworm")),
        ("3.6.15", ("bullseye", "buster")),
    ],
)
def test_a_python_patch_has_the_suites_of_its_time(version: str, suites: tuple[str, ...]) -> None:
    assert value(python_slim_suites(version)) == suites


def test_a_suite_counts_only_for_the_machines_it_was_built_for() -> None:
    assert value(python_slim_suites("3.6.8", "x86_64")) == ("stretch", "jessie")
    assert value(python_slim_suites("3.6.8", "aarch64")) == ("stretch",)
    assert python_slim_suites("3.11.7", "s390x") == NotInTable(
        "Image python:3.11.7-slim for s390x", "python_images"
    )


def test_a_python_that_the_history_lacks_has_no_answer() -> None:
    for version in ("3.14.8", "3.15.0", "4.0.0"):
        expected = NewerThanFacts(f"Image python:{version}-slim", "2026-08-21")
        assert python_slim_suites(version) == expected
    for version in ("3.8.99", "3.13.0rc1", "3.11", "2.7.9", ""):
        missing = NotInTable(f"Image python:{version}-slim", "python_images")
        assert python_slim_suites(version) == missing


def test_a_suite_listed_for_less_than_a_day_is_less_sure() -> None:
    short, long = python_slim_suites("2.7.18"), python_slim_suites("2.7.17")
    assert isinstance(short, Looked)
    assert isinstance(long, Looked)
    assert (short.confidence, long.confidence) == ("medium", "high")


@given(st.text())
def test_no_text_makes_a_lookup_raise(text: str) -> None:
    answers: list[object] = [
        by_tag(text),
        by_tag(f"{text}-base-{text}"),
        best(text, "base", text),
        cudnn_part(text),
        python_slim_suites(text, text),
    ]
    assert all(isinstance(answer, (Looked, NewerThanFacts, NotInTable)) for answer in answers)


def test_an_image_on_alpine_is_of_the_releases_that_the_list_had() -> None:
    assert value(python_alpine_releases("3.11.7")) == ("3.19", "3.18", "3.17")
    assert value(python_alpine_releases("3.11.7", "aarch64")) == ("3.19", "3.18", "3.17")
    assert python_alpine_releases("3.11.7", "s390x") == NotInTable(
        "Image python:3.11.7-alpine for s390x", "python_images"
    )
    assert python_alpine_releases("3.6.2") == NotInTable(
        "Image python:3.6.2-alpine", "python_images"
    )
    assert python_alpine_releases("3.14.99") == NewerThanFacts(
        "Image python:3.14.99-alpine", "2026-08-21"
    )
    assert python_alpine_versions()[0] == "3.6.3"
    assert python_alpine_versions("riscv64") == ()


def test_the_maker_keeps_from_when_until_when_an_image_was_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(root / "scripts")  # as it is where the script is started
    spec = importlib.util.spec_from_file_location("maker", root / "scripts/python_images.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    first = (
        "Maintainers: somebody\n\nTags: 3.9.1-slim-buster, 3.9-slim-buster\n"
        "Architectures: amd64, arm64v8, s390x\nDirectory: 3.9/buster/slim\n\n"
        "Tags: 3.9.1-alpine3.12, alpine\nArchitectures: amd64, arm64v8\n\n"
        "Tags: 3.10.0rc1-slim-buster\nArchitectures: amd64\n"
    )
    second = "Tags: 3.9.2-slim-buster\nArchitectures: amd64\n"
    listed = [
        maker.Version("2020-12-08", maker.images(first)),
        maker.Version("2021-02-20", maker.images(second)),
    ]
    sure = {"source": ["library"], "confidence": "high"}
    assert maker.rows(listed) == [
        {"kind": "alpine", "python": "3.9.1", "releases": ["3.12"], **sure},
        {
            "kind": "slim", "python": "3.9.1", "suite": "buster", "listed_from": "2020-12-08",
            "listed_until": "2021-02-20", "machines": ["x86_64", "aarch64"], **sure,
        },
        {
            "kind": "slim", "python": "3.9.2", "suite": "buster", "listed_from": "2021-02-20",
            "listed_until": None, "machines": ["x86_64"], **sure,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("11.2.0-devel-ubuntu20.04", Dead("11.2.2-devel-ubuntu20.04", is_sure=True)),
        ("12.4.1-cudnn8-devel-ubuntu22.04", Dead("12.4.1-cudnn-devel-ubuntu22.04", is_sure=True)),
        ("12.4-devel-ubuntu22.04", Dead("12.4.1-devel-ubuntu22.04", is_sure=True)),
        ("latest", Dead(None, is_sure=True)),
        ("10.2-runtime-ubuntu18.04", Dead(None, is_sure=False)),
        ("12.4.1-devel-ubuntu22.04", None),
        ("99.0.0-devel-ubuntu22.04", None),
        ("my-own-tag", None),
    ],
)
def test_a_tag_that_no_list_offers_is_told_with_the_nearest(
    name: str, expected: Dead | None
) -> None:
    assert dead(name) == expected
