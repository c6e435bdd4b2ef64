from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.sections import (
    CondaRecord,
    Cuda,
    Fact,
    Os,
    Packages,
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
        "org.opencontainers.image.base.digest": DIGEST,
        "org.opencontainers.image.base.name": "docker.io/library/python:3.11.7-slim-bookworm",
        "org.opencontainers.image.created": "2026-01-31T12:00:00Z",
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
        ("mine", "0.1", "it is an editable project on this machine"),
        ("theirs", "2.0", "the lock lacks it"),
    )


def test_a_lock_with_another_version_is_no_lock_of_the_package() -> None:
    artifacts = (*made.ARTIFACTS[:1], made.artifact("idna", "3.6", "idna-3.6-py3-none-any.whl"))
    message, _ = refusal(made.manifest(made.PACKAGES[:2], artifacts))
    assert message == "1 package cannot be installed in an image:\n  idna 3.7: the lock has 3.6"


def test_source_that_needs_a_compiler_is_not_planned() -> None:
    packages = (made.package("lxml", "5.0.0", tags=("cp311-cp311-linux_x86_64",)),)
    artifacts = (made.artifact("lxml", "5.0.0", "lxml-5.0.0.tar.gz"),)
    message, _ = refusal(made.manifest(packages, artifacts))
    assert message == (
        "1 package cannot be installed in an image:\n"
        "  lxml 5.0.0: only its source is on the index, and building that needs a compiler"
    )


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
            "This Python was built without the GIL, and no published image has such a build",
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
            "No image is planned for the architecture 'riscv64'",
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


def test_a_wheel_for_a_newer_glibc_than_any_image_of_that_python_is_no_plan() -> None:
    name = "demo-1.0-cp311-cp311-manylinux_2_39_x86_64.whl"
    manifest = made.manifest((made.package("demo", "1.0"),), (made.artifact("demo", "1.0", name),))
    assert refusal(manifest)[0] == (
        f"No image of Python 3.11.7 has glibc 2.39, which {name} needs (bookworm is the newest)"
    )


def test_a_wheel_for_musl_is_no_plan_without_a_base_image_that_has_it() -> None:
    name = "demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"
    manifest = made.manifest((made.package("demo", "1.0"),), (made.artifact("demo", "1.0", name),))
    assert refusal(manifest) == (
        f"{name} is for musl (Alpine Linux), the images planned here have glibc",
        "Name an image with musl, for instance: --base-image python:3.11.7-alpine",
    )
    assert planned(manifest, base_image="python:3.11.7-alpine").base.tag == "3.11.7-alpine"


def test_a_conda_environment_is_no_plan_yet() -> None:
    record = CondaRecord(
        name="mkl",
        version="2024.0",
        build="h1",
        channel=None,
        subdir=None,
        url=None,
        md5=None,
        sha256=None,
    )
    packages = Packages(installed=made.PACKAGES, conda_only=(record,), broken=())
    message, _ = refusal(made.manifest(packages=packages))
    assert message == (
        "This is a conda environment (1 conda packages: mkl), "
        "and images are planned from wheels alone"
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
