"""From a report to one claim: what can be expected of the results, and what holds it there."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.rules._findings import Condition, Finding, Level, NotChecked, Report, Scope


class Claim(NamedTuple):
    """What can be expected of the results, and why not more."""

    level: Level
    """The most that no finding and no condition rules out."""
    floor: Level
    """The same, if all that was not checked turned out as bad as it can."""
    lowered_by: tuple[Finding, ...]
    """The findings that leave less than the same bits to expect, the worst first."""
    conditions: tuple[Condition, ...]
    """What lowers it, or must hold for it, without being a difference."""
    left_open: tuple[NotChecked, ...]
    """The rules that could have lowered it further and were not judged."""

    @property
    def is_definite(self) -> bool:
        """Whether it stands whatever an unknown fact turned out to be."""
        return self.level is self.floor


def claim(report: Report, scope: Scope) -> Claim:
    """What can be expected of running it that way."""
    lowered_by = [each for each in report.findings_of(scope) if each.lowers is not Level.BITWISE]
    conditions = tuple(each for each in report.conditions)
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
        lowered_by=tuple(sorted(lowered_by, key=lambda each: (-each.lowers.rank, each.id))),
        conditions=conditions,
        left_open=left_open,
    )


def _least(levels: list[Level]) -> Level:
    return max(levels, key=lambda each: each.rank, default=Level.BITWISE)
