"""Which package has a library or a program, and what packages need that their files do not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.facts import Answer, Looked, NotInTable
from envsnap.facts.package_needs import Needs, needs_of
from envsnap.facts.system_packages import (
    development_of,
    is_in_base,
    named_by_rule,
    others_of,
    package_of,
    package_of_program,
    suites,
)

SUITES = ("bullseye", "bookworm", "trixie", "focal", "jammy", "noble")


def value(answer: Answer[str]) -> str:
    assert isinstance(answer, Looked), answer
    return answer.value


@pytest.mark.parametrize(
    ("soname", "expected"),
    [
        ("libGL.so.1", ("libgl1",) * 6),
        ("libpq.so.5", ("libpq5",) * 6),
        ("libgomp.so.1", ("libgomp1",) * 6),
        (
            "libgthread-2.0.so.0",
            ("libglib2.0-0", "libglib2.0-0", "libglib2.0-0t64") * 2,
        ),
        (
            "libmpi.so.40",
            (*(("libopenmpi3",) * 2), "libopenmpi40", *(("libopenmpi3",) * 2), "libopenmpi3t64"),
        ),
        ("libblas.so.3", ("libblas3",) * 6),
        ("libopenblas.so.0", ("libopenblas0-pthread",) * 6),
        ("libjpeg.so.62", ("libjpeg62-turbo",) * 3 + ("libjpeg62",) * 3),
        ("ld-linux-aarch64.so.1", ("libc6",) * 6),
    ],
)
def test_a_library_has_its_package_in_every_release(soname: str, expected: tuple[str, ...]) -> None:
    assert tuple(value(package_of(soname, suite)) for suite in SUITES) == expected


def test_an_answer_names_the_release_whose_index_it_was_read_in() -> None:
    answer = package_of("libfreefare.so.0", "bookworm")
    assert isinstance(answer, Looked)
    assert answer.confidence == "high"
    assert "Debian 12" in " ".join(source.title for source in answer.sources)


@pytest.mark.parametrize("suite", SUITES)
def test_no_driver_of_a_gpu_and_no_cuda_comes_from_a_distribution(suite: str) -> None:
    for soname in ("libcuda.so.1", "libnvidia-ml.so.1", "libcudart.so.12", "libcublas.so.12"):
        assert isinstance(package_of(soname, suite), NotInTable)


def test_what_is_not_there_is_not_guessed() -> None:
    assert package_of("libffi.so.6", "bookworm") == NotInTable(
        "libffi.so.6 of bookworm", "system_packages"
    )
    assert package_of("libGL.so.1", "buster") == NotInTable("The release buster", "system_packages")
    assert package_of_program("nvcc", "jammy") == NotInTable(
        "The program nvcc of jammy", "system_packages"
    )


def test_other_versions_of_a_library_are_named() -> None:
    assert others_of("libssl.so.1.0.0", "noble") == {"libssl.so.3": "libssl3t64"}
    assert others_of("libssl.so.3", "jessie") == {}


def test_what_a_program_is_compiled_with() -> None:
    assert value(development_of("libpq.so.5", "bookworm")) == "libpq-dev"
    assert value(development_of("libhdf5_serial.so.103", "jammy")) == "libhdf5-dev"
    assert isinstance(development_of("libnothing.so.1", "jammy"), NotInTable)


@pytest.mark.parametrize(
    ("seen", "package"),
    [
        ("cc", "gcc"), ("cc1plus", "g++"), ("gcc-11", "gcc"),
        ("x86_64-linux-gnu-ld.bfd", "binutils"),
        ("git-remote-https", "git"), ("orterun", "openmpi-bin"), ("pdflatex", "texlive-latex-base"),
        ("dot", "graphviz"), ("ffprobe", "ffmpeg"), ("java", "default-jre-headless"),
        ("wget", "wget"), ("psql", "postgresql-client-15"), ("make", "make"),
    ],
)  # fmt: skip
def test_a_program_is_known_by_the_name_that_it_is_seen_to_run_by(seen: str, package: str) -> None:
    assert value(package_of_program(seen, "bookworm")) == package


def test_every_image_of_a_release_has_its_c_library_and_apts_own_and_no_more() -> None:
    assert sorted(suites()) == sorted(SUITES)
    for suite in SUITES:
        assert is_in_base("libc6", suite)
        assert is_in_base("libstdc++6", suite)
        assert not is_in_base("libgl1", suite)
    assert not is_in_base("libc6", "buster")


@given(st.text(min_size=1, max_size=30))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(package_of(text, "noble"), (Looked, NotInTable))
    assert isinstance(package_of_program(text, "noble"), (Looked, NotInTable))
    assert named_by_rule(f"lib{text}.so") is None or "\n" not in text


def test_a_compiler_is_what_triton_starts_and_the_source_is_its_own_code() -> None:
    answer = needs_of("triton")
    assert isinstance(answer, Looked)
    assert answer.value == Needs(("cc",), at_once=True, opens=(), links=(), builds=())
    assert answer.confidence == "high"
    assert isinstance(needs_of("idna"), NotInTable)


@pytest.mark.parametrize("name", ["triton", "weasyprint", "opencv-python", "mpi4py", "pydot"])
def test_what_a_package_needs_can_be_placed(name: str) -> None:
    answer = needs_of(name)
    assert isinstance(answer, Looked)
    for suite in ("bookworm", "jammy"):
        for soname in (*answer.value.opens, *answer.value.links):
            assert isinstance(package_of(soname, suite), Looked), soname
        for program in answer.value.programs:
            assert isinstance(package_of_program(program, suite), Looked), program
