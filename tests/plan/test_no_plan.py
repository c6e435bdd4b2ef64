"""What no image is planned from: each is refused with what was wrong, and what can be done."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions, plan
from envsnap.sections import (
    Fact,
    Python,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from tests import made
from tests.plan.planning import digest, planned, refusal


@pytest.mark.parametrize(
    "reference", ["python:3.11 AS x", "-v", "PYTHON", "a\nb", "x@sha256:12", ""]
)
def test_a_base_image_that_is_no_reference_is_refused(reference: str) -> None:
    message, _ = refusal(None, base_image=reference)
    assert message == (
        "Expected an image such as python:3.11.9-slim-bookworm, "
        f"not {reference!a}, in '--base-image'"
    )


def test_no_lock_is_no_plan() -> None:
    assert refusal(made.manifest().with_lock(None)) == (
        "The manifest has no lock, which names the file of every package",
        "Make one: envsnap lock",
    )


def test_the_lock_of_another_environment_is_no_plan() -> None:
    manifest = made.manifest()
    assert manifest.lock is not None
    other = manifest.with_lock(replace(manifest.lock, environment="0123456789ab"))
    message, hint = refusal(other)
    assert message.startswith(
        "The lock is of environment '0123456789ab', not of the manifest's own, "
    )
    assert hint == "Make one: envsnap lock"


def missing_two() -> Manifest:
    packages = (
        *made.PACKAGES,
        made.package("mine", "0.1", origin=made.origin("editable")),
        made.package("theirs", "2.0"),
    )
    unlocked = (
        Unlocked(name="mine", version="0.1", why="it is an editable project on this machine"),
    )
    return made.manifest(packages, unlocked=unlocked)


def test_packages_without_a_file_are_named_with_the_reason() -> None:
    assert refusal(missing_two()) == (
        (
            "2 packages cannot be installed in an image:\n"
            "  mine 0.1: it is an editable project on this machine\n"
            "  theirs 2.0: the lock lacks it"
        ),
        (
            "Where the environment still is, make their files (envsnap lock --wheelhouse DIR) and "
            "build with --wheelhouse DIR; or leave them out with --allow-missing"
        ),
    )


def test_packages_without_a_file_are_left_out_where_that_is_allowed() -> None:
    assert planned(missing_two(), allow_missing=True).left_out == (
        ("mine", "0.1", "it is an editable project on this machine", False),
        ("theirs", "2.0", "the lock lacks it", False),
    )


def test_a_lock_with_another_version_is_no_lock_of_the_package() -> None:
    artifacts = (*made.ARTIFACTS[:1], made.artifact("idna", "3.6", "idna-3.6-py3-none-any.whl"))
    message, _ = refusal(made.manifest(made.PACKAGES[:2], artifacts))
    assert message == "1 package cannot be installed in an image:\n  idna 3.7: the lock has 3.6"


@pytest.mark.parametrize(
    ("python", "message"),
    [
        (made.python(implementation="pypy"), "No image is planned for 'pypy': only CPython is"),
        (
            made.python(version="2.7.18"),
            "No image is planned for Python 2.7.18: 3.6 is the oldest that is",
        ),
        (
            made.python(free_threaded=True),
            (
                "There is no image of Python 3.11.7t: a relocatable build of Python 3.11.7t for "
                "x86_64 is not in the table 'python_builds'; the source of Python 3.11.7t is not "
                "in the table 'python_sources'; the nearest to be had: 3.13.0t"
            ),
        ),
        (
            made.python(debug=True),
            "This Python was built for debugging, and no published image has such a build",
        ),
        (
            made.python(platform="macosx-14.0-arm64"),
            "This environment is for 'macosx-14.0-arm64'; its packages are not those of Linux",
        ),
        (
            made.python(architecture="riscv64"),
            (
                "No image is planned for the architecture 'riscv64', "
                "only for x86_64, aarch64, ppc64le, s390x"
            ),
        ),
        (
            made.python(version="3.11.7; rm -rf /"),
            (
                "Expected a Python version to the patch, not '3.11.7; rm -rf /', "
                "in 'sections.python.version'"
            ),
        ),
    ],
)  # fmt: skip
def test_a_python_that_no_image_has_is_no_plan(python: Python, message: str) -> None:
    assert refusal(made.manifest(python=python))[0] == message


def test_a_python_that_never_was_is_no_plan() -> None:
    message, hint = refusal(made.manifest(python=made.python(version="3.7.99")))
    assert message.startswith("There is no image of Python 3.7.99: ")
    assert hint == "Name an image that has this Python with --base-image"


def test_another_architecture_is_not_emulated() -> None:
    arm = made.python(architecture="aarch64", platform="linux-aarch64")
    manifest = made.manifest(python=arm)
    with pytest.raises(PlanError) as caught:
        plan(manifest, PlanOptions(machine="x86_64"), digest)
    assert caught.value.message == (
        "This environment is for aarch64 and this machine is x86_64: the image would be built by "
        "emulation, many times slower"
    )
    assert caught.value.hint == (
        "Build on a machine that is aarch64; or write the recipe alone, without --image, and "
        "build it as you choose: docker buildx build --platform linux/arm64 DIR"
    )
    for machine in ("aarch64", "arm64", None):
        assert plan(manifest, PlanOptions(machine=machine), digest).platform == "linux/arm64"


def test_where_every_image_that_fits_is_gone_the_plan_says_which_were_asked_for() -> None:
    def gone(reference: str) -> Fact[str]:
        return NoSuchTag(f"it answers 404 for {reference}")

    with pytest.raises(PlanError) as caught:
        plan(made.manifest(), PlanOptions(), gone)
    assert caught.value.message == (
        "None of the images that fit is there: python:3.11.7-slim-bookworm, "
        "python:3.11.7-slim-bullseye, debian:trixie-slim, debian:bookworm-slim, "
        "debian:bullseye-slim (it answers 404 for debian:bullseye-slim)"
    )


def test_packages_of_two_ngc_images_are_no_plan() -> None:
    packages = (
        made.package("torch", "2.9.0a0+145a3a7bda.nv25.10"),
        made.package("tensorflow", "2.17.0+nv25.01"),
    )
    assert refusal(made.manifest(packages, ()))[0] == (
        "The environment has packages of two NGC images: nvcr.io/nvidia/pytorch:25.10-py3 and "
        "nvcr.io/nvidia/tensorflow:25.01-tf2-py3"
    )


@pytest.mark.parametrize(("section", "name"), [("python", "Python"), ("packages", "packages")])
def test_a_manifest_that_does_not_know_its_environment_is_no_plan(section: str, name: str) -> None:
    manifest = made.manifest()
    broken = {**manifest.sections, section: Unknown(Reason.CRASHED, "it fell over")}
    assert refusal(replace(manifest, sections=broken))[0] == (
        f"The manifest does not know its {name} (crashed: it fell over)"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "numpy; rm -rf /", "Expected the name of a distribution, not 'numpy; rm -rf /'"),
        ("name", "numpy\n", "Expected the name of a distribution, not 'numpy\\n'"),
        ("version", "1.0 && true", "Expected a version, not '1.0 && true'"),
        ("sha256", "AB" * 32, "Expected 64 hex digits, not '" + "AB" * 28),
        ("filename", "idna 3.7.whl", "Expected the name of a wheel or source archive, not"),
        ("url", "file:///etc/passwd", "Expected a plain http or https address, not 'file:///etc/passwd'"),
        ("url", "https://me:pw@files.example/x.whl", "Expected a plain http or https address, not"),
        ("url", 'https://files.example/x"y', "Expected a plain http or https address, not"),
        ("url", "https://files.example/$(id)", "Expected a plain http or https address, not"),
        ("url", "https://files.example/{{x}}", "Expected a plain http or https address, not"),
        (
            "url",
            "https://files.example/other.whl",
            "Expected an address that ends in idna-3.7-py3-none-any.whl, not",
        ),
    ],
)  # fmt: skip
def test_a_hostile_artifact_is_refused_by_its_path(field: str, value: str, message: str) -> None:
    bad = replace(made.ARTIFACTS[1], **{field: value})
    said, _ = refusal(made.manifest(artifacts=(made.ARTIFACTS[0], bad)))
    assert said.startswith(message)
    assert said.endswith(f"in 'lock.artifacts[1].{field}'")


def test_a_file_of_another_package_is_refused() -> None:
    file = "evil-3.7-py3-none-any.whl"
    bad = replace(made.ARTIFACTS[1], filename=file, url=f"{made.FILES}/{file}")
    assert refusal(made.manifest(artifacts=(bad,)))[0] == (
        f"Expected a file of idna 3.7, not '{file}', in 'lock.artifacts[0].filename'"
    )


def test_one_package_twice_in_the_lock_is_refused() -> None:
    twice = (*made.ARTIFACTS, replace(made.ARTIFACTS[1], name="IDNA"))
    assert refusal(made.manifest(artifacts=twice))[0] == "IDNA stands twice in 'lock.artifacts'"
