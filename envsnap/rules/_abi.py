"""Whether the compiled part of a wheel loads in another Python, by the wheel's tags."""

from __future__ import annotations

import re

from envsnap.rules._core import Pair, need
from envsnap.rules._views import active, all_are_listed
from envsnap.sections import Python, Unknown

_INTERPRETER = re.compile(r"(py|cp|pp)(\d)(\d*)")


def bound(pair: Pair) -> list[str]:
    """The wanted packages whose compiled wheels do not load in the found Python.

    Ends the rule where none is known to be, and one may.
    """
    python, found, unknown = pair.found.need(Python), [], None
    for name, package in active(pair.wanted).items():
        if isinstance(package.tags, Unknown):
            unknown = (name, package.tags)
        elif package.tags and not any(_loads(tag, python) for tag in package.tags):
            found.append(package.name)
    if unknown is not None and not found:
        need(unknown[1], pair.wanted.path(f"packages.installed.{unknown[0]}.tags"))
    if not found:
        all_are_listed(pair.wanted)
    return found


def _loads(tag: str, python: Python) -> bool:
    """Whether what has that tag loads, as far as the interpreter goes."""
    interpreters, _, rest = tag.partition("-")
    abis, _, platforms = rest.partition("-")
    if platforms == "any":
        return True
    return any(
        _suits(interpreter, abi, python)
        for interpreter in interpreters.split(".")
        for abi in abis.split(".")
    )


def _suits(interpreter: str, abi: str, python: Python) -> bool:
    named = _INTERPRETER.match(interpreter)
    ours = tuple(int(part) for part in python.version.split(".")[:2] if part.isdecimal())
    if named is None or not ours or int(named[2]) != ours[0]:
        return False
    least = (int(named[2]), int(named[3] or 0))
    if abi == "abi3":
        is_usual = python.implementation == "cpython" and python.free_threaded is not True
        return is_usual and least <= ours
    if abi == "none" and named[1] == "py":
        return least <= ours
    return False  # made for one minor version, and another is asked about
