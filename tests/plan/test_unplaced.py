"""Libraries that no table can place, and the image that the user named for them."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.plan._model import Why
from envsnap.sections import SystemLibraries, SystemLibrary
from tests import made
from tests.base_cases import answering

WHEEL = "six-1.16.0-cp311-cp311-manylinux_2_17_x86_64.whl"
PLAIN = "six-1.16.0-py3-none-any.whl"
CHOSEN = "python:3.11.7-slim-bookworm"
WHERE = "an image whose distribution its name does not tell"


def manifest(*sonames: str, file: str = WHEEL) -> Manifest:
    needed = tuple(
        SystemLibrary(
            name=each, versions=(), needed_by=("six",), location=f"/usr/lib/{each}", owner=None
        )
        for each in sonames
    )
    return made.manifest(
        (made.package("six", "1.16.0"),), (made.artifact("six", "1.16.0", file),), unlocked=(),
        python=made.python(version="3.11.7"), gpu=made.gpu("none"),
        system_libraries=SystemLibraries(needed=needed, exempt=()),
    )  # fmt: skip


def planned(found: Manifest, **options: object) -> BuildPlan:
    return plan(found, PlanOptions(**options), answering([]))  # type: ignore[arg-type] # as named


def refusal(found: Manifest, **options: object) -> str:
    with pytest.raises(PlanError) as caught:
        planned(found, **options)
    assert caught.value.exit_code == 6
    return caught.value.message


def test_naming_the_image_that_the_plan_would_choose_changes_nothing() -> None:
    found = manifest("libxyzzy.so.42")
    said = "No package is known that has 'libxyzzy.so.42', which six needs, in Debian bookworm"
    assert refusal(found) == said
    assert refusal(found, base_image=CHOSEN) == said


@pytest.mark.parametrize(
    "image",
    ["debian:bookworm-slim", "nvidia/cuda:12.4.1-devel-ubuntu22.04", "buildpack-deps:24.04"],
)
def test_nor_has_another_image_what_its_distribution_has_not(image: str) -> None:
    assert "'libxyzzy.so.42'" in refusal(manifest("libxyzzy.so.42"), base_image=image)


def test_alpine_is_held_to_the_same_rule() -> None:
    found = manifest("libGL.so.1", file=PLAIN.replace("none-any", "none-musllinux_1_2_x86_64"))
    assert refusal(found, base_image="python:3.11.7-alpine3.19") == (
        "No package is known that has 'libGL.so.1', which six needs, in an image of Alpine Linux"
    )


@pytest.mark.parametrize("image", ["lab/own:1", "lab/own:1-bookworm", "rocm/pytorch:jammy"])
def test_an_image_of_ones_own_may_have_them_and_a_note_names_every_one(image: str) -> None:
    names = [f"libxyzzy{each}.so.42" for each in range(5)]
    found = planned(manifest(*names), base_image=image)
    (note,) = [each for each in found.notes if "already" in each]
    assert note.startswith(f"{', '.join(names)} must be in {image} already: no table names a ")
    assert note.endswith("and six will not load without it")
    assert [why.source for why in found.reasons if why.decision.endswith("already")] == [
        "--base-image"
    ]


def test_of_a_distribution_that_no_table_has_libgl_is_named() -> None:
    found = planned(manifest("libGL.so.1"), base_image="rockylinux:9")
    assert (
        "libGL.so.1 must be in rockylinux:9 already: no table names a package that has it in an "
        "image of the rpm family, and six will not load without it"
    ) in found.notes
    assert Why(
        "libGL.so.1 must be in the base image already",
        "no table names a package that has it in an image of the rpm family, and six will not load "
        "without it",
        "--base-image",
    ) in found.reasons  # fmt: skip


def test_who_does_without_is_told_what_he_does_without() -> None:
    found = planned(manifest("libxyzzy.so.42"), base_image=CHOSEN, allow_missing=True)
    assert [each for each in found.notes if "already" in each] == [
        (
            f"libxyzzy.so.42 must be in {CHOSEN} already: no table names a package that has it in "
            "Debian bookworm, and six will not load without it"
        )
    ]


def test_where_everything_is_placed_nothing_is_said() -> None:
    assert planned(manifest("libGL.so.1"), base_image=CHOSEN).notes == ()
