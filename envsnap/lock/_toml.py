"""TOML, by the standard library where it has it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def loads(text: str) -> Mapping[str, Any]:
    """The document.

    Raises:
        ValueError: It is no TOML.
    """
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    found: Mapping[str, Any] = toml.loads(text)
    return found
