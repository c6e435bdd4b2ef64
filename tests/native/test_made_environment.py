"""An empty environment, and what is said where a Python makes none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envsnap.engines.native import Base, make_environment
from envsnap.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "Name another Python with --python"
_INSTALL = (
    "Install its module venv (on Debian: apt install python3-venv), or name another Python with "
    "--python"
)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("/usr/bin/python3: No module named venv", _INSTALL),
        ("ModuleNotFoundError: No module named 'ensurepip'", _INSTALL),
        ("OSError: [Errno 28] No space left on device", _NAME),
    ],
)
def test_the_module_is_asked_for_only_where_it_is_missing(
    tmp_path: Path, said: str, hint: str
) -> None:
    broken = tmp_path / "python"
    broken.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    broken.chmod(0o755)
    with pytest.raises(ToolError) as caught:
        make_environment(Base(str(broken), "cpython", "3.11.7", None), str(tmp_path / "env"))
    assert (caught.value.message, caught.value.hint) == (
        f"Python 3.11.7 makes no environment: {said}",
        hint,
    )
