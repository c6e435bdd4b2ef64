from __future__ import annotations

import pytest

from envsnap import __version__
from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.sections import (
    Cuda,
    Fact,
    Os,
    Python,
    Reason,
    Unknown,
    Unlocked,
    replace,
)
from tests import made

DIGEST = "sha256:" + "ab" * 32


def digest(_reference: str) -> Fact[str]:
    return DIGEST


def no_registry(reference: str) -> Fact[str]:
    return Unknown(Reason.TOOL_MISSING, f"nobody answers for {reference}")


def planned(
    manifest: Manifest | None = None, *, base_image: str | None = None, allow_missing: bool = False
) -> BuildPlan:
    options = PlanOptions(base_image=base_image, allow_missing=allow_missing)
    return plan(manifest or made.manifest(), options, digest)


def refusal(manifest: Manifest | None, *, base_image: str | None = None) -> tuple[str, str | None]:
    with pytest.raises(PlanError) as caught:
        planned(manifest, base_image=base_image)
    assert caught.value.exit_code == 6
    return caught.value.message, caught.value.hint


def test_the_base_image_has_the_captured_python_to_the_patch() -> None:
    base = planned().base
    assert base.reference == "python:3.11.7-slim-bookworm"
    assert base.pinned == f"python:3.11.7-slim-bookworm@{DIGEST}"
    assert base.full == f"docker.io/library/python@{DIGEST}"


def test_without_a_registry_the_tag_stands_alone_and_the_plan_says_so() -> None:
    found = plan(made.manifest(), PlanOptions(), no_registry)
    assert found.base.pinned == "python:3.11.7-slim-bookworm"
    assert found.base.full == "docker.io/library/python:3.11.7-slim-bookworm"
    assert [why for why in found.reasons if why.source == "registry"] == [
        (
            "the base image is named by its tag alone",
            (
                "its digest is not known (nobody answers for python:3.11.7-slim-bookworm), "
                "so a later build can start from other bytes"
            ),
            "registry",
        )
    ]


def test_a_python_newer_than_the_table_gets_the_newest_suite_and_the_reason() -> None:
    found = planned(made.manifest(python=made.python(version="3.99.0")))
    assert found.base.reference == "python:3.99.0-slim-trixie"
    assert "is newer than facts of" in found.reasons[0].because


def test_a_base_image_that_was_asked_for_is_taken() -> None:
    base = planned(base_image="registry.example:5000/lab/python:3.11.7").base
    assert (base.repository, base.tag) == ("registry.example:5000/lab/python", "3.11.7")


def test_a_base_image_by_digest_keeps_its_digest() -> None:
    other = "sha256:" + "cd" * 32
    base = planned(base_image=f"python:3.11.7@{other}").base
    assert base.pinned == f"python:3.11.7@{other}"
    assert base.full == f"docker.io/library/python@{other}"


@pytest.mark.parametrize(
    "reference", ["python:3.11 AS x", "-v", "PYTHON", "a\nb", "x@sha256:12", ""]
)
def test_a_base_image_that_is_no_reference_is_refused(reference: str) -> None:
    message, _ = refusal(None, base_image=reference)
    assert message == (
        "Expected an image such as python:3.11.9-slim-bookworm, "
        f"not {reference!a}, in '--base-image'"
    )


def test_wheels_and_source_archives_are_told_apart() -> None:
    found = planned()
    assert [each.name for each in found.wheels] == ["idna", "numpy", "pysocks"]
    assert [each.name for each in found.sources] == ["antlr4-python3-runtime"]


def test_variables_that_change_results_are_carried_and_the_locale_is_not() -> None:
    assert planned().variables == (
        ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
        ("LC_ALL", "C.UTF-8"),
        ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility"),
        ("NVIDIA_VISIBLE_DEVICES", "all"),
        ("PYTHONNOUSERSITE", "1"),
    )


def test_without_a_gpu_no_variable_asks_for_one() -> None:
    found = planned(made.manifest(gpu=made.gpu("none")))
    assert not found.gpu
    assert [name for name, _ in found.variables if name.startswith("NVIDIA")] == []


def test_a_gpu_without_cuda_wheels_is_said() -> None:
    assert (
        "no CUDA in the base image",
        "no package of this environment is a CUDA build",
        "sections.packages",
    ) in planned().reasons


def test_wheels_that_bring_cuda_are_named() -> None:
    name = "nvidia-cublas-cu12"
    packages = (*made.PACKAGES, made.package(name, "12.4.5.8"))
    file = made.artifact(
        name, "12.4.5.8", "nvidia_cublas_cu12-12.4.5.8-py3-none-manylinux2014_x86_64.whl"
    )
    found = planned(made.manifest(packages, (*made.ARTIFACTS, file)))
    assert (
        "no CUDA in the base image",
        "wheels provide CUDA (nvidia-cublas-cu12)",
        "sections.packages",
    ) in found.reasons


def test_a_compiler_on_path_is_said_not_to_be_in_the_image() -> None:
    cuda = Cuda(libraries=(), nvcc="12.4.131")
    decisions = [why.decision for why in planned(made.manifest(cuda=cuda)).reasons]
    assert "the compiler nvcc is not in the image" in decisions


def test_labels_name_the_manifest_the_base_and_the_time_of_capture() -> None:
    found = planned()
    assert dict(found.labels) == {
        "io.envsnap.environment": found.environment,
        "io.envsnap.manifest": "/opt/envsnap/manifest.json",
        "io.envsnap.manifest.sha256": found.manifest_sha256,
        "io.envsnap.version": __version__,
        "org.opencontainers.image.base.digest": DIGEST,
        "org.opencontainers.image.base.name": "docker.io/library/python:3.11.7-slim-bookworm",
        "org.opencontainers.image.created": "2026-01-31T12:00:00Z",
        "org.opencontainers.image.version": found.environment,
    }


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


def test_source_that_needs_a_compiler_is_built_in_a_stage_of_its_own() -> None:
    packages = (made.package("lxml", "5.0.0", tags=("cp311-cp311-linux_x86_64",)),)
    artifacts = (made.artifact("lxml", "5.0.0", "lxml-5.0.0.tar.gz"),)
    found = plan(made.manifest(packages, artifacts), PlanOptions(), digest)
    assert found.sources == artifacts
    assert "build-essential" in {each.name for each in found.system.builder}
    (why,) = [each for each in found.reasons if "built from source" in each.decision]
    assert why.decision == "1 of them are built from source, in a stage of its own (lxml)"


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
                "x86_64 is not in the table 'python_builds'; the nearest to be had: 3.13.12t"
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


def with_wheel(tag: str, **sections: object) -> Manifest:
    name = f"demo-1.0-cp311-cp311-{tag}.whl"
    return made.manifest(
        (made.package("demo", "1.0"),), (made.artifact("demo", "1.0", name),),
        unlocked=(), **sections,
    )  # fmt: skip


def test_a_wheel_for_a_newer_glibc_than_any_image_of_that_python_gets_plain_debian() -> None:
    found = planned(with_wheel("manylinux_2_39_x86_64"))
    assert found.base.reference == "debian:trixie-slim"
    assert found.interpreter.how == "archive"
    assert found.interpreter.executable == "/opt/python/bin/python3.11"
    assert found.interpreter.url == (
        "https://github.com/astral-sh/python-build-standalone/releases/download/20240107/"
        "cpython-3.11.7%2B20240107-x86_64-unknown-linux-gnu-install_only.tar.gz"
    )
    assert found.builder is not None


def test_a_wheel_for_a_glibc_that_nothing_has_is_no_plan() -> None:
    assert refusal(with_wheel("manylinux_2_99_x86_64"))[0] == (
        "No image of Python 3.11.7 has glibc 2.99, which "
        "demo-1.0-cp311-cp311-manylinux_2_99_x86_64.whl needs; the nearest is "
        "debian:trixie-slim with glibc 2.41"
    )


def test_a_wheel_for_musl_gets_an_image_with_musl() -> None:
    found = planned(with_wheel("musllinux_1_2_x86_64"))
    assert (found.base.reference, found.interpreter.how) == (
        "python:3.11.7-alpine3.19",
        "image",
    )


def test_an_archive_that_the_wheelhouse_has_travels_with_the_recipe() -> None:
    manifest = with_wheel("manylinux_2_39_x86_64")
    sha256 = planned(manifest).interpreter.sha256
    assert sha256 is not None
    options = PlanOptions(stored=frozenset({sha256}))
    assert plan(manifest, options, digest).interpreter.url is None


def test_a_bare_image_that_was_asked_for_gets_python_from_an_archive() -> None:
    found = planned(base_image="nvidia/cuda:12.4.1-devel-ubuntu22.04")
    assert found.interpreter.filename == (
        "cpython-3.11.7+20240107-x86_64-unknown-linux-gnu-install_only.tar.gz"
    )
    assert found.reasons[0] == (
        "base=nvidia/cuda:12.4.1-devel-ubuntu22.04", "it was asked for", "--base-image",
    )  # fmt: skip


def test_an_image_that_was_asked_for_must_have_the_cuda_that_is_needed() -> None:
    packages = (made.package("deepspeed", "0.15.0"),)
    files = (made.artifact("deepspeed", "0.15.0", "deepspeed-0.15.0-py3-none-any.whl"),)
    cuda = Cuda(libraries=(), nvcc="12.4.131")
    found = planned(made.manifest(packages, files, cuda=cuda), base_image="python:3.11.7")
    assert (
        "python:3.11.7 must have CUDA's compiler itself",
        "GPU code of deepspeed is compiled at run time, and nvcc on PATH was there at capture",
        "table cuda_users",
    ) in found.reasons


def test_a_base_image_may_have_a_python_that_nothing_else_has() -> None:
    for python in (made.python(debug=True), made.python(free_threaded=True)):
        found = planned(made.manifest(python=python), base_image="lab/python:debug")
        assert found.base.reference == "lab/python:debug"
        assert found.interpreter.how == "image"


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
        return Unknown(Reason.NOT_RECORDED, f"it answers 404 for {reference}")

    with pytest.raises(PlanError) as caught:
        plan(made.manifest(), PlanOptions(), gone)
    assert caught.value.message == (
        "None of the images that fit is there: python:3.11.7-slim-bookworm, "
        "python:3.11.7-slim-bullseye, debian:trixie-slim "
        "(the tag is gone: it answers 404 for debian:trixie-slim)"
    )


def test_an_image_that_was_asked_for_is_taken_whatever_a_registry_says() -> None:
    def gone(reference: str) -> Fact[str]:
        return Unknown(Reason.NOT_RECORDED, f"it answers 404 for {reference}")

    found = plan(made.manifest(), PlanOptions(base_image="lab/only-here:1"), gone)
    assert found.base.pinned == "lab/only-here:1"


def test_a_registry_that_does_not_answer_has_not_lost_the_tag() -> None:
    found = plan(made.manifest(), PlanOptions(), no_registry)
    assert [why for why in found.reasons if "passed over" in why.decision] == []


def test_what_ngc_brings_is_neither_installed_nor_missing() -> None:
    torch = made.package("torch", "2.9.0a0+145a3a7bda.nv25.10")
    manifest = made.manifest(
        (torch, *made.PACKAGES), python=made.python(version="3.12.3"), cuda=made.NOT_LOOKED
    )
    found = planned(manifest)
    assert found.base.reference == "nvcr.io/nvidia/pytorch:25.10-py3"
    assert found.interpreter.system_site_packages
    assert found.left_out == (
        ("torch", torch.version, "the base image nvcr.io/nvidia/pytorch:25.10-py3 brings it", True),
    )
    assert [each.name for each in found.wheels] == ["idna", "numpy", "pysocks"]


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


def test_the_plan_of_one_manifest_is_always_the_same() -> None:
    assert planned() == planned()


def test_an_arm_machine_gets_an_arm_image() -> None:
    manifest = made.manifest(
        python=made.python(architecture="aarch64", platform="linux-aarch64"),
        os=replace(made.linux(), architecture="aarch64"),
    )
    assert planned(manifest).platform == "linux/arm64"


def test_an_unknown_system_is_no_obstacle_where_python_says_linux() -> None:
    unknown: Fact[Os] = Unknown(Reason.NOT_ASKED, "left out")
    assert planned(made.manifest(os=unknown)).platform == "linux/amd64"
