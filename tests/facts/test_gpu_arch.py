"""What a GPU can do, by capability, by name and by code target."""

from __future__ import annotations

import pytest

from envsnap.facts import Answer, Looked, NewerThanFacts, NotInTable
from envsnap.facts.gpu_arch import (
    Arch,
    Device,
    Features,
    Target,
    by_capability,
    by_name,
    by_target,
    features,
    oldest,
)

DATE = "2026-11-21"


def value(answer: Answer[object]) -> object:
    assert isinstance(answer, Looked), answer
    return answer.value


@pytest.mark.parametrize(
    "expected",
    [
        Arch("7.0", "volta", "sm_70", "9.0", "12.9", 580, first_driver_branch=None, tegra=False),
        Arch("7.5", "turing", "sm_75", "10.0", None, None, first_driver_branch=410, tegra=False),
        Arch("8.0", "ampere", "sm_80", "11.0", None, None, first_driver_branch=450, tegra=False),
        Arch("8.9", "ada", "sm_89", "11.8", None, None, first_driver_branch=520, tegra=False),
        Arch("9.0", "hopper", "sm_90", "11.8", None, None, first_driver_branch=520, tegra=False),
    ],
)
def test_a_capability_has_an_architecture_and_its_toolkits(expected: Arch) -> None:
    assert value(by_capability(expected.compute_capability)) == expected


@pytest.mark.parametrize(
    ("compute_capability", "expected"),
    [
        ("7.5", Features(tf32=False, bf16=False, fp8=False, fp4=False)),
        ("8.6", Features(tf32=True, bf16=True, fp8=False, fp4=False)),
        ("8.9", Features(tf32=True, bf16=True, fp8=True, fp4=False)),
        ("12.0", Features(tf32=True, bf16=True, fp8=True, fp4=True)),
    ],
)
def test_a_capability_has_its_number_formats(compute_capability: str, expected: Features) -> None:
    answer = features(compute_capability)
    assert isinstance(answer, Looked)
    assert (answer.value, answer.confidence) == (expected, "medium")


def test_number_formats_that_nobody_published_are_not_made_up() -> None:
    assert features("10.7") == NotInTable("Number formats of compute capability 10.7", "gpu_arch")


@pytest.mark.parametrize("compute_capability", ["12.2", "15.0"])
def test_a_capability_after_the_table_is_newer(compute_capability: str) -> None:
    expected = NewerThanFacts(f"Compute capability {compute_capability}", DATE)
    assert by_capability(compute_capability) == expected
    assert features(compute_capability) == expected


@pytest.mark.parametrize("compute_capability", ["8.8", "", "15", "gfx90a"])
def test_a_capability_that_the_table_lacks_is_not_in_it(compute_capability: str) -> None:
    expected = NotInTable(f"Compute capability {compute_capability}", "gpu_arch")
    assert by_capability(compute_capability) == expected
    assert features(compute_capability) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tesla T4", Device("Tesla T4", "7.5", 16)),
        ("NVIDIA A100-SXM4-40GB", Device("NVIDIA A100-SXM4-40GB", "8.0", 40)),
        ("A100-SXM4-40GB", Device("NVIDIA A100-SXM4-40GB", "8.0", 40)),
        ("GeForce RTX 3090", Device("NVIDIA GeForce RTX 3090", "8.6", 24)),
        ("NVIDIA H100 80GB HBM3", Device("NVIDIA H100 80GB HBM3", "9.0", 80)),
        ("NVIDIA GB200", Device("NVIDIA GB200", "10.0", None)),
    ],
)
def test_a_printed_name_is_found_with_and_without_its_prefix(name: str, expected: Device) -> None:
    assert value(by_name(name)) == expected


def test_an_unlisted_name_is_not_in_the_table() -> None:
    assert by_name("NVIDIA T4") == NotInTable("GPU 'NVIDIA T4'", "gpu_arch")


@pytest.mark.parametrize(
    "expected",
    [
        Target("sm_86", "8.6", "onwards", "11.1"),
        Target("sm_90a", "9.0", "exact", "12.0"),
        Target("sm_100f", "10.0", "family", "12.9"),
    ],
)
def test_a_code_target_says_where_it_runs(expected: Target) -> None:
    assert value(by_target(expected.sm)) == expected


def test_an_unknown_code_target_has_no_answer() -> None:
    assert by_target("sm_150a") == NewerThanFacts("GPU code target sm_150a", DATE)
    assert by_target("sm_86a") == NotInTable("GPU code target sm_86a", "gpu_arch")
    assert by_target("gfx90a") == NotInTable("GPU code target gfx90a", "gpu_arch")


@pytest.mark.parametrize(
    ("cuda", "capability"),
    [("13", "7.5"), ("13.0", "7.5"), ("12.9", "5.0"), ("12", "5.0"), ("11.8", "3.5")],
)
def test_each_cuda_makes_code_from_some_capability_on(cuda: str, capability: str) -> None:
    answer = oldest(cuda)
    assert isinstance(answer, Looked)
    assert answer.value.compute_capability == capability


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA GeForce RTX 3060", "8.6"),
        ("NVIDIA GeForce RTX 3050", "8.6"),
        ("NVIDIA GeForce RTX 5060", "12.0"),
        ("NVIDIA GeForce RTX 4090 D", "8.9"),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", "8.6"),
        ("GeForce RTX 2060", "7.5"),
        ("NVIDIA GeForce GTX 1650", "7.5"),
        ("GeForce GTX 1660 Ti", "7.5"),
        ("GeForce GTX 1060 6GB", "6.1"),
        ("GeForce GTX 980", "5.2"),
        ("NVIDIA A2", "8.6"),
        ("NVIDIA A16", "8.6"),
        ("NVIDIA A800-SXM4-80GB", "8.0"),
        ("NVIDIA TITAN V", "7.0"),
        ("Quadro RTX 8000", "7.5"),
    ],
)
def test_the_cards_on_peoples_desks_are_known(name: str, capability: str) -> None:
    answer = by_name(name)
    assert isinstance(answer, Looked), answer
    assert answer.value.compute_capability == capability
