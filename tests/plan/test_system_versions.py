"""Versions of system packages: as the image's dpkg says, kept, and compared with the next build."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap._build import BuildOptions, build
from envsnap._image import Image
from envsnap.cli._system import system_lines
from envsnap.engines import Built
from envsnap.formats._context import RECORD
from envsnap.plan import PlanOptions
from envsnap.plan._system_versions import Versions, differing_from, recorded, versions_of
from tests import made
from tests.base_cases import answering

if TYPE_CHECKING:
    from pathlib import Path

STATUS = b"""\
Package: libgl1
Status: install ok installed
Architecture: amd64
Version: 1.7.0-1+b2
Depends: libc6 (>= 2.34), libglvnd0 (= 1.7.0-1+b2), libglx0 | libglx-none

Package: libglvnd0
Status: install ok installed
Version: 1.7.0-1+b2
Depends: libc6 (>= 2.34), libgl1

Package: libglx0
Status: deinstall ok config-files
Version: 1.6.0-1

Package: libglx-vendor
Status: install ok installed
Version: 25.0.7-2
Provides: libglx-none

Package: libc6
Status: install ok installed
Version: 2.41-12

Package: vim
Status: install ok installed
Version: 2:9.1.1230-2
Depends: libc6 (>= 2.34)
"""
FOUND = Versions(
    {"libgl1": "1.7.0-1+b2"},
    {"libc6": "2.41-12", "libglvnd0": "1.7.0-1+b2", "libglx-vendor": "25.0.7-2"},
)


def test_what_the_plan_asks_for_is_found_with_all_that_it_depends_on() -> None:
    assert versions_of(STATUS, ["libgl1"]) == FOUND


def test_what_is_not_installed_is_not_there_and_what_stands_in_for_it_is() -> None:
    assert versions_of(STATUS, ["libglx0", "nosuch"]) == Versions({}, {})
    assert versions_of(STATUS, ["libglx-none"]).asked == {"libglx-vendor": "25.0.7-2"}


@given(st.binary(max_size=400))
def test_no_text_of_an_image_breaks_it(text: bytes) -> None:
    versions_of(STATUS + text, ["libgl1"])


def test_what_was_kept_is_read_again() -> None:
    assert recorded(json.loads(json.dumps(FOUND.document()))) == FOUND


@pytest.mark.parametrize(
    "document",
    [
        None, [], "libgl1", {}, {"asked": {}, "besides": {}}, {"asked": {"a1": 7}, "besides": {}},
        {"asked": {"libgl1\n": "1"}, "besides": {}}, {"asked": {"libgl1": "1 2"}, "besides": {}},
        {"asked": {"libgl1": "1"}, "besides": None}, {"asked": {"libgl1": "1"}},
        {"asked": {f"p{number}": "1" for number in range(2001)}, "besides": {}},
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_says_nothing(document: object) -> None:
    assert recorded(document) is None


def test_what_differs_is_named_with_both_versions_and_what_was_asked_for_comes_first() -> None:
    later = Versions(
        {"libgl1": "1.7.0-2"}, {"libc6": "2.41-12", "libglvnd0": "1.7.0-2", "zlib1g": "1:1.3-1"}
    )
    assert differing_from(FOUND, later) == (
        "libgl1 1.7.0-1+b2 -> 1.7.0-2",
        "libglvnd0 1.7.0-1+b2 -> 1.7.0-2",
        "libglx-vendor 25.0.7-2 -> not installed",
        "zlib1g not installed -> 1:1.3-1",
    )
    assert differing_from(FOUND, FOUND) == ()
    assert (differing_from(None, FOUND), differing_from(FOUND, None)) == ((), ())


def image(versions: Versions | None, *changed: str) -> Image:
    built = Built(
        engine="docker", image="a", name="a", reference="docker-daemon:a", id="sha256:1",
        run_line="docker run a",
    )  # fmt: skip
    return Image(built=built, differences=(), versions=versions, changed=changed)


def test_a_build_says_the_versions_in_one_line_and_what_changed_in_another() -> None:
    assert list(system_lines(image(None))) == []
    assert list(system_lines(image(FOUND, *(f"p{number} 1 -> 2" for number in range(6))))) == [
        (
            "System packages: libgl1 1.7.0-1+b2; build.json has all 4, with what they depend on"
        ),
        (
            "note: the last image from this folder had other system packages: "
            "p0 1 -> 2; p1 1 -> 2; p2 1 -> 2; p3 1 -> 2; and 2 more"
        ),
    ]  # fmt: skip


def test_recipes_written_anew_keep_the_versions_of_the_last_image(tmp_path: Path) -> None:
    options = BuildOptions(
        output=str(tmp_path), plan=PlanOptions(base_image="python:3.11.7-slim-bookworm")
    )
    resolve = answering([])
    assert build(made.manifest(), options, resolve).earlier is None
    record = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps({**record, "system": FOUND.document()}))
    assert build(made.manifest(), options, resolve).earlier == FOUND
    kept = json.loads((tmp_path / RECORD).read_text())
    assert (kept["system"], kept["system_before"]) == (None, FOUND.document())
    other = json.dumps({**record, "system": FOUND.document(), "environment": "0" * 12})
    (tmp_path / RECORD).write_text(other)
    assert build(made.manifest(), options, resolve).earlier is None
