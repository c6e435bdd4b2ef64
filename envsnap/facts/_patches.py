"""Versions of CPython to the patch, as the tables of its builds and sources compare them."""

from __future__ import annotations

import re

from envsnap.facts._table import Dotted

_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:(a|b|rc)(\d{1,3}))?\Z")
_BEFORE_FINAL = {"a": 0, "b": 1, "rc": 2, None: 3}


def numbers(version: str) -> Dotted | None:
    """A version to be compared: 3.14.0rc1 comes before 3.14.0."""
    found = _VERSION.match(version)
    if found is None:
        return None
    major, minor, patch, stage, number = found.groups()
    return (int(major), int(minor), int(patch), _BEFORE_FINAL[stage], int(number or 0))
