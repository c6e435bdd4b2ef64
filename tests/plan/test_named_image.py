"""The image that the user named: what its name tells, what nobody knows, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from envsnap.errors import PlanError
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.sections import Fact, Reason, Unknown
from tests.base_cases import DIGEST, answering, manifest_of

GLIBC = {"packages": ["demo==1.0 manylinux_2_28_x86_64"], "gpu": "none"}
MUSL = {"packages": ["demo==1.0 musllinux_1_2_x86_64"], "os": "alpine 3.20", "gpu": "none"}
PLAIN = {"packages": ["idna==3.7"], "gpu": "none"}
WHEEL = "demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"


def planned(case: Mapping[str, object], image: str) -> BuildPlan:
    return plan(manifest_of(case), PlanOptions(base_image=image), answering([]))


def said(found: BuildPlan) -> list[str]:
    """What --explain says of the image itself."""
    return [
        f"{why.decision}: {why.because}" for why in found.reasons if why.source == "--base-image"
    ]


@pytest.mark.parametrize(
    ("case", "image", "message", "hint"),
    [
        (
            GLIBC, "alpine:3.19", f"The C library of alpine:3.19 is musl, and {WHEEL} is for glibc",
            "Name another, as --base-image python:3.11.7-slim-bookworm; or leave it out",
        ),
        (
            GLIBC, "lab/own:1-alpine",
            f"The C library of lab/own:1-alpine is musl, and {WHEEL} is for glibc",
            "Name another, as --base-image python:3.11.7-slim-bookworm; or leave it out",
        ),
        (
            MUSL, "python:3.11.7-slim-bookworm",
            ("The C library of python:3.11.7-slim-bookworm is glibc, and "
            "demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl is for musl"),
            "Name another, as --base-image python:3.11.7-alpine3.19; or leave it out",
        ),
        (
            {"packages": ["demo==1.0 manylinux_2_35_x86_64"], "gpu": "none"},
            "python:3.11.7-slim-bullseye",
            ("python:3.11.7-slim-bullseye has glibc 2.31, and "
            "demo-1.0-cp311-cp311-manylinux_2_35_x86_64.whl needs 2.35"),
            "Name another, as --base-image python:3.11.7-slim-bookworm; or leave it out",
        ),
        (
            {"packages": ["demo==1.0 manylinux_2_39_x86_64"], "gpu": "none"},
            "python:3.11.7-slim-bookworm",
            ("python:3.11.7-slim-bookworm has glibc 2.36, and "
            "demo-1.0-cp311-cp311-manylinux_2_39_x86_64.whl needs 2.39"),
            "Leave --base-image out, so that one is chosen",
        ),
        (
            PLAIN, "alpine:3.19",
            "alpine:3.19 has no Python, and no relocatable build of it for musl is known",
            "Name another, as --base-image python:3.11.7-alpine3.19; or leave it out",
        ),
    ],
)  # fmt: skip
def test_an_image_that_cannot_serve_is_refused(
    case: Mapping[str, object], image: str, message: str, hint: str
) -> None:
    with pytest.raises(PlanError) as caught:
        planned(case, image)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert caught.value.exit_code == 6


def test_of_an_image_that_no_table_knows_neither_python_nor_glibc_is_known() -> None:
    found = planned(GLIBC, "lab/own:1")
    assert said(found) == [
        "base=lab/own:1: it was asked for",
        (
            "lab/own:1 is taken to have Python 3.11.7 at /usr/local/bin/python3: nothing tells "
            "which Python it has; the build stops where it is another"
        ),
        (
            f"lab/own:1 is taken to have glibc 2.28 or newer: {WHEEL} needs it, and nothing tells "
            "which C library the image has"
        ),
    ]
    assert found.notes == (
        (
            "It is not known which Python and which glibc lab/own:1 has: the build stops where it "
            "will not do"
        ),
    )


def test_where_no_wheel_asks_for_a_glibc_python_alone_is_not_known() -> None:
    found = planned(PLAIN, "lab/own:1")
    assert found.notes == (
        "It is not known which Python lab/own:1 has: the build stops where it will not do",
    )


@pytest.mark.parametrize(
    ("case", "image"),
    [
        (GLIBC, "python:3.11.7-slim-bookworm"),
        (GLIBC, "debian:bookworm-slim"),
        (GLIBC, "nvidia/cuda:12.4.1-devel-ubuntu22.04"),
        (MUSL, "python:3.11.7-alpine3.19"),
        (GLIBC, "nvcr.io/nvidia/pytorch:25.10-py3"),
    ],
)
def test_of_an_image_that_a_table_knows_nothing_is_taken_for_granted(
    case: Mapping[str, object], image: str
) -> None:
    found = planned(case, image)
    assert found.notes == ()
    assert [each for each in said(found) if "is taken to have" in each] == []


def test_a_wheel_that_was_compiled_on_a_newer_machine_refuses_no_image() -> None:
    case = {"packages": ["demo==1.0 linux_x86_64"], "os": "ubuntu 24.04", "gpu": "none"}
    assert planned(case, "python:3.11.7-slim-bullseye").base.tag == "3.11.7-slim-bullseye"


@pytest.mark.parametrize(
    "image", ["oci-archive:base.tar", "docker-archive:/data/my base.tar", "localimage:../own.sif"]
)
def test_an_image_that_is_a_file_is_taken_and_no_registry_is_asked(image: str) -> None:
    asked: list[str] = []

    def ask(reference: str) -> Fact[str]:
        asked.append(reference)
        return DIGEST

    found = plan(manifest_of(PLAIN), PlanOptions(base_image=image), ask)
    base = found.base
    assert asked == []
    assert "the base image is a file, and no digest of it is written down" in [
        why.decision for why in found.reasons
    ]
    assert not any(image in text or name.endswith("base.name") for name, text in found.labels)
    assert (base.reference, base.tag, base.is_file) == (image, None, True)
    assert base.digest == Unknown(Reason.NOT_SUPPORTED, "it is a file")


@pytest.mark.parametrize(
    "image", ["oci-archive:", "localimage: x.sif", "docker-archive:a\nb", "oci-archive:a\x00"]
)
def test_a_file_whose_path_is_not_one_line_is_refused(image: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned(PLAIN, image)
    assert caught.value.message == (
        f"Expected a file such as oci-archive:base.tar, not {image!a}, in '--base-image'"
    )


def test_a_tag_that_an_image_of_everybodys_does_not_have_is_refused() -> None:
    image = "python:3.11.7-nosuch"
    with pytest.raises(PlanError) as caught:
        plan(manifest_of(GLIBC), PlanOptions(base_image=image), answering([image]))
    assert (caught.value.message, caught.value.hint) == (
        f"There is no image {image}: the registry answers 404 for {image}",
        "Name another, as --base-image python:3.11.7-slim-bookworm; or leave it out",
    )
    own = "lab/only-here:1"
    found = plan(manifest_of(GLIBC), PlanOptions(base_image=own), answering([own]))
    assert found.base.reference == own


DEAD = "nvidia/cuda:11.2.0-devel-ubuntu20.04"
NOT_OFFERED = "no list of NVIDIA's offers that tag (table nvidia_cuda_images of 2026-11-21)"


def silent(reference: str) -> Fact[str]:
    return Unknown(Reason.TIMED_OUT, f"nobody answers for {reference}")


@pytest.mark.parametrize(
    ("image", "there"),
    [
        (DEAD, "; 11.2.2-devel-ubuntu20.04 is there"),
        ("nvcr.io/nvidia/cuda:11.2-devel-ubuntu20.04", "; 11.2.2-devel-ubuntu20.04 is there"),
        ("nvidia/cuda:10.2-runtime-ubuntu18.04", ""),
        ("nvidia/cuda:latest", ""),
        ("nvidia/cuda", ""),
    ],
)
def test_a_tag_of_cuda_that_the_table_knows_to_be_gone_is_said(image: str, there: str) -> None:
    found = plan(manifest_of(PLAIN), PlanOptions(base_image=image), silent)
    assert found.notes == (f"The build will stop at {image}: {NOT_OFFERED}{there}",)


def test_where_an_image_is_built_now_a_table_that_is_sure_stops_it() -> None:
    options = PlanOptions(base_image=DEAD, machine="x86_64")
    with pytest.raises(PlanError) as caught:
        plan(manifest_of(PLAIN), options, silent)
    assert (caught.value.message, caught.value.hint) == (
        f"There is no image {DEAD}: {NOT_OFFERED}",
        (
            "Name one that is: --base-image nvidia/cuda:11.2.2-devel-ubuntu20.04; or a copy of "
            "your own, under a name of its own, with --base-image"
        ),
    )
    assert caught.value.exit_code == 6


def test_a_table_that_is_not_sure_stops_no_build() -> None:
    image = "nvidia/cuda:10.2-runtime-ubuntu18.04"
    options = PlanOptions(base_image=image, machine="x86_64")
    assert len(plan(manifest_of(PLAIN), options, silent).notes) == 1


def test_the_registrys_own_404_names_the_tag_that_is_there_too() -> None:
    with pytest.raises(PlanError) as caught:
        plan(manifest_of(PLAIN), PlanOptions(base_image=DEAD), answering([DEAD]))
    assert caught.value.message == f"There is no image {DEAD}: the registry answers 404 for {DEAD}"
    assert (caught.value.hint or "").startswith(
        "Name one that is: --base-image nvidia/cuda:11.2.2-devel-ubuntu20.04"
    )


@pytest.mark.parametrize("image", [DEAD, f"{DEAD}@{DIGEST}", "lab/cuda:11.2.0-devel-ubuntu20.04"])
def test_a_digest_is_worth_more_than_the_table_and_a_copy_is_nobodys_tag(image: str) -> None:
    resolve = silent if image != DEAD else answering([])
    found = plan(manifest_of(PLAIN), PlanOptions(base_image=image, machine="x86_64"), resolve)
    assert [each for each in found.notes if "offers" in each] == []


def test_of_a_tag_that_nothing_starts_from_nothing_is_said() -> None:
    needless = Unknown(Reason.NOT_ASKED)
    found = plan(manifest_of(PLAIN), PlanOptions(base_image=DEAD), lambda _: needless)
    assert found.notes == ()


def test_a_definition_starts_from_a_file_and_a_dockerfile_cannot() -> None:
    from envsnap.formats import named

    found = planned(PLAIN, "oci-archive:base.tar")
    head = named("apptainer").render(found)["envsnap.def"].splitlines()[:2]
    assert head == ["Bootstrap: oci-archive", "From: base.tar"]
    for name in ("dockerfile", "devcontainer"):
        with pytest.raises(PlanError) as caught:
            named(name).render(found)
        assert caught.value.message == "A Dockerfile cannot start from oci-archive:base.tar"
