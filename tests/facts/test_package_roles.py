"""What a distribution does to numbers: by its name, by a name's beginning, or not known."""

from __future__ import annotations

import pytest

from envsnap.facts import Looked, NotInTable
from envsnap.facts.package_roles import role_of


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("pip", "serves"),
        ("certifi", "serves"),
        ("opentelemetry-sdk", "serves"),
        ("numpy", "computes"),
        ("tzdata", "computes"),
        ("cupy-cuda12x", "computes"),
        ("libblas", "library"),
        ("nvidia-cudnn-cu12", "library"),
        ("nvidia-nccl-cu13", "library"),
    ],
)
def test_a_known_distribution_has_a_role(name: str, role: str) -> None:
    answer = role_of(name)
    assert isinstance(answer, Looked)
    assert answer.value == role


@pytest.mark.parametrize("name", ["model-of-the-author", "pipeline", "nvidia-dali-cuda120", ""])
def test_what_no_row_names_is_held_for_nothing(name: str) -> None:
    assert role_of(name) == NotInTable(f"What {name} computes", "package_roles")
