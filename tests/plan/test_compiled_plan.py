"""A Python that nobody publishes is compiled: when, where, and what that takes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from envsnap.errors import PlanError
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.plan._compiled import unsuited
from envsnap.plan._estimate import cost_of_plan
from envsnap.plan._layers import travelling_tools
from envsnap.plan._model import Installer, Interpreter
from envsnap.plan._system import refuse_without_archives
from tests.base_cases import answering, manifest_of

OLD: Mapping[str, object] = {
    "gpu": "none",
    "python": "3.6.1",
    "packages": ["idna==3.7"],
}
SOURCE = "aa50b0143df7c89ce91be020fe41382613a817354b33acdc6641b44f8ced3828"
URL = "https://www.python.org/ftp/python/3.6.1/Python-3.6.1.tgz"
PIP = Installer(
    "pip", "21.3.1", ("deaf32dcd9ab821e359cd8330786bcd077604b5c5730c0b096eda46f95c24a2d",)
)


def planned(case: Mapping[str, object], **options: object) -> BuildPlan:
    return plan(manifest_of(case), PlanOptions(**options), answering([]))  # type: ignore[arg-type]


def everything(case: Mapping[str, object]) -> frozenset[str]:
    """What a wheelhouse has that has all of it."""
    lock = manifest_of(case).lock
    return frozenset({SOURCE, *(each.sha256 for each in lock.artifacts)} if lock else ())


def said(found: BuildPlan, about: str) -> list[str]:
    return [f"{each.decision}: {each.because}" for each in found.reasons if about in each.decision]


def test_the_source_is_named_by_its_address_and_its_hash() -> None:
    found = planned(OLD)
    assert found.interpreter == Interpreter(
        how="compiled", executable="/opt/python/bin/python3.6", filename="Python-3.6.1.tgz",
        url=URL, sha256=SOURCE,
    )  # fmt: skip
    assert found.base.reference == "debian:bullseye-slim"
    assert found.builder is not None
    assert found.builder.reference == "python:3.13.15-slim-bookworm"


def test_a_source_in_the_wheelhouse_travels() -> None:
    found = planned(OLD, stored=frozenset({SOURCE}))
    assert found.interpreter.url is None
    assert [each[:2] for each in travelling_tools(found)] == [("Python-3.6.1.tgz", SOURCE)]
    assert any("and travels with the recipe" in each for each in said(found, "is compiled from"))
    names = {each.name for each in found.system.compiler}
    assert names.isdisjoint({"curl", "ca-certificates"})


def test_an_image_goes_before_a_relocatable_build_and_that_before_the_source() -> None:
    images = {"python": "3.11.2", "gpu": "none", "packages": ["idna==3.7"]}
    assert planned(images).interpreter.how == "image"
    debian = {**images, "python": "3.11.3"}
    assert planned(debian, base_image="debian:bookworm-slim").interpreter.how == "archive"
    assert planned(images, base_image="debian:bookworm-slim").interpreter.how == "compiled"


def test_the_image_gets_the_libraries_and_the_stage_alone_the_compilers() -> None:
    found = planned(OLD).system
    assert [each.name for each in found.image] == [
        "libgdbm6", "libncursesw6", "libreadline8", "libsqlite3-0",
    ]  # fmt: skip
    assert found.image[-1].because == "libsqlite3.so.0, which Python 3.6.1 needs"
    assert [each.name for each in found.compiler] == [
        "build-essential", "ca-certificates", "curl", "libbz2-dev", "libffi-dev", "libgdbm-dev",
        "liblzma-dev", "libncurses-dev", "libreadline-dev", "libsqlite3-dev", "libssl-dev",
        "uuid-dev", "zlib1g-dev",
    ]  # fmt: skip


def test_a_python_from_elsewhere_takes_nothing_of_that() -> None:
    for base in (None, "debian:bookworm-slim"):
        found = planned({**OLD, "python": "3.11.3"}, base_image=base)
        assert (found.system.image, found.system.compiler) == ((), ())


@pytest.mark.parametrize(
    ("version", "release", "expected"),
    [
        ("3.6.8", "bullseye", 0), ("3.6.8", "trixie", 1), ("3.6.9", "trixie", 0),
        ("3.7.15", "bookworm", 1), ("3.7.16", "bookworm", 0),
        ("3.8.9", "noble", 1), ("3.8.10", "noble", 0),
        ("3.9.4", "jammy", 1), ("3.9.5", "jammy", 0), ("3.10.0", "trixie", 0),
        ("3.14.5rc1", "trixie", 0), ("3.10.0", "bionic", 2), ("3.10.0", None, 2),
    ],
)  # fmt: skip
def test_a_release_suits_a_python_by_its_openssl(
    version: str, release: str | None, expected: int
) -> None:
    assert unsuited(version, release) == expected


def test_an_older_python_goes_where_openssl_is_older_and_the_plan_says_so() -> None:
    assert said(planned(OLD), "OpenSSL") == [
        (
            "Python 3.6.1 is compiled with OpenSSL 1.1, which Debian bullseye has: "
            "it is not known to be compiled with OpenSSL 3"
        )
    ]
    newer = planned(OLD, base_image="debian:trixie-slim")
    assert said(newer, "module ssl") == [
        (
            "Python 3.6.1 may come out without the module ssl: it is not known to be compiled with "
            "OpenSSL 3, and Debian trixie has no other; the build ends where it is not"
        )
    ]
    assert said(planned({**OLD, "python": "3.13.2", "free_threaded": True}), "OpenSSL") == []


def test_the_cost_is_said_to_be_without_the_compiling() -> None:
    options = PlanOptions(sizes={SOURCE: 22_000_000, "ab" * 32: 28_000_000})
    told = cost_of_plan(plan(manifest_of(OLD), options, answering([])), options).told()
    assert told.endswith("; without system packages and compiling Python")


def test_one_without_the_gil_has_its_own_program() -> None:
    found = planned({**OLD, "python": "3.13.2", "free_threaded": True})
    assert found.interpreter.executable == "/opt/python/bin/python3.13t"
    assert found.base.reference == "debian:trixie-slim"


def test_where_uv_knows_no_such_python_a_pip_by_its_hash_installs() -> None:
    assert planned(OLD).installer == PIP
    named = planned(OLD, base_image="python:3.6.1-slim-stretch")
    assert named.installer == Installer("pip", None, ())
    travelling = planned(OLD, offline=True, stored=everything(OLD))
    assert [each.filename for each in travelling_tools(travelling)] == [
        "Python-3.6.1.tgz", "pip-21.3.1-py3-none-any.whl",
    ]  # fmt: skip


def test_a_release_whose_packages_no_table_knows_is_refused() -> None:
    with pytest.raises(PlanError) as caught:
        planned(OLD, base_image="ubuntu:18.04")
    assert caught.value.message == (
        "Python 3.6.1 would be compiled for ubuntu:18.04, and no table knows the packages of "
        "Ubuntu bionic"
    )
    assert caught.value.hint == (
        "Name an image that has this Python, or one of Debian 11 or Ubuntu 20.04 and newer, "
        "with --base-image"
    )
    assert caught.value.exit_code == 6


def test_alpine_gets_no_compiled_python() -> None:
    case = {**OLD, "packages": ["demo==1.0 musllinux_1_1_x86_64"]}
    with pytest.raises(PlanError) as caught:
        planned(case)
    assert caught.value.message.startswith("There is no image of Python 3.6.1 on Alpine: ")


def test_without_a_network_the_compilers_must_lie_beside_the_recipe() -> None:
    found = planned(OLD, offline=True, stored=everything(OLD))
    with pytest.raises(PlanError) as caught:
        refuse_without_archives(found.system)
    assert caught.value.hint is not None
    assert "envsnap build --fetch -o DIR" in caught.value.hint
