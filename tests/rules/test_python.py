"""PYT: the interpreter under the packages."""

from __future__ import annotations

import pytest

from envsnap.manifest import Manifest
from envsnap.sections import replace
from tests import made
from tests.rules.machines import TORCH, UNSEEN, judged, machine, missing, packages, told, well

PURE = packages(made.package("idna", "3.7"))
BINARY = packages(TORCH)


def having(**changes: object) -> Manifest:
    return machine(python=made.python(**changes), packages=BINARY)


def test_another_implementation_blocks() -> None:
    report = judged("PYT001", having(), having(implementation="pypy"))
    assert told(report) == [("blocks", "cpython -> pypy")]


def test_another_minor_version_blocks_where_a_package_is_compiled() -> None:
    report = judged("PYT002", having(), having(version="3.12.1"))
    assert told(report) == [
        ("blocks", "Python 3.11.7 -> 3.12.1; compiled for it: 1 package: torch")
    ]


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("3.12.1", "install Python 3.12.1, as: uv python install 3.12.1"),
        ("3.12;reboot", "install Python 3.12;reboot, as: uv python install '3.12;reboot'"),
        ("--help", "install Python --help"),
    ],
)
def test_the_version_is_quoted_in_the_line_to_paste(version: str, remedy: str) -> None:
    report = judged("PYT002", having(version=version), having())
    assert report.findings[0].remedy == remedy


def test_another_minor_version_is_numerics_where_none_is_compiled() -> None:
    wanted = machine(packages=PURE)
    assert told(judged("PYT002", wanted, having(version="3.12.1"))) == [
        ("numerics", "Python 3.11.7 -> 3.12.1")
    ]


def test_without_tags_it_is_not_known_whether_a_package_is_compiled() -> None:
    wanted = machine(packages=packages(made.package("idna", "3.7", tags=UNSEEN)))
    assert missing(judged("PYT002", wanted, having(version="3.12.1"))) == [
        ("wanted packages.installed.idna.tags", "no-permission: for a test")
    ]


def test_tags_do_not_matter_within_a_minor_version() -> None:
    wanted = machine(packages=packages(made.package("idna", "3.7", tags=UNSEEN)))
    assert told(judged("PYT002", wanted, having(version="3.11.9"))) == []


def test_another_patch_release_is_a_note() -> None:
    assert told(judged("PYT003", having(), having(version="3.11.9"))) == [
        ("note", "Python 3.11.7 -> 3.11.9")
    ]
    assert told(judged("PYT003", having(), having(version="3.12.7"))) == []


@pytest.mark.parametrize(
    ("tags", "found", "is_bound"),
    [
        (("cp311-cp311-linux_x86_64",), "3.12.1", True),
        (("cp37-abi3-manylinux2014_x86_64",), "3.12.1", False),
        (("cp313-abi3-manylinux2014_x86_64",), "3.12.1", True),
        (("cp311-none-manylinux2014_x86_64",), "3.12.1", True),
        (("py3-none-manylinux2014_x86_64",), "3.12.1", False),
        (("py2.py3-none-manylinux2014_x86_64",), "3.12.1", False),
        (("py313-none-linux_x86_64",), "3.12.1", True),
        (("cp311-cp311-linux_x86_64", "cp311-abi3-linux_x86_64"), "3.12.1", False),
        (("py3-none-any",), "3.12.1", False),
        (("odd",), "3.12.1", True),
    ],
)
def test_a_wheels_tags_say_whether_another_minor_version_loads_it(
    tags: tuple[str, ...], found: str, *, is_bound: bool
) -> None:
    wanted = machine(packages=packages(made.package("ext", "1.0", tags=tags)))
    says = f"Python 3.11.7 -> {found}"
    assert told(judged("PYT002", wanted, having(version=found))) == [
        ("blocks", f"{says}; compiled for it: 1 package: ext") if is_bound else ("numerics", says)
    ]


def test_the_stable_abi_is_not_that_of_a_free_threaded_build() -> None:
    abi3 = made.package("ext", "1.0", tags=("cp37-abi3-manylinux2014_x86_64",))
    found = having(version="3.13.0", free_threaded=True)
    assert told(judged("PYT002", machine(packages=packages(abi3)), found)) == [
        ("blocks", "Python 3.11.7 -> 3.13.0; compiled for it: 1 package: ext")
    ]


def test_a_free_threaded_build_has_another_binary_interface() -> None:
    assert told(judged("PYT004", having(), having(free_threaded=True))) == [
        ("blocks", "free-threaded build: no -> yes")
    ]
    for fact in ("free_threaded", "debug"):
        assert missing(judged("PYT004", having(), having(**{fact: UNSEEN}))) == [
            (f"found python.{fact}", "no-permission: for a test")
        ]


def test_a_debug_build_loads_what_the_usual_one_does_since_python_3_8() -> None:
    usual, debug = having(), having(debug=True)
    assert told(judged("PYT004", usual, debug)) == [("perf", "debug build: no -> yes")]
    assert told(judged("PYT004", debug, usual)) == [("blocks", "debug build: yes -> no")]
    old, old_debug = having(version="3.7.16"), having(version="3.7.16", debug=True)
    assert told(judged("PYT004", old, old_debug)) == [("blocks", "debug build: no -> yes")]


def test_what_the_users_folder_adds_is_told_in_an_environment_alone() -> None:
    theirs = packages(made.package("idna", "3.7", layer="user"))
    assert told(well("PYT011", machine(packages=theirs))) == [
        ("note", "1 package comes from the user's folder: idna")
    ]
    installed = made.python(environment_kind="installation")
    assert told(well("PYT011", machine(packages=theirs, python=installed))) == []


def test_another_builder_is_a_note() -> None:
    report = judged("PYT005", having(), having(origin="conda"))
    assert told(report) == [("note", "Python built by pyenv -> conda")]


def test_an_interpreter_read_in_a_reduced_way_is_a_note() -> None:
    assert told(well("PYT010", having(degraded="timed out"))) == [
        ("note", "Python was read in a reduced way: timed out")
    ]
    assert told(well("PYT010", having())) == []


def test_without_the_interpreter_nothing_is_said() -> None:
    for code in ("PYT001", "PYT002", "PYT003", "PYT004", "PYT005"):
        report = judged(code, having(), machine(python=UNSEEN))
        assert missing(report) == [("found python", "no-permission: for a test")], code


def test_all_the_facts_of_an_interpreter_are_read_from_its_own_side() -> None:
    other = replace(made.python(), origin=UNSEEN)
    assert missing(judged("PYT005", machine(python=other), having())) == [
        ("wanted python.origin", "no-permission: for a test")
    ]
