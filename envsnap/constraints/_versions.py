"""Versions as people write them: compared part by part as numbers, whatever their length."""

from __future__ import annotations

import re

from envsnap._typing import NamedTuple

_NUMBERS = r"[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,15})"
_VERSION = re.compile(rf"{_NUMBERS}(?!\.?[0-9])(.*)\Z", re.DOTALL)
"""Of more parts, or longer ones, it is no version: cut short, it would be another one."""
_BRANCH = re.compile(rf"{_NUMBERS}\.\*\Z")
_UNDOTTED = re.compile(rf"{_NUMBERS}\*\Z")
_BEFORE = re.compile(r"[._-]?(?:a|b|c|rc|alpha|beta|dev|pre)[._-]?[0-9]*\Z", re.IGNORECASE)


class Version(NamedTuple):
    """A version's numbers, and what follows them."""

    numbers: tuple[int, ...]
    """Without the zeros at its end: 12.4 and 12.4.0 are the same."""
    is_final: bool
    """False for what comes before a release: 3.14.0rc1."""
    rest: str

    @property
    def order(self) -> tuple[tuple[int, ...], bool]:
        """What versions are sorted by. What follows the numbers is not, but for rc and its like."""
        return self.numbers, self.is_final


def version(text: str) -> Version | None:
    """The version in a text; None where it does not begin with numbers.

    >>> version("6.8.0-48-generic").numbers, version("sm_90")
    ((6, 8), None)
    """
    found = _VERSION.match(text)
    if found is None:
        return None
    numbers = _parts(found[1])
    while numbers and not numbers[-1]:
        numbers.pop()
    return Version(tuple(numbers), not _BEFORE.match(found[2]), found[2])


def matches(text: str, pattern: str) -> bool:
    """Whether a text is the pattern; `535.*` is every version of that branch, `A100*` a beginning.

    >>> matches("535.183.01", "535.*"), matches("5351.0", "535.*"), matches("12.4.0", "12.4")
    (True, False, True)
    """
    branch = _BRANCH.match(pattern)
    if branch is not None:
        return _is_of_branch(text, _parts(branch[1]))
    if pattern.endswith("*"):
        return text.casefold().startswith(pattern[:-1].casefold())
    if text.casefold() == pattern.casefold():
        return True
    one, other = version(text), version(pattern)
    return one is not None and other is not None and _same(one, other)


def star_fault(pattern: str) -> str | None:
    """What is wrong with a pattern's star; None where it stands for what follows, or there is none.

    >>> star_fault("535.*"), star_fault("A100*"), star_fault("3*")
    (None, None, "'3*' would begin 3 and 30 alike: write 3.*")
    """
    before = pattern.rstrip("*").removesuffix(".")
    if "*" not in pattern:
        return None
    if not pattern.endswith("*") or pattern.count("*") > 1 or not before:
        return f"{pattern!r} is no pattern: one * stands at its end, as in 535.* or A100*"
    if _UNDOTTED.match(pattern):
        return f"{pattern!r} would begin {before} and {before}0 alike: write {before}.*"
    return None


def _same(one: Version, other: Version) -> bool:
    return one.order == other.order and one.rest.casefold() == other.rest.casefold()


def _is_of_branch(text: str, branch: list[int]) -> bool:
    """Part by part: 3.1 does not begin 3.11, and 535 begins 535 itself."""
    found = _VERSION.match(text)
    ours = _parts(found[1]) if found else None
    return ours is not None and (ours + [0] * len(branch))[: len(branch)] == branch


def _parts(numbers: str) -> list[int]:
    return [int(part) for part in numbers.split(".")]
