"""TOML, by the standard library where it has it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')
_MOST_DOTS = 200
"""In a line, beside its strings. The parser needs the square of a key's parts, and no tool
writes a key of ten."""


def loads(text: str) -> Mapping[str, Any]:
    """The document.

    Raises:
        ValueError: It is no TOML, or has a key that would take minutes to read.
    """
    if any(_is_endless(line) for line in text.split("\n")):
        raise ValueError(f"A line with a key of more than {_MOST_DOTS} parts")
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    found: Mapping[str, Any] = toml.loads(text)
    return found


def _is_endless(line: str) -> bool:
    return line.count(".") > _MOST_DOTS and _STRING.sub("", line).count(".") > _MOST_DOTS
