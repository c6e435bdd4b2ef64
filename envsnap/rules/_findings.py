"""What rules say, as values: findings graded by outcome, what was not judged, conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from envsnap._typing import Literal, NamedTuple
from envsnap.facts import Confidence, Source
from envsnap.sections import Unknown

_NOTHING: Mapping[str, str] = MappingProxyType({})
_SIDE = re.compile(r"\A(?:wanted|found) ")


IN_CONTAINER = "run it in the container"
"""The remedy that is left out where a container does not run either, with an ', or' before it."""


class Outcome(str, Enum):
    """What a difference does to the result, the worst first."""

    BLOCKS = "blocks"
    """It will not run."""
    DEGRADES = "degrades"
    """It runs, limited or slower than it should."""
    NUMERICS = "numerics"
    """It runs, and digits may differ."""
    PERF = "perf"
    """Timing alone."""
    NOTE = "note"
    """Worth knowing; not known to change a digit."""

    def __str__(self) -> str:
        return str(self.value)

    rank: int
    """0 is the worst."""

    def reaches(self, threshold: Outcome) -> bool:
        """Whether it is at least as bad as the threshold."""
        return self.rank <= threshold.rank


for _number, _outcome in enumerate(Outcome):  # asked for tens of thousands of times in a check
    _outcome.rank = _number


class Level(str, Enum):
    """What can be expected of the results, the most first."""

    BITWISE = "bitwise"
    """The same bits."""
    SAME_ARCHITECTURE = "bitwise on the same architecture"
    """The same bits, as long as GPU and CPU are of the same architecture and size."""
    STATISTICAL = "statistical"
    """The same conclusions; digits may differ."""
    RUNS = "runs"
    """It runs, and nothing is promised of what it computes."""
    DOES_NOT_RUN = "does not run"

    rank: int
    """0 promises the most."""

    def __str__(self) -> str:
        return str(self.value)


for _number, _level in enumerate(Level):
    _level.rank = _number
_EXPECTED = {
    Outcome.BLOCKS: Level.DOES_NOT_RUN,
    Outcome.DEGRADES: Level.STATISTICAL,
    Outcome.NUMERICS: Level.STATISTICAL,
    Outcome.PERF: Level.BITWISE,
    Outcome.NOTE: Level.BITWISE,
}


def usual_level(outcome: Outcome) -> Level:
    """The most that can be expected beside a finding of that outcome, where its rule says none."""
    return _EXPECTED[outcome]


class Scope(str, Enum):
    """Which way of running a finding concerns."""

    NATIVE = "native"
    CONTAINER = "container"
    BOTH = "both"

    def __str__(self) -> str:
        return self.value

    def covers(self, scope: Scope) -> bool:
        """Whether a finding of this scope counts for running that way."""
        return self is scope or self is Scope.BOTH


class Kind(str, Enum):
    """What a rule compares."""

    HEALTH = "health"
    """Nothing: it reads one manifest."""
    FIT = "fit"
    """What an environment needs with what a machine has: another one, or its own."""
    DRIFT = "drift"
    """The same fact on two sides. A manifest never drifts from itself."""

    def __str__(self) -> str:
        return self.value


class Verdict(str, Enum):
    """Whether the wanted environment will run on the found machine."""

    RUNS = "runs"
    LIMITS = "runs with limits"
    WILL_NOT_RUN = "will not run"
    CANNOT_TELL = "cannot tell"

    def __str__(self) -> str:
        return self.value


class Excuse(NamedTuple):
    """Somebody's word that a difference is meant to be there. It changes no outcome."""

    by: Literal["author", "reader"]
    """Who says so: the manifest's `requires`, or the file of what a reader has accepted."""
    reason: str
    until: str | None = None
    """The last day it holds, ISO 8601; None where it has no end."""


class Finding(NamedTuple):
    """One thing that a rule found."""

    code: str
    subject: str
    """What it is about, in one or two words: 'driver', 'numpy'."""
    outcome: Outcome
    scope: Scope
    what: str
    """One line: what differs or is wrong, with both values."""
    why: str
    """One line: what that does to the result."""
    remedy: str | None
    """The step that mends it; None where nothing can."""
    source: Source
    """Who says so."""
    confidence: Confidence = "high"
    """How sure the source, or the row of the tables that decided, is."""
    wanted: str | None = None
    found: str | None = None
    kind: Kind = Kind.DRIFT
    lowers: Level = Level.BITWISE
    """The most that can still be expected of the results."""
    excuses: tuple[Excuse, ...] = ()

    @property
    def id(self) -> str:
        """A name that stays the same from run to run."""
        return f"{self.code}:{self.subject.lower().replace(' ', '-')}"


class NotChecked(NamedTuple):
    """A rule that could not be judged, and the fact that was missing."""

    code: str
    path: str
    """The fact's place in the manifest, with the side that lacks it: 'found gpu.devices'."""
    reason: Unknown
    worst: Outcome
    """What the rule could have said at worst."""
    scope: Scope
    kind: Kind = Kind.DRIFT
    lowers: Level = Level.BITWISE
    """What the rule could have left to expect, at worst."""

    @property
    def section(self) -> str:
        """The section that the missing fact is in."""
        return re.split(r"[.\[]", _SIDE.sub("", self.path))[0]


class Condition(NamedTuple):
    """Something that lowers what can be expected, without being a difference."""

    code: str
    text: str
    lowers: Level | None = None
    """The most that it leaves to expect; None where what was not recorded would decide that."""
    remedy: str | None = None
    """The step that lifts it; None where nothing can."""
    scope: Scope = Scope.BOTH
    """Which way of running it concerns: its rule's."""


_NO_RULES: Mapping[str, Scope] = MappingProxyType({})


def _order(each: Finding) -> tuple[int, str]:
    return each.outcome.rank, each.id


class Report(NamedTuple):
    """All that the rules said."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    conditions: tuple[Condition, ...] = ()
    judged: Mapping[str, Scope] = _NO_RULES
    """The rules that came to an end, with or without a finding, and what each concerns."""
    ignored: Mapping[str, str] = _NOTHING
    """Rule codes that the project leaves out, with the reason it gives."""
    is_in_order: bool = False
    """Whether the findings stand in the order in which reports have them: they ask many times."""

    def in_order(self) -> Report:
        """The same, its findings sorted: the worst first, then by their ids."""
        findings = tuple(sorted(self.findings, key=_order))
        return self._replace(findings=findings, is_in_order=True)

    def of(self, *kinds: Kind) -> Report:
        """The part of the report that rules of these kinds made."""
        return self._replace(
            findings=tuple(each for each in self.findings if each.kind in kinds),
            not_checked=tuple(each for each in self.not_checked if each.kind in kinds),
            conditions=self.conditions if Kind.DRIFT in kinds else (),
        )

    def findings_of(self, scope: Scope) -> tuple[Finding, ...]:
        """The findings that count for running that way, the worst first."""
        those = (scope, Scope.BOTH)
        found = [each for each in self.findings if each.scope in those]
        return tuple(found if self.is_in_order else sorted(found, key=_order))

    def not_checked_of(self, scope: Scope) -> tuple[NotChecked, ...]:
        """What was left open for running that way, by what it could have said at worst."""
        found = [each for each in self.not_checked if each.scope.covers(scope)]
        return tuple(sorted(found, key=lambda each: (each.worst.rank, each.code)))

    def conditions_of(self, scope: Scope) -> tuple[Condition, ...]:
        """The conditions that count for running that way, what lowers most first."""
        found = [each for each in self.conditions if each.scope.covers(scope)]
        return tuple(sorted(found, key=lambda each: -each.lowers.rank if each.lowers else 1))

    def is_judged(self, scope: Scope) -> bool:
        """Whether any rule on running that way came to an end."""
        return any(each.covers(scope) for each in self.judged.values())

    def worst(self, scope: Scope) -> Outcome | None:
        """The worst outcome for running that way; None without findings."""
        found = self.findings_of(scope)
        return found[0].outcome if found else None

    def verdict(self, scope: Scope) -> Verdict:
        """Whether it will run that way.

        What is not known never makes it better, and a definite answer would be the same
        whatever an unknown fact turned out to be: a rule that could have said something worse
        and was not judged leaves it open. Where no rule was judged, nothing is known.
        """
        worst = self.worst(scope)
        if worst is Outcome.BLOCKS:
            return Verdict.WILL_NOT_RUN
        if not self.is_judged(scope):
            return Verdict.CANNOT_TELL
        could_be = min((each.worst.rank for each in self.not_checked_of(scope)), default=None)
        bound = Outcome.BLOCKS if worst is Outcome.DEGRADES else Outcome.DEGRADES
        if could_be is not None and could_be <= bound.rank:
            return Verdict.CANNOT_TELL
        return Verdict.LIMITS if worst is Outcome.DEGRADES else Verdict.RUNS
