"""From a report to one claim: what can be expected of the results, and what holds it there."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.rules._findings import (
    Condition,
    Finding,
    Level,
    NotChecked,
    Outcome,
    Report,
    Scope,
)

BITS = (Level.BITWISE, Level.SAME_ARCHITECTURE)
"""The levels that promise the same bits."""


class Claim(NamedTuple):
    """What can be expected of the results, and why not more."""

    level: Level
    """The most that no finding and no condition rules out."""
    floor: Level
    """The same, if all that was not checked turned out as bad as it can."""
    lowered_by: tuple[Finding, ...]
    """The findings that leave less than the same bits to expect, those that leave least first."""
    conditions: tuple[Condition, ...]
    """What lowers it, or must hold for it, without being a difference: what lowers most first."""
    left_open: tuple[NotChecked, ...]
    """The rules that could have lowered it further and were not judged."""

    @property
    def is_definite(self) -> bool:
        """Whether it stands whatever an unknown fact turned out to be."""
        return self.level is self.floor

    @property
    def says_something(self) -> bool:
        """Whether it promises anything: not the same bits of what may not run as it should."""
        return self.level not in BITS or not (
            self.floor is Level.DOES_NOT_RUN
            or any(each.worst.reaches(Outcome.DEGRADES) for each in self.left_open)
        )

    @property
    def assumed(self) -> tuple[Condition, ...]:
        """What was not recorded, and has to be as it was for the claim to hold."""
        return tuple(each for each in self.conditions if each.lowers is None)

    @property
    def codes(self) -> tuple[str, ...]:
        """The rules that hold it where it is, not those that would hold it higher."""
        if self.level is Level.BITWISE:
            return ()
        held = {each.code for each in self.lowered_by if each.lowers is self.level}
        held |= {each.code for each in self.conditions if each.lowers is self.level}
        return tuple(sorted(held))


def claim(report: Report, scope: Scope) -> Claim:
    """What can be expected of running it that way.

    Where it does not run, there are no results for a condition to lower.
    """
    lowered_by = [each for each in report.findings_of(scope) if each.lowers is not Level.BITWISE]
    conditions = report.conditions_of(scope)
    limits = [each.lowers for each in lowered_by]
    limits += [each.lowers for each in conditions if each.lowers is not None]
    level = _least(limits)
    left_open = tuple(
        each for each in report.not_checked_of(scope) if each.lowers.rank > level.rank
    )
    floor = _least([level, *(each.lowers for each in left_open)])
    if not report.is_judged(scope):
        floor = Level.DOES_NOT_RUN
    return Claim(
        level=level,
        floor=floor,
        lowered_by=tuple(sorted(lowered_by, key=lambda each: -each.lowers.rank)),
        conditions=() if level is Level.DOES_NOT_RUN else conditions,
        left_open=left_open,
    )


def _least(levels: list[Level]) -> Level:
    return max(levels, key=lambda each: each.rank, default=Level.BITWISE)
