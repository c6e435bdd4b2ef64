"""Plans of conda environments: which archives, which image, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace as with_fields
from typing import Any

import pytest

from envsnap.errors import EnvsnapError, PlanError
from envsnap.facts import Looked, installers
from envsnap.facts.registry_answers import NoSuchTag
from envsnap.formats import formats
from envsnap.manifest import Manifest
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.plan._layers import travelling_tools
from envsnap.sections import (
    CondaArtifact,
    CondaRecord,
    Fact,
    Packages,
    replace,
)
from tests import made

CHANNEL = "https://conda.example/lab"
LIBC = {"libc": "glibc", "libc_version": "2.36"}


def digest(_reference: str) -> Fact[str]:
    return "sha256:" + "ab" * 32


def record(name: str, version: str) -> CondaRecord:
    return CondaRecord(
        name=name, version=version, build="h1_0", channel=CHANNEL, subdir="linux-64",
        url=None, md5=None, sha256=None,
    )  # fmt: skip


def archive(name: str, version: str, **changes: object) -> CondaArtifact:
    filename = f"{name}-{version}-h1_0.conda"
    found = CondaArtifact(
        name=name, version=version, build="h1_0", subdir="linux-64", filename=filename,
        url=f"{CHANNEL}/linux-64/{filename}", sha256=f"{len(filename):02x}" * 32, md5="cd" * 16,
        size=1000,
    )  # fmt: skip
    return replace(found, **changes)


ARCHIVES = (archive("mkl", "2024.0"), archive("numpy", "1.26.4"), archive("python", "3.11.7"))


def environment(*archives: CondaArtifact, **sections: object) -> Manifest:
    """numpy and its libraries are conda's, idna is pip's."""
    numpy = made.package("numpy", "1.26.4", conda=record("numpy", "1.26.4"))
    idna = made.package("idna", "3.7")
    packages = Packages(
        installed=(idna, numpy), broken=(),
        conda_only=(record("mkl", "2024.0"), record("python", "3.11.7")),
    )  # fmt: skip
    given: dict[str, Any] = {
        "python": made.python(environment_kind="conda"), "os": made.linux(**LIBC),
        "packages": packages, **sections,
    }  # fmt: skip
    found = made.manifest(artifacts=(made.ARTIFACTS[1],), **given)
    assert found.lock is not None
    return found.with_lock(replace(found.lock, conda=archives))


def planned(manifest: Manifest | None = None, **options: object) -> BuildPlan:
    return plan(manifest or environment(*ARCHIVES), PlanOptions(**options), digest)  # type: ignore[arg-type]  # by name


def refusal(manifest: Manifest | None = None, **options: object) -> tuple[str, str | None]:
    with pytest.raises(EnvsnapError) as caught:
        planned(manifest, **options)
    return caught.value.message, caught.value.hint


def test_what_conda_owns_comes_from_its_archive_and_the_rest_from_wheels() -> None:
    found = planned()
    assert [each.name for each in found.conda] == ["mkl", "numpy", "python"]
    assert [each.name for each in found.wheels] == ["idna"]
    assert (found.interpreter.how, found.interpreter.executable) == ("conda", "/opt/env/bin/python")
    assert found.unpacker is not None
    assert (found.unpacker.name, found.unpacker.version) == ("py-rattler", "0.28.0")
    assert found.left_out == ()
    assert dict(found.variables)["CONDA_PREFIX"] == "/opt/env"


def test_one_image_unpacks_and_runs_and_the_plan_says_why() -> None:
    found = planned()
    assert (found.base.reference, found.builder) == ("python:3.11.7-slim-bookworm", None)
    told = {why.decision: why.because for why in found.reasons}
    assert told["base=python:3.11.7-slim-bookworm"] == (
        "conda brings its own Python; the one of this image starts py-rattler, so that the "
        "image that unpacks and the one that runs are one"
    )
    assert told["glibc 2.36 or newer"] == (
        "conda, which chose its packages for that of the captured machine, needs it"
    )
    assert told["the environment is conda's, at /opt/env: 3 conda packages are unpacked there"] == (
        "the lock names the archive of each and its hash; what pip installed comes after them, "
        "and replaces what it had replaced"
    )
    assert told["PATH and CONDA_PREFIX=/opt/env are all that activation does here"] == (
        "the variables of an image are fixed when it is made: scripts in etc/conda/activate.d "
        "are not run, and variables in etc/conda/env_vars.d and conda-meta/state are not set"
    )


def test_a_python_too_old_for_what_unpacks_gets_an_image_of_a_newer_one() -> None:
    archives = (*ARCHIVES[:2], archive("python", "3.8.18"))
    packages = Packages(
        installed=(made.package("idna", "3.7"),), broken=(),
        conda_only=tuple(record(each.name, each.version) for each in archives),
    )  # fmt: skip
    python = made.python(version="3.8.18", environment_kind="conda")
    found = planned(environment(*archives, python=python, packages=packages))
    assert found.base.reference == "python:3.13.15-slim-trixie"
    assert found.python == "3.8.18"


def test_the_machines_glibc_decides_the_suite() -> None:
    newer = environment(*ARCHIVES, os=made.linux(libc="glibc", libc_version="2.39"))
    assert planned(newer).base.reference == "python:3.13.15-slim-trixie"
    newest = environment(*ARCHIVES, os=made.linux(libc="glibc", libc_version="2.99"))
    assert planned(newest).base.reference == "python:3.11.7-slim-bookworm"


def test_an_image_that_is_gone_is_passed_over() -> None:
    def answer(reference: str) -> Fact[str]:
        if "3.11.7" in reference:
            return NoSuchTag("the registry answers 404 for it")
        return digest(reference)

    found = plan(environment(*ARCHIVES), PlanOptions(), answer)
    assert found.base.reference == "python:3.13.15-slim-trixie"


def test_another_base_image_is_taken_and_another_unpacks() -> None:
    found = planned(base_image="debian:bookworm-slim")
    assert found.base.reference == "debian:bookworm-slim"
    assert found.builder is not None
    assert found.builder.reference == "python:3.11.7-slim-bookworm"
    text = formats()["dockerfile"].render(found)["Dockerfile"]
    starts = [row.partition("@")[0] for row in text.splitlines() if row.startswith("FROM ")]
    assert starts == [
        "FROM python:3.11.7-slim-bookworm", "FROM tools AS conda", "FROM debian:bookworm-slim",
    ]  # fmt: skip
    assert text.count("COPY --from=conda /opt/env /opt/env\n") == 1
    with pytest.raises(PlanError) as caught:
        formats()["apptainer"].render(found)
    assert caught.value.message == (
        "A definition unpacks conda packages in its own base image, and debian:bookworm-slim has "
        "no Python"
    )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("alpine:3.19", "The C library of alpine:3.19 is musl, and conda's packages are for glibc"),
        (
            "lab/own:1-alpine",
            "The C library of lab/own:1-alpine is musl, and conda's packages are for glibc",
        ),
    ],
)
def test_an_image_with_another_c_library_is_refused_for_conda_too(image: str, message: str) -> None:
    assert refusal(base_image=image) == (
        message, "Name another, as --base-image python:3.11.7-slim-bookworm; or leave it out",
    )  # fmt: skip


def test_a_tag_that_is_gone_is_refused_for_conda_too() -> None:
    def answer(reference: str) -> Fact[str]:
        if reference == "debian:nosuch":
            return NoSuchTag("the registry answers 404 for it")
        return digest(reference)

    with pytest.raises(PlanError) as caught:
        plan(environment(*ARCHIVES), PlanOptions(base_image="debian:nosuch"), answer)
    assert caught.value.message == (
        "There is no image debian:nosuch: the registry answers 404 for it"
    )


def taken_for_granted(image: str) -> tuple[list[str], tuple[str, ...]]:
    """What --explain says of an image that the user named, and the notes."""
    found = planned(base_image=image)
    said = [f"{each.decision}: {each.because}" for each in found.reasons
            if each.source == "--base-image"]  # fmt: skip
    return said, found.notes


def test_of_an_image_that_no_table_knows_the_glibc_is_not_known_and_python_is_condas() -> None:
    assert taken_for_granted("lab/own:1") == (
        [
            "base=lab/own:1: it was asked for",
            (
                "lab/own:1 is taken to have glibc 2.36 or newer: conda, which chose its packages "
                "for that of the captured machine, needs it, and nothing tells which C library the "
                "image has"
            ),
        ],
        ("It is not known which glibc lab/own:1 has: the build stops where it will not do",),
    )


def test_an_older_glibc_than_the_captured_machines_is_taken_and_said() -> None:
    assert taken_for_granted("debian:bullseye-slim") == (
        [
            "base=debian:bullseye-slim: it was asked for",
            (
                "debian:bullseye-slim has glibc 2.31, which is taken to do: conda, which chose its "
                "packages for that of the captured machine, may need 2.36, and nothing tells "
                "whether it does"
            ),
        ],
        (),
    )


def test_a_lock_without_archives_is_refused_with_the_command_that_mends_it() -> None:
    message, hint = refusal(environment())
    assert message == (
        "3 conda packages have no archive in the lock:"
        "\n  mkl 2024.0: the lock names no archive of it"
        "\n  numpy 1.26.4: the lock names no archive of it"
        "\n  python 3.11.7: the lock names no archive of it"
    )
    assert hint == "Lock it where the environment still is: envsnap lock --wheelhouse DIR"


def test_a_package_that_stands_twice_is_refused() -> None:
    assert refusal(environment(*ARCHIVES, ARCHIVES[0]))[0] == "mkl stands twice in 'lock.conda'"


def test_archives_of_another_platform_are_refused() -> None:
    other = replace(ARCHIVES[0], subdir="linux-aarch64")
    assert refusal(environment(other, *ARCHIVES[1:]))[0] == (
        "mkl is a conda package for linux-aarch64, and the environment is for linux-64"
    )


def test_a_machine_that_py_rattler_is_not_built_for_is_refused() -> None:
    archives = [replace(each, subdir="linux-s390x") for each in ARCHIVES]
    python = made.python(environment_kind="conda", architecture="s390x")
    assert refusal(environment(*archives, python=python))[0] == (
        "No image of conda packages is planned for s390x: py-rattler, which unpacks them, has no "
        "wheel for it"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("filename", "../../etc/passwd.conda"),
        ("name", "a\nRUN x"),
        ("subdir", "../noarch"),
        ("url", "https://u:p@conda.example/x/linux-64/mkl.conda"),
        ("sha256", "${x}"),
    ],
)
def test_a_hostile_archive_is_refused(field: str, value: str) -> None:
    hostile = replace(ARCHIVES[0], **{field: value})
    message = refusal(environment(hostile, *ARCHIVES[1:]))[0].removesuffix(" in 'lock.conda[0]'")
    said = value.replace("u:p@", "")
    assert message == f"Unexpected {field} {said!a} of a conda package"
    assert "u:p" not in message


def test_an_archive_that_only_a_wheelhouse_has_travels() -> None:
    alone = replace(ARCHIVES[0], url=None)
    manifest = environment(alone, *ARCHIVES[1:])
    message, _ = refusal(manifest)
    assert message == (
        "1 conda package cannot be unpacked in an image:\n  mkl 2024.0: no channel has its "
        "archive, only a wheelhouse (--wheelhouse DIR)"
    )
    assert planned(manifest, allow_missing=True).left_out[0][:2] == ("mkl", "2024.0")
    found = planned(manifest, stored=frozenset({str(alone.sha256)}))
    assert [each.name for each in found.carried_conda] == ["mkl"]
    ignored = formats()["dockerfile"].render(found)[".dockerignore"]
    assert "!/conda/linux-64/mkl-2024.0-h1_0.conda\n" in ignored.replace("!conda", "!/conda")


def test_python_itself_cannot_be_left_out() -> None:
    alone = replace(ARCHIVES[2], url=None)
    message, _ = refusal(environment(*ARCHIVES[:2], alone), allow_missing=True)
    assert message.startswith("1 conda package cannot be unpacked in an image:\n  python 3.11.7")


def test_offline_all_archives_travel_and_keep_their_address() -> None:
    stored = frozenset({*(str(each.sha256) for each in ARCHIVES), made.ARTIFACTS[1].sha256})
    found = planned(offline=True, stored=stored)
    assert [each.name for each in found.carried_conda] == ["mkl", "numpy", "python"]
    assert all(each.url for each in found.conda)
    names = [each.filename.partition("-")[0] for each in travelling_tools(found) if each.tool]
    assert names == ["uv", "py_rattler"]
    message, _ = refusal(offline=True, stored=frozenset({made.ARTIFACTS[1].sha256}))
    assert message.startswith("3 conda packages cannot be unpacked in an image:\n  mkl 2024.0: its")


def test_the_recipe_lists_the_archives_and_what_must_come_of_them() -> None:
    files = formats()["dockerfile"].render(planned())
    rows = json.loads(files["conda/conda.json"])
    assert [(row["name"], row["url"]) for row in rows] == [
        (each.name, each.url) for each in ARCHIVES
    ]
    sections = json.loads(files["conda/manifest.json"])["sections"]
    assert [each["name"] for each in sections["packages"]["installed"]] == ["numpy"]
    assert [each["name"] for each in sections["packages"]["conda_only"]] == ["mkl", "python"]
    wheels = installers.rattler_wheels("3.13")
    assert isinstance(wheels, Looked)
    assert all(each.sha256 in files["tools.lock"] for each in wheels.value)
    assert "environment" not in [
        row.split()[-1] for row in files["Dockerfile"].splitlines() if "install.sh" in row
    ]


def test_repo2docker_gets_each_package_by_its_build_from_its_channel() -> None:
    files = formats()["repo2docker"].render(planned())
    assert files["binder/environment.yml"].splitlines()[1:] == [
        "channels:", f"  - {CHANNEL}", "dependencies:", "  - python=3.11.7=h1_0", "  - pip",
        "  - mkl=2024.0=h1_0", "  - numpy=1.26.4=h1_0",
    ]  # fmt: skip
    alone = with_fields(planned(), conda=(replace(ARCHIVES[0], url=None), *ARCHIVES[1:]))
    with pytest.raises(PlanError) as caught:
        formats()["repo2docker"].render(alone)
    assert caught.value.message == (
        "repo2docker takes conda packages from channels alone, and none has mkl 2024.0"
    )
    text = formats()["conda"].render(alone)["environment.yml"]
    assert "# No channel is known to have it: mkl 2024.0\n" in text
