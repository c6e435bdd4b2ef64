"""System packages by evidence: which, why, and what is refused."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.manifest import Manifest
from envsnap.plan import PlanOptions
from envsnap.plan._model import BaseImage, SystemPackage, SystemPackages, Why
from envsnap.plan._safe import reference
from envsnap.plan._suite import Ground, ground_of
from envsnap.plan._system import refuse_without_archives, system_packages_of
from envsnap.sections import (
    Artifact,
    Reason,
    Run,
    SystemLibraries,
    SystemLibrary,
    Unknown,
    replace,
)
from tests import made
from tests.rules.book.book import BOOK
from tests.rules.machines import RUN, asked_of_glibc

BOOKWORM = "python:3.11.7-slim-bookworm"
JAMMY = "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04"
ANY, COMPILED, SOURCE = "-py3-none-any.whl", "-cp311-cp311-manylinux_2_28_x86_64.whl", ".tar.gz"
NOT_LOOKED = Why(
    "which system libraries are needed was not looked at",
    "the capture was not a deep one, so only what is general knowledge about a few packages is "
    "installed; envsnap capture --deep reads it from the libraries themselves",
    "sections.system_libraries",
)
NONE = Why(
    "no system packages are installed",
    "nothing is known to need one that the base image lacks",
    "sections.system_libraries",
)
OF_THE_DAY = Why(
    "which versions of system packages come is the archive's to say, on the day of the build",
    "no snapshot of it was asked for; build.json keeps what a build got",
    "--snapshot",
)
TABLE = "table system_packages of 2026-11-21"


def base(said: str = BOOKWORM) -> BaseImage:
    repository, tag, _ = reference(said, "test")
    return BaseImage(
        reference=said, repository=repository, tag=tag, digest=Unknown(Reason.NOT_ASKED)
    )


def file(name: str, ending: str = COMPILED) -> Artifact:
    return made.artifact(name, "1.0", f"{name.replace('-', '_')}-1.0{ending}")


def library(name: str, *needed_by: str, location: str | None = "/usr/lib/x.so") -> SystemLibrary:
    return SystemLibrary(
        name=name, versions=(), needed_by=needed_by or ("cv2",), location=location, owner=None
    )


def deep(*needed: SystemLibrary, run: Run = RUN) -> Manifest:
    return made.manifest(system_libraries=SystemLibraries(needed=needed, exempt=()), run=run)


def found(
    manifest: Manifest, *files: Artifact, onto: str = BOOKWORM, **options: object
) -> tuple[SystemPackages, tuple[Why, ...]]:
    chosen = files or (file("cv2"),)
    return system_packages_of(manifest, base(onto), chosen, replace_options(options))


def replace_options(options: dict[str, object]) -> PlanOptions:
    return PlanOptions(**options)  # type: ignore[arg-type] # as the test names them


def names(packages: tuple[SystemPackage, ...]) -> list[str]:
    return [each.name for each in packages]


def refusal(manifest: Manifest, *files: Artifact, **named: object) -> tuple[str, str | None]:
    with pytest.raises(PlanError) as caught:
        found(manifest, *files, **named)  # type: ignore[arg-type] # as the test names them
    assert caught.value.exit_code == 6
    return caught.value.message, caught.value.hint


def test_what_the_libraries_ask_for_is_installed_and_nothing_else() -> None:
    manifest = deep(
        library("libGL.so.1", "cv2"), library("libc.so.6", "cv2", "numpy"),
        library("libgthread-2.0.so.0", "cv2"), library("libstdc++.so.6", "numpy"),
    )  # fmt: skip
    assert found(manifest) == (
        SystemPackages(
            image=(
                SystemPackage("libgl1", "libGL.so.1, which cv2 needs", ("libGL.so.1",)),
                SystemPackage(
                    "libglib2.0-0", "libgthread-2.0.so.0, which cv2 needs",
                    ("libgthread-2.0.so.0",), ("libglib2.0-0t64",),
                ),
            )
        ),
        (
            Why("libgl1 is installed in the image", "libGL.so.1, which cv2 needs",
                f"sections.system_libraries; {TABLE}"),
            Why("libglib2.0-0 is installed in the image", "libgthread-2.0.so.0, which cv2 needs",
                f"sections.system_libraries; {TABLE}"),
            OF_THE_DAY,
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("onto", "package"),
    [
        (BOOKWORM, "libglib2.0-0"),
        ("python:3.13.1-slim-trixie", "libglib2.0-0t64"),
        (JAMMY, "libglib2.0-0"),
        ("nvidia/cuda:12.8.1-base-ubuntu24.04", "libglib2.0-0t64"),
        ("ubuntu:24.04", "libglib2.0-0t64"),
        ("debian:12-slim", "libglib2.0-0"),
    ],
)
def test_a_package_has_the_name_that_the_base_images_release_gives_it(
    onto: str, package: str
) -> None:
    image = found(deep(library("libgthread-2.0.so.0")), onto=onto)[0].image
    assert names(image) == [package]


@pytest.mark.parametrize(
    ("owner", "package"),
    [
        ("libopenblas0-pthread", "libopenblas0-pthread"),
        ("openblas-devel", "libblas3"),
        (None, "libblas3"),
    ],
)
def test_of_several_blas_libraries_it_is_the_captured_one(owner: str | None, package: str) -> None:
    blas = replace(library("libblas.so.3"), owner=owner)
    assert names(found(deep(blas))[0].image) == [package]


@pytest.mark.parametrize("manifest", [made.manifest(system_libraries=asked_of_glibc()), deep()])
def test_the_c_library_alone_needs_no_step_at_all(manifest: Manifest) -> None:
    assert found(manifest, file("numpy")) == (SystemPackages(), (NONE,))
    assert found(manifest, file("numpy"), onto="rockylinux:9", base_image="rockylinux:9")[0] == (
        SystemPackages()
    )


def test_what_only_left_out_packages_need_is_not_installed() -> None:
    assert found(deep(library("libGL.so.1", "cv2")), file("numpy")) == (SystemPackages(), (NONE,))


def test_without_a_deep_capture_the_plan_says_so_and_takes_what_is_well_known() -> None:
    packages, reasons = found(made.manifest(), file("opencv-python"))
    assert names(packages.image) == ["libgl1", "libglib2.0-0"]
    assert reasons[0] == NOT_LOOKED
    assert reasons[1] == Why(
        "libgl1 is installed in the image", "libGL.so.1, which opencv-python needs",
        f"table package_needs of 2026-11-21, general knowledge; {TABLE}",
    )  # fmt: skip


def test_evidence_counts_more_than_what_is_well_known() -> None:
    assert found(deep(), file("opencv-python")) == (SystemPackages(), (NONE,))


def test_a_library_that_a_package_opens_by_name_is_no_evidence_and_is_installed() -> None:
    packages, _ = found(deep(), file("weasyprint", ANY))
    assert names(packages.image) == [
        "libfontconfig1", "libglib2.0-0", "libharfbuzz0b", "libpango-1.0-0", "libpangoft2-1.0-0",
    ]  # fmt: skip
    assert found(deep(), file("weasyprint", COMPILED))[0] == SystemPackages()


def test_triton_gets_a_compiler_with_its_headers() -> None:
    packages, _ = found(deep(), file("triton"))
    assert packages.image == (
        SystemPackage("gcc", "cc, which triton needs"),
        SystemPackage("libc6-dev", "cc, which triton needs"),
    )
    assert packages.builder == ()


def test_programs_that_a_run_started_are_installed_and_the_environments_own_are_not() -> None:
    programs = (
        "/bin/bash", "/home/ann/tool", "/usr/bin/git", "/usr/bin/python3.11", "/usr/bin/strange",
        "/usr/lib/git-core/git-remote-https", "{env}/bin/make",
    )  # fmt: skip
    packages, reasons = found(deep(run=replace(RUN, programs=programs)))
    assert packages.image == (
        SystemPackage("git", "git, which a run started; git-remote-https, which a run started"),
    )
    assert reasons[0] == Why(
        "strange is not installed",
        "no table names a package that has it in Debian bookworm; nothing is known to fail without "
        "it before it is used",
        "sections.run.programs",
    )


def test_a_library_that_nothing_can_place_is_refused_by_its_name() -> None:
    message, hint = refusal(deep(library("libffi.so.6", "pyfoo")), file("pyfoo"))
    assert message == (
        "No package is known that has 'libffi.so.6', which pyfoo needs, in Debian bookworm; "
        "Debian bookworm has libffi.so.8"
    )
    assert hint == (
        "Name an image that has it: --base-image IMAGE; or make the package's file where the "
        "environment is, with what it needs inside (auditwheel repair), and lock it again; or do "
        "without: --allow-missing"
    )


@pytest.mark.parametrize(
    ("options", "source"),
    [
        ({"allow_missing": True}, "--allow-missing"),
    ],
)
def test_who_takes_it_on_himself_is_told_what_the_base_image_must_have(
    options: dict[str, object], source: str
) -> None:
    packages, reasons = found(deep(library("libffi.so.6")), **options)  # type: ignore[arg-type] # the same
    assert packages == SystemPackages()
    assert reasons[0] == Why(
        "libffi.so.6 must be in the base image already",
        "no table names a package that has it in Debian bookworm, and cv2 will not load without it",
        source,
    )


def test_a_library_that_the_captured_machine_lacked_too_is_no_reason_to_refuse() -> None:
    packages, reasons = found(deep(library("libffi.so.5", location=None)))
    assert names(packages.image) == ["libffi8"] or packages == SystemPackages()
    assert "libffi" in str((packages, reasons))


@pytest.mark.parametrize(
    ("onto", "what"),
    [
        ("nvidia/cuda:12.4.1-base-rockylinux8", "an image of the rpm family"),
        ("redhat/ubi9:latest", "an image of the rpm family"),
        ("python:3.11-alpine", "an image of Alpine Linux"),
    ],
)
def test_other_families_of_packages_are_said_not_to_be_known(onto: str, what: str) -> None:
    message, _ = refusal(deep(library("libGL.so.1")), onto=onto)
    assert message == f"No package is known that has 'libGL.so.1', which cv2 needs, in {what}"


def test_cuda_is_an_nvidia_images_own() -> None:
    manifest = deep(library("libcudart.so.12", "cupy"))
    assert found(manifest, file("cupy"), onto=JAMMY)[0] == SystemPackages()
    message, _ = refusal(manifest, file("cupy"))
    assert message.startswith("No package is known that has 'libcudart.so.12', which cupy needs")


def test_what_is_built_from_source_gets_compilers_and_headers_in_a_stage_of_its_own() -> None:
    manifest = deep(library("libpq.so.5", "psycopg2"), library("libc.so.6", "psycopg2"))
    packages, reasons = found(manifest, file("psycopg2", SOURCE), file("numpy"))
    assert packages == SystemPackages(
        image=(SystemPackage("libpq5", "libpq.so.5, which psycopg2 needs", ("libpq.so.5",)),),
        builder=(
            SystemPackage("build-essential", "compilers, for psycopg2"),
            SystemPackage("libpq-dev", "libpq.so.5, which psycopg2 needs"),
            SystemPackage("pkgconf", "pkg-config, which building psycopg2 takes"),
        ),
    )
    assert reasons[-1] == Why(
        "a stage of its own builds psycopg2 with build-essential, libpq-dev, pkgconf",
        "only source archives of them are there; the compilers do not stay in the image", "lock",
    )  # fmt: skip


def test_a_source_archive_without_compiled_code_needs_no_compiler() -> None:
    archive = file("antlr4-python3-runtime", SOURCE)
    assert found(deep(), archive) == (SystemPackages(), (NONE,))


def test_what_is_built_there_takes_the_version_of_the_library_that_is_there() -> None:
    manifest = deep(library("libicuuc.so.66", "pyicu"))
    assert names(found(manifest, file("pyicu", SOURCE))[0].image) == ["libicu72"]
    assert refusal(manifest, file("pyicu"))[0].endswith("Debian bookworm has libicuuc.so.72")


@pytest.mark.parametrize(
    "said", ["2026-01-01", "20260101", "20260101T000000Z", "2026-01-01T00:00:00Z"]
)
def test_a_day_becomes_the_archives_own_stamp(said: str) -> None:
    packages, reasons = found(deep(), snapshot=said)
    assert packages == SystemPackages(snapshot="20260101T000000Z")
    assert reasons[0] == Why(
        "system packages are those of 2026-01-01",
        "it was asked for: what an archive has changes, its snapshots do not", "--snapshot",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "onto", "message"),
    [
        ("yesterday", BOOKWORM, "Expected a day, not 'yesterday', in '--snapshot'"),
        ("2026-02-30", BOOKWORM, "Expected a day, not '2026-02-30', in '--snapshot'"),
        ("$(id)\n", BOOKWORM, "Expected a day, not '$(id)\\n', in '--snapshot'"),
        (
            "2022-01-01", BOOKWORM,
            "There is no snapshot of Debian bookworm of 2022-01-01: 2023-06-10 is the first",
        ),
        (
            "2022-01-01", JAMMY,
            "There is no snapshot of Ubuntu jammy of 2022-01-01: 2023-03-01 is the first",
        ),
        (
            "2026-01-01", "ubuntu:20.04",
            "Ubuntu focal has no snapshots that its own apt can take: 22.04 is the first",
        ),
        (
            "2026-01-01", "rockylinux:9",
            "No snapshot of system packages can be taken in an image of the rpm family",
        ),
    ],
)  # fmt: skip
def test_a_snapshot_that_is_none_is_refused(said: str, onto: str, message: str) -> None:
    assert refusal(deep(), onto=onto, snapshot=said)[0] == message


@pytest.mark.parametrize(
    ("said", "ground"),
    [
        ("lab.example:5000/x/python:3.11-slim-trixie", Ground("trixie", "apt", "Debian trixie")),
        ("python:3.9-slim-buster", Ground(None, "apt", "Debian buster")),
        ("nvidia/cuda:11.2.2-base-ubuntu18.04", Ground(None, "apt", "Ubuntu bionic")),
        ("nvcr.io/nvidia/pytorch:25.12-py3", Ground("noble", "apt", "Ubuntu noble")),
        ("alpine:3.20", Ground(None, "musl", "an image of Alpine Linux")),
        (
            "lab/tools:7",
            Ground(None, "unknown", "an image whose distribution its name does not tell"),
        ),
    ],
)
def test_a_base_images_release_is_read_from_its_name(said: str, ground: Ground) -> None:
    assert ground_of(base(said)) == ground


def test_hostile_names_stay_out_of_packages_and_are_quoted_in_messages() -> None:
    evil = "libGL.so.1\n; rm -rf / $(id) `id` {{x}} %post"
    message, _ = refusal(deep(library(evil, "cv2\n")), file("cv2"), file("cv2\n"))
    assert "\n" not in message
    packages, reasons = found(deep(library(evil)), allow_missing=True)
    assert packages == SystemPackages()
    assert not any("\n" in part for why in reasons for part in why)


def test_without_a_network_the_archives_travel_or_the_build_is_refused() -> None:
    packages, reasons = found(deep(library("libGL.so.1")), offline=True)
    assert reasons[0] == Why(
        "the archives of 1 system package lie beside the recipe, in debs/",
        "no step of the build uses the network", "--offline",
    )  # fmt: skip
    with pytest.raises(PlanError) as caught:
        refuse_without_archives(packages)
    assert caught.value.message == (
        "libgl1 cannot be installed without a network (libGL.so.1, which cv2 needs)"
    )
    refuse_without_archives(SystemPackages())


def known_needs() -> list[tuple[str, Manifest]]:
    """Every manifest of the rules' own book whose system libraries were read."""
    found = []
    for code, case in sorted(BOOK.items()):
        for of in (case.of, case.nearly):
            for each in of if isinstance(of, tuple) else (of,):
                section = each.section(SystemLibraries)
                if isinstance(section, SystemLibraries) and isinstance(section.needed, tuple):
                    found.append((code, each))
    return found


@pytest.mark.parametrize(("code", "manifest"), known_needs())
@pytest.mark.parametrize("onto", [BOOKWORM, JAMMY, "python:3.13.1-slim-trixie"])
def test_the_machines_of_the_book_need_the_c_and_cxx_libraries_alone(
    code: str, manifest: Manifest, onto: str
) -> None:
    needed = manifest.section(SystemLibraries)
    assert isinstance(needed, SystemLibraries), code
    assert not isinstance(needed.needed, Unknown), code
    who = {name for each in needed.needed for name in each.needed_by}
    packages, _ = found(manifest, *(file(name) for name in sorted(who)), onto=onto)
    assert packages.image == ()
