"""What the files of a lock must fit."""

from __future__ import annotations

import pytest

from envsnap.errors import PlanError
from envsnap.lock._choose import Target
from envsnap.lock._target import target_of
from envsnap.sections import Package, Reason, Unknown
from tests.made import linux, manifest, package, python

SILENT = Unknown(Reason.NOT_ASKED, "left out of this capture")


def target(*tags: str, system: object = None) -> Target:
    """The target of an environment with a package of each of these tags."""
    packages: tuple[Package, ...] = tuple(
        package(f"p{number}", "1.0", tags=(tag,)) for number, tag in enumerate(tags)
    )
    made = manifest(packages, (), os=system or linux())
    return target_of(made, python(), packages)


def test_the_machines_own_c_library_decides() -> None:
    found = target("cp311-cp311-manylinux_2_28_x86_64")
    assert found == Target((3, 11), "x86_64", "glibc", (2, 36))


@pytest.mark.parametrize("system", [SILENT, linux(libc_version=SILENT)])
def test_a_machine_that_says_nothing_has_at_least_what_its_wheels_ask_for(system: object) -> None:
    tags = ("py3-none-any", "cp311-cp311-manylinux2014_x86_64", "cp311-abi3-manylinux_2_28_x86_64")
    assert target(*tags, system=system).libc_version == (2, 28)
    assert target("py3-none-any", system=system).libc_version == (2, 17)


def test_an_environment_of_musl_wheels_is_on_musl() -> None:
    found = target("cp311-cp311-musllinux_1_2_x86_64", system=SILENT)
    assert (found.libc, found.libc_version) == ("musl", (1, 2))


def test_there_is_no_lock_for_another_system() -> None:
    with pytest.raises(PlanError, match="This environment is for 'macosx-14-arm64'"):
        target_of(manifest(), python(platform="macosx-14-arm64"), ())
