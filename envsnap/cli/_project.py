"""The project's own settings: `[tool.envsnap]` of its pyproject.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from envsnap.errors import FileError, UsageError

_NAME = "pyproject.toml"


def ignored_rules(folder: str) -> Mapping[str, str]:
    """The rules that the project leaves out, each with the reason that it must give.

    Raises:
        UsageError: One has no reason.
    """
    settings = _settings(folder)
    ignore = settings.get("ignore", {})
    if not isinstance(ignore, dict):
        raise UsageError(
            f"{_NAME}: tool.envsnap.ignore is no table",
            hint='Write it as: ignore = { GPU003 = "the reason" }',
        )
    for code, reason in ignore.items():
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(
                f"{_NAME}: tool.envsnap.ignore.{code} has no reason",
                hint=f'Write it as: ignore = {{ {code} = "the reason" }}',
            )
    return ignore


def _settings(folder: str) -> Mapping[str, object]:
    path = os.path.join(folder, _NAME)
    if not os.path.isfile(path):
        return {}
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    if b"envsnap" not in raw or not any(map(_may_be_ours, raw.splitlines())):
        return {}  # nearly every project's file, at a hundredth of what its parser costs
    from importlib import import_module

    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document = toml.loads(raw.decode())
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{_NAME} is no TOML: {error}") from None
    tool = document.get("tool", {})
    found = tool.get("envsnap", {}) if isinstance(tool, dict) else {}
    return found if isinstance(found, dict) else {}


def _may_be_ours(line: bytes) -> bool:
    """Whether a line could begin envsnap's table, mistyped or not, or all of [tool] at once."""
    if b"tool" in line and (b"envsnap" in line or _key(line) == b"tool"):
        return True
    return b"\\" in line and line.lstrip().startswith((b"[", b'"'))  # a name in escapes


def _key(line: bytes) -> bytes:
    return line.partition(b"=")[0].strip(b" \t[]\"'")
