"""The stated digests of many RECORDs, read in two processes at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from envsnap.host import StatedDigest
from envsnap.host._digests import start
from envsnap.sections import Reason, Unknown
from tests.inside.rows import by_the_definition, row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def records(tmp_path: Path) -> list[str]:
    """A hundred RECORDs, one of which states no hash and one of which is not there."""
    paths = [tmp_path / f"p{number}-1.dist-info" / "RECORD" for number in range(100)]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        path.write_text(row(f"p{number}.py", str(number).encode()))
    paths[70].write_text("p70.py,,\n")
    paths[30].unlink()
    return [str(path) for path in paths]


def stated(number: int) -> StatedDigest:
    if number == 30:
        return StatedDigest(None, 0)
    if number == 70:
        why = "RECORD states no SHA-256 of 'p70.py': no hash (1 rows)"
        return StatedDigest(Unknown(Reason.UNPARSABLE, why), 0)
    return StatedDigest(by_the_definition({f"p{number}.py": str(number).encode()}), 1)


def test_many_records_are_answered_in_their_order(records: list[str]) -> None:
    assert start(records)() == [stated(number) for number in range(100)]


def test_no_record_is_no_answer() -> None:
    assert start([])() == []


@pytest.mark.parametrize("python", ["/bin/false", "/bin/echo", "/no/python"])
def test_a_second_process_that_is_of_no_use_costs_no_digest(
    records: list[str], monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    assert start(records)() == [stated(number) for number in range(100)]
