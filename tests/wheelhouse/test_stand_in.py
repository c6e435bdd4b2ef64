"""Which wheel may stand in for a source: what it installs is proved by the manifest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.plan import PlanOptions, plan
from envsnap.sections import Artifact, Reason, Unknown, replace
from envsnap.wheelhouse._stand_in import stand_in, stand_ins
from envsnap.wheelhouse._store import open_wheelhouse
from tests import made, wheels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

A = wheels.wheel("a", "1.0")
MODULE = {"a.py": b"VERSION = '1.0'\n"}


def found(tmp_path: Path, given: wheels.Wheel, content: object = A.content) -> str | None:
    wheels.wheelhouse(tmp_path / "wh", wheels.manifest(given), given)
    here = stand_in(open_wheelhouse(str(tmp_path / "wh")), "a", "1.0", content)  # type: ignore[arg-type]
    return here and here.filename


def test_the_wheel_of_the_captured_files_stands_in(tmp_path: Path) -> None:
    assert found(tmp_path, A) == A.filename


@pytest.mark.parametrize("content", [None, Unknown(Reason.NOT_ASKED, "")])
def test_none_stands_in_for_what_nobody_knows(tmp_path: Path, content: object) -> None:
    assert found(tmp_path, A, content) is None


@pytest.mark.parametrize(
    "name",
    [
        "a.pyc", "__pycache__/a.cpython-311.pyc", "a-1.0.data/scripts/python",
        "a-1.0.data/data/lib/python3.11/site-packages/a.pth", "a-1.0.data/headers/a.h",
        "A-1.0.data/data/lib/x", "../evil.py",
    ],
)  # fmt: skip
def test_nothing_comes_with_it_that_the_digest_does_not_cover(tmp_path: Path, name: str) -> None:
    """Its list states the captured content, and for most of these its own files do, too."""
    more = wheels.wheel("a", "1.0", {**MODULE, name: b"evil"})
    assert found(tmp_path, more._replace(content=A.content)) is None


def test_another_version_or_rubbish_does_not_stand_in(tmp_path: Path) -> None:
    assert found(tmp_path, A._replace(version="1.1")) is None
    (tmp_path / "wh").rename(tmp_path / "other")
    assert found(tmp_path, A._replace(raw=b"PK rubbish")) is None


SOURCE = made.artifact(
    "a", "1.0", "a-1.0.tar.gz", url="https://files.example/a-1.0.tar.gz", sha256="5" * 64
)


CAPTURED = made.manifest((wheels.packaged(A),), (SOURCE,))


def stand_ins_of(tmp_path: Path, given: wheels.Wheel) -> Mapping[str, Artifact]:
    wheels.wheelhouse(tmp_path / "wh", CAPTURED, given)
    return stand_ins(CAPTURED, open_wheelhouse(str(tmp_path / "wh")))


def test_an_image_installs_the_wheel_of_the_captured_files_where_the_lock_has_a_source(
    tmp_path: Path,
) -> None:
    (found,) = stand_ins_of(tmp_path, A).values()
    assert found == replace(wheels.artifact(A), is_installed=True)


def test_a_wheel_of_other_files_stays_out_of_an_image(tmp_path: Path) -> None:
    other = wheels.wheel("a", "1.0", {"a.py": b"evil"})
    assert stand_ins_of(tmp_path, other._replace(content=A.content)) == {}


def test_nothing_is_built_or_fetched_where_a_wheel_stands_in(tmp_path: Path) -> None:
    given = stand_ins_of(tmp_path, A)
    options = PlanOptions(stored=frozenset({A.sha256}), stand_ins=given, offline=True)
    planned = plan(CAPTURED, options, lambda _: Unknown(Reason.NOT_ASKED, ""))
    assert (planned.sources, planned.left_out) == ((), ())
    assert [(each.filename, each.url) for each in planned.wheels] == [(A.filename, None)]
