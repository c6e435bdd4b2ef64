"""From a report to one answer: which way of running decides, what reaches it, what is open."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.errors import ExitCode
from envsnap.rules._accepted import Acceptance
from envsnap.rules._claim import Claim, claim
from envsnap.rules._findings import Finding, NotChecked, Outcome, Report, Scope, Verdict

_NOTHING: Mapping[str, str] = MappingProxyType({})


class CheckOptions(NamedTuple):
    """What the caller of a check asked for."""

    scope: Scope | None = None
    """Which way of running decides; None to choose by what is installed."""
    fail_on: Outcome = Outcome.NUMERICS
    """The mildest outcome that makes the answer no."""
    select: tuple[str, ...] = ()
    """Rule codes or families to judge; empty is all."""
    ignore: Mapping[str, str] = _NOTHING
    """Rule codes or families to leave out, each with the reason."""
    allow_unknown: frozenset[str] = frozenset()
    """Sections and rule codes whose unknown facts are accepted."""
    accept_waivers: bool = False
    """Whether what the author allows to differ (`requires`) is accepted."""
    accepted: tuple[Acceptance, ...] = ()
    """The findings that the reader has accepted."""
    today: str = ""
    """The day, ISO 8601, by which an acceptance is over."""
    is_image: bool = False
    """Whether the found side is an image: the container itself, with what is installed in it."""


class Checked(NamedTuple):
    """A check's answer."""

    report: Report
    scope: Scope
    """The way of running that decides."""
    chosen: str
    """Why that one."""
    options: CheckOptions
    is_set_up: bool
    """Whether the wanted packages are installed on the found side, half of them at least."""
    accepted_left: tuple[str, ...] = ()
    """What is to be said of acceptances and allowances that cover nothing, a line each."""

    @property
    def verdict(self) -> Verdict:
        """Whether it will run, the way that decides."""
        return self.report.verdict(self.scope)

    @property
    def claim(self) -> Claim:
        """What can be expected of the results, the way that decides."""
        return claim(self.report, self.scope)

    @property
    def reached(self) -> tuple[Finding, ...]:
        """The findings that make the answer no."""
        return tuple(
            each
            for each in self.report.findings_of(self.scope)
            if each.outcome.reaches(self.options.fail_on) and not self.is_excused(each)
        )

    def is_excused(self, each: Finding) -> bool:
        """Whether somebody whose word counts here has allowed the difference."""
        if not each.excuses:
            return False
        whose = {"reader", "author"} if self.options.accept_waivers else {"reader"}
        return any(excuse.by in whose for excuse in each.excuses)

    @property
    def left_open(self) -> tuple[NotChecked, ...]:
        """The rules that could have made the answer no and were not judged."""
        return tuple(
            each
            for each in self.report.not_checked_of(self.scope)
            if each.worst.reaches(self.options.fail_on) and not self.is_allowed(each)
        )

    def is_allowed(self, each: NotChecked) -> bool:
        """Whether `--allow-unknown` accepts it."""
        return bool({each.code, each.section} & self.options.allow_unknown)

    @property
    def exit_code(self) -> ExitCode:
        """0, 1 or 4."""
        if self.reached:
            return ExitCode.NO
        if self.left_open or not self.report.is_judged(self.scope):
            return ExitCode.CANNOT_TELL
        return ExitCode.OK
