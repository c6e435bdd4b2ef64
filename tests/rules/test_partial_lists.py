"""A list that names a part of what is installed: what it does not name may yet be there."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._check import check
from envsnap.imports import blank, listed, packages
from envsnap.manifest import Manifest
from envsnap.rules import Report, Scope, compare
from envsnap.sections import Captured, Package, Python, replace
from tests.rules.book.packages import record

PYTHON = blank(Python, implementation="cpython", version="3.11.7")
IDNA, RICH = listed("idna", "3.7"), listed("rich", "13.0.0")


def manifest(found: Sequence[Package], *, is_whole: bool) -> Manifest:
    section = packages(found, is_whole=is_whole, conda_only=())
    return Manifest(
        captured=Captured(time="2026-01-01T00:00:00Z", version="0", imported=("pip list",)),
        sections={"python": PYTHON, "packages": section},
    )


def of(report: Report, code: str) -> tuple[list[str], list[str]]:
    """What a rule found, and what it left open."""
    found = [each.what for each in report.findings if each.code == code]
    return found, [each.path for each in report.not_checked if each.code == code]


def test_what_a_whole_list_does_not_name_is_missing() -> None:
    report = compare(manifest([IDNA, RICH], is_whole=True), manifest([IDNA], is_whole=True))
    assert of(report, "PKG001") == (["1 package is not installed here: rich 13.0.0"], [])


def test_what_a_part_does_not_name_may_be_there() -> None:
    report = compare(manifest([IDNA, RICH], is_whole=True), manifest([IDNA], is_whole=False))
    assert of(report, "PKG001") == ([], ["found packages.unlisted"])


def test_a_part_that_names_all_that_is_wanted_will_do() -> None:
    report = compare(manifest([IDNA], is_whole=True), manifest([IDNA, RICH], is_whole=False))
    assert of(report, "PKG001") == ([], [])


def test_versions_are_compared_as_far_as_both_name_them_and_the_rest_stays_open() -> None:
    other = listed("idna", "3.6")
    report = compare(manifest([IDNA, RICH], is_whole=False), manifest([other], is_whole=False))
    assert of(report, "PKG002") == (["idna 3.7 -> 3.6"], ["wanted packages.unlisted"])


def test_more_packages_than_a_part_names_are_no_finding() -> None:
    report = compare(manifest([IDNA], is_whole=False), manifest([IDNA, RICH], is_whole=True))
    assert of(report, "PKG005") == ([], ["wanted packages.unlisted"])


def test_a_conda_library_that_a_part_does_not_name_may_be_there() -> None:
    blas = (record("libblas", "3.9.0"),)
    wanted = replace(packages([IDNA]), conda_only=blas)
    sides = [
        replace(manifest([IDNA], is_whole=is_whole), sections={"python": PYTHON, "packages": each})
        for is_whole, each in (
            (True, wanted),
            (False, packages([IDNA], is_whole=False, conda_only=())),
            (True, packages([IDNA], conda_only=())),
        )
    ]
    assert of(compare(sides[0], sides[1]), "PKG006") == ([], ["found packages.unlisted"])
    assert of(compare(sides[0], sides[2]), "PKG006") == (
        ["1 conda package: libblas not installed"], [],
    )  # fmt: skip


def test_whether_a_part_is_set_up_is_not_known_so_that_it_counts_as_such() -> None:
    checked = check(manifest([IDNA, RICH], is_whole=True), manifest([], is_whole=False))
    assert (checked.scope, checked.is_set_up) == (Scope.NATIVE, True)
