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
    ("fact", "words"),
    [("free_threaded", "free-threaded build"), ("debug", "debug build")],
)
def test_another_binary_interface_blocks(fact: str, words: str) -> None:
    assert told(judged("PYT004", having(), having(**{fact: True}))) == [
        ("blocks", f"{words}: no -> yes")
    ]
    assert missing(judged("PYT004", having(), having(**{fact: UNSEEN}))) == [
        (f"found python.{fact}", "no-permission: for a test")
    ]


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
