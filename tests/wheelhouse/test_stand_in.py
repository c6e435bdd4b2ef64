"""Which wheel may stand in for a source: what it installs is proved by the manifest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.sections import Reason, Unknown
from envsnap.wheelhouse._stand_in import stand_in
from envsnap.wheelhouse._store import open_wheelhouse
from tests import wheels

if TYPE_CHECKING:
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
