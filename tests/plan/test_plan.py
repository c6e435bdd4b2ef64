"""What an image is planned of, and the reasons that are given."""

from __future__ import annotations

from envsnap import __version__
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions, plan
from envsnap.sections import (
    Cuda,
    Fact,
    Os,
    Reason,
    Unknown,
    replace,
)
from tests import made
from tests.plan.planning import DIGEST, digest, no_registry, planned, refusal


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


def test_source_that_needs_a_compiler_is_built_in_a_stage_of_its_own() -> None:
    packages = (made.package("lxml", "5.0.0", tags=("cp311-cp311-linux_x86_64",)),)
    artifacts = (made.artifact("lxml", "5.0.0", "lxml-5.0.0.tar.gz"),)
    found = plan(made.manifest(packages, artifacts), PlanOptions(), digest)
    assert found.sources == artifacts
    assert "build-essential" in {each.name for each in found.system.builder}
    (why,) = [each for each in found.reasons if "built from source" in each.decision]
    assert why.decision == "1 of them are built from source, in a stage of its own (lxml)"


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


def test_an_image_that_was_asked_for_is_taken_whatever_a_registry_says() -> None:
    def gone(reference: str) -> Fact[str]:
        return NoSuchTag(f"it answers 404 for {reference}")

    found = plan(made.manifest(), PlanOptions(base_image="lab/only-here:1"), gone)
    assert found.base.pinned == "lab/only-here:1"


def test_a_registry_that_does_not_answer_has_not_lost_the_tag() -> None:
    found = plan(made.manifest(), PlanOptions(), no_registry)
    assert [why for why in found.reasons if "is gone" in why.decision] == []


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
