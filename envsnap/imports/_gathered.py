"""What the lines of a requirements file come to: packages, and what is not known of the rest."""

from __future__ import annotations

from collections.abc import Iterable

from envsnap._typing import NamedTuple
from envsnap.imports._requirement import Elsewhere, Line, Loose, NotRead, Passed, Pinned
from envsnap.sections import Package

_SHOWN = 3


class Gathered(NamedTuple):
    """The lines, sorted by what they say."""

    pinned: tuple[Package, ...]
    loose: tuple[str, ...]
    files: tuple[str, ...]
    passed: int
    not_read: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether each package that is named has its version, and none is named elsewhere."""
        return not (self.loose or self.files or self.not_read)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, for the reader."""
        said = []
        if self.loose:
            said.append(f"no version is told of {few(self.loose)}")
        if self.files:
            said.append(f"refers to {few(self.files)}: import it, too")
        return tuple(said)


def gathered(found: Iterable[Line]) -> Gathered:
    """The lines, sorted by what they say."""
    every = tuple(found)
    return Gathered(
        tuple(each.package for each in every if isinstance(each, Pinned)),
        tuple(each.words for each in every if isinstance(each, Loose)),
        tuple(each.file for each in every if isinstance(each, Elsewhere)),
        sum(isinstance(each, Passed) for each in every),
        tuple(each.line for each in every if isinstance(each, NotRead)),
    )


def few(names: Iterable[str]) -> str:
    """The first names, and how many more there are.

    >>> few(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
