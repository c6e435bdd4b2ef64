"""Others' words on a screen."""

from __future__ import annotations

import pytest

from envsnap.reports._shown import clean, filled, shown


def test_a_path_of_an_environment_is_whole_and_a_name_of_thousands_is_cut() -> None:
    path = "{env}/lib/python3.11/site-packages/nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9"
    assert shown(f"from {path}") == f"from {path}"
    assert shown(f"lib{'x' * 3000}.so.1 is missing") == (
        f"lib{'x' * 57}…{'x' * 34}.so.1 is missing"
    )


def test_escapes_count_as_they_are_written() -> None:
    assert clean("a\x1b[31m") == "a\\x1b[31m"
    assert filled("{other}/a\x1b[31m is there", 16) == ["{other}/a\\x1b[31", "m is there"]


@pytest.mark.parametrize("width", range(10, 40))
def test_no_line_ends_between_a_number_and_its_unit(width: int) -> None:
    lines = filled("gpu code 0.31 s, math 0.02 s, 812 MiB memory", width)
    assert [each for each in lines if each[:2] in {"s", "s,", "Mi"}] == []
    assert " ".join(lines) == "gpu code 0.31 s, math 0.02 s, 812 MiB memory"
