"""Which driver a CUDA version needs, and which CUDA a driver serves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.facts import Answer, Looked, NewerThanFacts, NotInTable, Source, parse_driver
from envsnap.facts.cuda_driver import (
    Branch,
    Floor,
    ForwardCompatibility,
    branch,
    floor,
    forward_compatibility,
    highest_cuda,
    last_branch,
)

DATE = "2026-11-21"


def value(answer: Answer[object]) -> object:
    assert isinstance(answer, Looked), answer
    return answer.value


@pytest.mark.parametrize(
    ("cuda", "expected"),
    [
        ("11.8", Floor("11.8.0", "520.61.05", "450.80.02")),
        ("12", Floor("12", None, "525.60.13")),
        ("12.4", Floor("12.4.0", "550.54.14", "525.60.13")),
        ("12.4.1", Floor("12.4.1", "550.54.15", "525.60.13")),
        ("12.8.1", Floor("12.8.1", "570.124.06", "525.60.13")),
        ("13.0", Floor("13.0.0", "580.65.06", "580.65.06")),
        ("10.2", Floor("10.2.89", "440.33", None)),
        ("9.0", Floor("9.0.176", "384.81", None)),
    ],
)
def test_a_cuda_version_has_its_own_driver_and_the_floor_of_its_major(
    cuda: str, expected: Floor
) -> None:
    assert value(floor(cuda)) == expected


def test_a_build_number_in_the_third_place_answers_for_the_minor_release() -> None:
    assert value(floor("12.4.127")) == Floor("12.4.0", "550.54.14", "525.60.13")


def test_a_toolkit_whose_own_driver_no_source_names_still_has_the_floor_of_its_major() -> None:
    assert value(floor("13.4.2")) == Floor("13.4.2", None, "580.65.06")


def test_windows_has_its_own_floors() -> None:
    assert value(floor("12.4", "windows")) == Floor("12.4.0", "551.61", "527.41")
    assert floor("13.0", "windows") == NotInTable("CUDA 13.0 on Windows", "cuda_driver")


def test_the_lowest_driver_is_the_older_of_the_two_floors() -> None:
    # CUDA 11.0 came with a driver older than the floor that holds from 11.1 on.
    assert Floor("11.0.2", "450.51.05", "450.80.02").lowest == "450.51.05"
    assert Floor("12.4.0", "550.54.14", "525.60.13").lowest == "525.60.13"
    assert Floor("12", None, "525.60.13").lowest == "525.60.13"
    assert Floor("10.2.89", "440.33", None).lowest == "440.33"


@pytest.mark.parametrize("cuda", ["13.6", "14", "14.0", "99.9.9"])
def test_a_cuda_after_the_table_is_newer_than_the_facts(cuda: str) -> None:
    assert floor(cuda) == NewerThanFacts(f"CUDA {cuda}", DATE)


@pytest.mark.parametrize("cuda", ["8.0", "12.7", "10", "", "latest", "12.x"])
def test_a_cuda_that_the_table_lacks_is_not_in_it(cuda: str) -> None:
    assert floor(cuda) == NotInTable(f"CUDA {cuda}", "cuda_driver")


def test_a_floor_tells_its_sources_and_how_sure_it_is() -> None:
    answer = floor("12.4")
    assert isinstance(answer, Looked)
    assert answer.confidence == "high"
    assert answer.sources == (
        Source("Package index metadata of cuda-toolkit", None, DATE),
        Source(
            'NVIDIA CUDA 13.2 Update 2 Release Notes, Table 3 "CUDA Toolkit and Corresponding '
            'Driver Versions" and Table 2 (minor version compatibility)',
            "https://docs.nvidia.com/cuda/archive/13.2.2/cuda-toolkit-release-notes/index.html",
            DATE,
        ),
        Source(
            "spack-packages: cuda/package.py, runfile names cuda_<toolkit>_<driver>_linux.run",
            "https://github.com/spack/spack-packages/blob/develop/repos/spack_repo/builtin/"
            "packages/cuda/package.py",
            DATE,
        ),
        Source(
            "cuDNN 9.x support matrix (gives the precise floors)",
            "https://docs.nvidia.com/deeplearning/cudnn/backend/latest/reference/"
            "support-matrix.html",
            DATE,
        ),
    )


def test_a_floor_is_as_sure_as_its_weakest_row() -> None:
    answer = floor("12.9.2")
    assert isinstance(answer, Looked)
    assert answer.confidence == "medium"


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("450.80.02", "11.0"),
        ("515.65.01", "11.7"),
        ("525.60.13", "12.0"),
        ("535.104.05", "12.2"),
        ("550.54.14", "12.4"),
        ("550.54.15", "12.4"),
        ("580.65.06", "13.0"),
    ],
)
def test_a_driver_serves_the_cuda_of_its_branch(driver: str, cuda: str) -> None:
    assert value(highest_cuda(driver)) == cuda


def test_windows_drivers_are_judged_by_the_toolkits_that_name_them() -> None:
    assert value(highest_cuda("551.78", "windows")) == "12.4"
    assert value(highest_cuda("528.33", "windows")) == "12.0"
    # No toolkit after 12.9 names a Windows driver: 12.9 would be a guess.
    assert highest_cuda("581.15", "windows") == NotInTable(
        "Driver 581.15 on Windows", "cuda_driver"
    )


def test_the_newest_branch_is_known_but_weak() -> None:
    answer = highest_cuda("615.10")
    assert isinstance(answer, Looked)
    assert (answer.value, answer.confidence, answer.weak) == ("13.4", "low", True)


def test_a_driver_of_no_known_branch_has_no_answer() -> None:
    assert highest_cuda("900.10") == NewerThanFacts("Driver 900.10", DATE)
    assert branch("900.10") == NewerThanFacts("Driver 900.10", DATE)
    assert highest_cuda("585.10") == NotInTable("Driver 585.10", "cuda_driver")
    assert branch("367.44") == NotInTable("Driver 367.44", "cuda_driver")
    assert branch("N/A") == NotInTable("Driver N/A", "cuda_driver")


def test_a_branch_knows_its_kind_and_its_end() -> None:
    assert value(branch("580.95.05")) == Branch(580, "LTSB", "2028-06")
    assert Branch(470, "LTSB", "2024-07").ended("2026-11") is True
    assert Branch(580, "LTSB", "2028-06").ended("2026-11") is False
    assert Branch(610, "New Feature", "2026-08").ended("2026-08") is False
    assert Branch(550, "Production", None).ended("2026-11") is None


@pytest.mark.parametrize(
    ("architecture", "last"),
    [("maxwell", 580), ("Pascal", 580), ("volta", 580), ("Kepler", 470), ("fermi", 390)],
)
def test_an_old_architecture_has_a_last_branch(architecture: str, last: int) -> None:
    assert value(last_branch(architecture)) == last


def test_a_current_architecture_has_no_last_branch_in_the_table() -> None:
    assert last_branch("turing") == NotInTable("Last driver branch for turing", "cuda_driver")


def test_forward_compatibility_is_not_for_geforce() -> None:
    assert value(forward_compatibility()) == ForwardCompatibility(
        since_toolkit="10.0",
        gpus="NVIDIA data center GPUs, select NGC-Ready RTX GPUs, Jetson",
        geforce=False,
        package_pattern="cuda-compat-<major>-<minor>",
    )


def test_driver_versions_compare_part_by_part() -> None:
    newer, older = parse_driver("525.60.13"), parse_driver("525.60.9")
    assert newer is not None
    assert older is not None
    assert newer > older


@given(st.text() | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True))
def test_no_text_makes_a_lookup_raise(text: str) -> None:
    answers: list[object] = [
        floor(text),
        floor(text, "windows"),
        highest_cuda(text),
        highest_cuda(text, "windows"),
        branch(text),
        last_branch(text),
    ]
    assert all(isinstance(answer, (Looked, NewerThanFacts, NotInTable)) for answer in answers)
