"""TOML that others wrote: what would take minutes is refused in no time."""

from __future__ import annotations

import time

import pytest

from envsnap.lock import _toml


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000 + "b = 1",
        '"a".' * 20_000 + "b = 1",
        "[" + "a." * 20_000 + "b]",
        "x = {" + "a." * 20_000 + "b = 1}",
    ],
    ids=["a key", "a quoted key", "a table", "an inline table"],
)
def test_a_key_of_thousands_of_parts_is_refused(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match="A line with a key of more than 200 parts"):
        _toml.loads(text)
    assert time.perf_counter() - start < 1


def test_dots_in_strings_are_no_parts_of_a_key() -> None:
    dots = "." * 1000
    assert _toml.loads(f"a.b = \"x{dots}\"\nc = '{dots}'\n") == {
        "a": {"b": f"x{dots}"},
        "c": dots,
    }
