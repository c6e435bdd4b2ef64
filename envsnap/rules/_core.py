"""The table of rules, and the only way for a rule to read a fact.

A rule is a small pure function. Its docstring's first line is the message that users read;
the rest is what `envsnap explain CODE` says. It reads facts through `need`, which ends the
rule as *not checked* where a fact is unknown: no rule can forget.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping

from envsnap._typing import Final, NamedTuple, NoReturn, TypeVar, cast
from envsnap.facts import Answer, Looked, Source
from envsnap.manifest import Manifest
from envsnap.rules._findings import (
    Condition,
    Finding,
    Kind,
    Level,
    NotChecked,
    Outcome,
    Report,
    Scope,
    usual_level,
)
from envsnap.sections import SECTIONS, Fact, Reason, Unknown

T = TypeVar("T")
S = TypeVar("S")

_CODE = re.compile(r"[A-Z]{3}\d{3}\Z")
_NAMES = {shape: name for name, shape in SECTIONS.items()}


class NeedError(Exception):
    """A fact that a rule needs is unknown."""

    def __init__(self, path: str, reason: Unknown) -> None:
        super().__init__(path)
        self.path = path
        self.reason = reason


class NotAskedError(Exception):
    """A rule is about something that no capture was asked for: it has nothing to say."""


def need(fact: Fact[T], path: str) -> T:
    """The fact's value; ends the rule as not checked where it is unknown."""
    if isinstance(fact, Unknown):
        raise NeedError(path, fact)
    return fact


def not_decidable(path: str, why: str) -> NoReturn:
    """End the rule as not checked: the facts are there and do not decide it."""
    raise NeedError(path, Unknown(Reason.NOT_SUPPORTED, why))


def look_up(answer: Answer[T], path: str) -> Looked[T]:
    """What the tables say; ends the rule where they do not hold it, or are older than it."""
    if not isinstance(answer, Looked):
        not_decidable(path, str(answer))
    return answer


class Side:
    """One manifest of a comparison, and what it is called in messages."""

    def __init__(self, name: str, manifest: Manifest) -> None:
        self.name: Final = name
        """'wanted' or 'found'; empty where there is no other side."""
        self.manifest: Final = manifest
        self._seen: dict[Hashable, object] = {}
        self._unseen: dict[Hashable, NeedError] = {}

    def need(self, shape: type[S]) -> S:
        """A section; ends the rule as not checked where it is unknown."""
        return need(self.manifest.section(shape), self.path(_NAMES[shape]))

    def path(self, place: str) -> str:
        """A fact's place, with the side that it is on."""
        return f"{self.name} {place}".strip()

    def once(self, view: Callable[[Side], T]) -> T:
        """What a view makes of this side: made once, for all the rules that ask for it.

        A fact that it lacks ends each of them, and is not looked for again.
        """
        return self.remembered(view, lambda: view(self))

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made under that key the first time: a value, or the fact that it lacked."""
        if key in self._unseen:
            raise NeedError(self._unseen[key].path, self._unseen[key].reason)
        if key not in self._seen:
            try:
                self._seen[key] = make()
            except NeedError as error:
                self._unseen[key] = error
                raise
        return cast("T", self._seen[key])


class Pair(NamedTuple):
    """The two sides of a comparison."""

    wanted: Side
    found: Side

    @classmethod
    def of(cls, wanted: Manifest, found: Manifest) -> Pair:
        """The sides of these two manifests."""
        return cls(Side("wanted", wanted), Side("found", found))

    def once(self, view: Callable[[Pair], T]) -> T:
        """What a view makes of the two: made once, as a side's own are."""
        return self.wanted.remembered((view, self.found), lambda: view(self))

    @property
    def is_one(self) -> bool:
        """Whether one manifest is on both sides: its health is asked for."""
        return not self.wanted.name


class Said(NamedTuple):
    """What a rule says; the rule's own code, scope and source are added to it."""

    subject: str
    outcome: Outcome
    what: str
    remedy: str | None = None
    why: str | None = None
    """None takes the message of the rule's docstring."""
    wanted: str | None = None
    found: str | None = None
    rests_on: Looked[object] | None = None
    """The row of the tables that decided; None where the rule's own source does."""
    lowers: Level | None = None
    """The most that can still be expected of the results; None takes the outcome's own."""


class Open(NamedTuple):
    """A part of what a rule judges that it could not see; the rest of it was judged."""

    path: str
    reason: Unknown
    worst: Outcome | None = None
    """The worst that it could turn out to be; None is the worst of its rule."""


Result = Iterable[Said | Condition | Open]
Comparison = Callable[[Pair], Result]
Health = Callable[[Side], Result]
F = TypeVar("F", bound=Callable[..., Result])


class Rule(NamedTuple):
    """One registered rule."""

    code: str
    kind: Kind
    scope: Scope
    worst: Outcome
    """The worst outcome that it can say."""
    source: Source
    reads: tuple[type, ...]
    """The sections that it reads."""
    lowers: Level
    """The least that it can leave to expect of the results."""
    function: Callable[..., Result]

    @property
    def message(self) -> str:
        """The docstring's first line."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def family(self) -> str:
        """The first letters of its code."""
        return self.code[:3]

    @property
    def topic(self) -> str:
        """What it looks at, in two or three words; its family goes without saying."""
        return self.function.__name__.replace("_", " ")

    @property
    def explanation(self) -> str:
        """The docstring's rest."""
        from inspect import cleandoc

        return cleandoc(self.function.__doc__ or "").partition("\n")[2].strip()


_RULES: dict[str, Rule] = {}


def drift(  # noqa: PLR0913 - what is known of a rule
    code: str,
    *,
    scope: Scope,
    worst: Outcome,
    reads: tuple[type, ...],
    source: Source,
    lowers: Level | None = None,
) -> Callable[[Comparison], Comparison]:
    """Register a rule that compares one fact on two sides."""
    return _registering(Kind.DRIFT, code, scope, worst, reads, source, lowers)


def fit(  # noqa: PLR0913 - what is known of a rule
    code: str,
    *,
    scope: Scope,
    worst: Outcome,
    reads: tuple[type, ...],
    source: Source,
    lowers: Level | None = None,
) -> Callable[[Comparison], Comparison]:
    """Register a rule that holds what an environment needs against what a machine has."""
    return _registering(Kind.FIT, code, scope, worst, reads, source, lowers)


def health(  # noqa: PLR0913 - what is known of a rule
    code: str,
    *,
    scope: Scope,
    worst: Outcome,
    reads: tuple[type, ...],
    source: Source,
    lowers: Level | None = None,
) -> Callable[[Health], Health]:
    """Register a rule that reads one manifest."""
    return _registering(Kind.HEALTH, code, scope, worst, reads, source, lowers)


def _registering(  # noqa: PLR0913, PLR0917 - what is known of a rule
    kind: Kind, code: str, scope: Scope, worst: Outcome, reads: tuple[type, ...], source: Source,
    lowers: Level | None,
) -> Callable[[F], F]:  # fmt: skip
    def register(function: F) -> F:
        least = lowers or usual_level(worst)
        _register(Rule(code, kind, scope, worst, source, reads, least, function))
        return function

    return register


def _register(rule: Rule) -> None:
    if not _CODE.match(rule.code) or rule.code in _RULES:
        message = f"rule code {rule.code!r} is malformed or taken"
        raise ValueError(message)
    _refuse_contradiction(rule, rule.worst, rule.lowers)
    _RULES[rule.code] = rule


def table() -> Mapping[str, Rule]:
    """The rules that are registered so far, by code."""
    return _RULES


def judge(rule: Rule, *sides: Side) -> Report:
    """What one rule says of a manifest, or of two.

    A rule on what no capture was asked for is neither judged nor left open.
    """
    findings: list[Finding] = []
    conditions: list[Condition] = []
    left_open: list[NotChecked] = []
    try:
        for each in rule.function(sides[0] if rule.kind is Kind.HEALTH else Pair(*sides)):
            if isinstance(each, Said):
                findings.append(_finding(rule, each))
            elif isinstance(each, Condition):
                conditions.append(_condition(rule, each))
            else:
                left_open.append(_not_checked(rule, each.path, each.reason, each.worst))
    except NotAskedError:
        return Report()
    except NeedError as error:
        left_open.append(_not_checked(rule, error.path, error.reason))
    return Report(
        findings=tuple(findings),
        not_checked=tuple(dict.fromkeys(left_open)),
        conditions=tuple(conditions),
        judged={} if left_open else {rule.code: rule.scope},
    )


def _finding(rule: Rule, said: Said) -> Finding:
    looked, outcome, why = said.rests_on, said.outcome, said.why or rule.message
    if looked is not None and looked.weak and outcome is Outcome.BLOCKS:
        outcome = Outcome.DEGRADES  # too little is known to say that it will not run
        why = f"{why}; who says so is too unsure to call it more than a limit"
    if not rule.worst.reaches(outcome):
        message = f"{rule.code} says {outcome}, and declares {rule.worst} as its worst"
        raise ValueError(message)
    lowers = (said.lowers if outcome is said.outcome else None) or usual_level(outcome)
    _refuse_contradiction(rule, outcome, lowers)
    _refuse_silence(rule, outcome, lowers)
    if lowers.rank > rule.lowers.rank:
        message = f"{rule.code} leaves {lowers!s} to expect, and declares {rule.lowers!s}"
        raise ValueError(message)
    return Finding(
        code=rule.code, kind=rule.kind, scope=rule.scope,
        source=rule.source, confidence=looked.confidence if looked else "high",
        subject=said.subject, outcome=outcome, what=said.what, why=why,
        remedy=said.remedy, wanted=said.wanted, found=said.found, lowers=lowers,
    )  # fmt: skip


def _condition(rule: Rule, said: Condition) -> Condition:
    lowers = said.lowers or Level.BITWISE
    if lowers is Level.DOES_NOT_RUN or lowers.rank > rule.lowers.rank:
        message = f"{rule.code} leaves {lowers!s} to expect, and declares {rule.lowers!s}"
        raise ValueError(message)
    return said._replace(scope=rule.scope)


def _refuse_contradiction(rule: Rule, outcome: Outcome, lowers: Level) -> None:
    """What blocks leaves nothing to expect, and nothing else does: verdict and claim agree."""
    if (outcome is Outcome.BLOCKS) is not (lowers is Level.DOES_NOT_RUN):
        message = f"{rule.code} says {outcome}, and leaves {lowers!s} to expect"
        raise ValueError(message)


def _refuse_silence(rule: Rule, outcome: Outcome, lowers: Level) -> None:
    """What changes digits reaches the default of `--fail-on`: exit code and claim agree."""
    if lowers.rank > Level.SAME_ARCHITECTURE.rank and not outcome.reaches(Outcome.NUMERICS):
        message = f"{rule.code} says {outcome}, and leaves {lowers!s} to expect"
        raise ValueError(message)


def _not_checked(
    rule: Rule, path: str, reason: Unknown, worst: Outcome | None = None
) -> NotChecked:
    lowers = rule.lowers if worst is None else usual_level(worst)
    return NotChecked(
        code=rule.code, path=path, reason=reason, worst=worst or rule.worst,
        scope=rule.scope, kind=rule.kind, lowers=lowers,
    )  # fmt: skip
