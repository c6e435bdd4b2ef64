"""The rules: what makes an environment unwell, and what a difference does to its results."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from envsnap.manifest import Manifest
from envsnap.rules._accepted import Acceptance
from envsnap.rules._answer import Checked, CheckOptions
from envsnap.rules._claim import BITS, Claim, claim
from envsnap.rules._core import Pair, Rule, Side, judge, table
from envsnap.rules._findings import (
    IN_CONTAINER,
    Condition,
    Excuse,
    Finding,
    Kind,
    Level,
    NotChecked,
    Outcome,
    Report,
    Scope,
    Verdict,
)

FAMILIES = {
    "PKG": "packages",
    "PYT": "Python",
    "SYS": "system",
    "CPU": "CPU and memory",
    "GPU": "GPU",
    "DRV": "driver",
    "CUD": "CUDA libraries",
    "LIB": "what would load",
    "ENV": "variables",
    "ENG": "container engines",
    "FAB": "fabric",
    "RUN": "a recorded run",
    "PRJ": "the project",
    "REQ": "what the author requires",
}
"""What the first three letters of a rule's code stand for, in the order of reports."""


_MODULES = (
    "cpu",
    "cpu_baseline",
    "container",
    "cuda",
    "cuda_compat",
    "cudnn",
    "determinism",
    "driver",
    "driver_gpus",
    "driver_silent",
    "engines",
    "environ",
    "fabric",
    "gpu",
    "gpu_amd",
    "gpu_code",
    "gpu_platform",
    "gpu_numbers",
    "gpu_settings",
    "libraries",
    "library_code",
    "login_node",
    "packages",
    "project",
    "python",
    "math",
    "requires",
    "run",
    "system",
)
"""Written out, for `pkgutil` would cost a tenth of a capture; a test holds it to the folder."""


@cache
def load_all() -> None:
    """Import every module of this folder, so that each registers its rules."""
    from importlib import import_module

    for name in _MODULES:
        import_module(f"{__name__}.{name}")


def rules() -> tuple[Rule, ...]:
    """Every rule, sorted by code."""
    load_all()
    found = table()
    return tuple(found[code] for code in sorted(found))


def health(manifest: Manifest) -> Report:
    """What is wrong with one environment and machine, without another to compare with.

    Whether the machine could run containers is asked only when something is to run in one.
    """
    side = Side("", manifest)
    own = [each for each in rules() if each.scope is not Scope.CONTAINER]
    return _sum(
        judge(each, side) if each.kind is Kind.HEALTH else judge(each, side, side)
        for each in own
        if each.kind is not Kind.DRIFT
    )


def compare(wanted: Manifest, found: Manifest, *, codes: Collection[str] | None = None) -> Report:
    """What it means to run the wanted environment on the found machine.

    Drift between the two, whether the one fits the other, and the health of the found machine.
    `codes` names the rules to judge; None is all of them.
    """
    return compare_sides(Pair.of(wanted, found), codes=codes)


def compare_sides(pair: Pair, *, codes: Collection[str] | None = None) -> Report:
    """The same of two sides, which keep what the rules made of them."""
    report = _sum(
        judge(each, pair.found) if each.kind is Kind.HEALTH else judge(each, *pair)
        for each in rules()
        if codes is None or each.code in codes
    )
    is_of_use = report.verdict(Scope.CONTAINER) is not Verdict.WILL_NOT_RUN
    return report if is_of_use else _without_containers(report)


def _without_containers(report: Report) -> Report:
    """The report without the advice to run it in a container, where that does not run either."""
    findings = tuple(
        each._replace(remedy=each.remedy.removesuffix(IN_CONTAINER).removesuffix(", or ") or None)
        if each.remedy and each.remedy.endswith(IN_CONTAINER) else each
        for each in report.findings
    )  # fmt: skip
    return report._replace(findings=findings)


def _sum(reports: Iterable[Report]) -> Report:
    parts = tuple(reports)
    return Report(
        findings=tuple(each for part in parts for each in part.findings),
        not_checked=tuple(each for part in parts for each in part.not_checked),
        conditions=tuple(each for part in parts for each in part.conditions),
        judged={code: scope for part in parts for code, scope in part.judged.items()},
    ).in_order()


__all__ = [
    "BITS",
    "FAMILIES",
    "Acceptance",
    "CheckOptions",
    "Checked",
    "Claim",
    "Condition",
    "Excuse",
    "Finding",
    "Kind",
    "Level",
    "NotChecked",
    "Outcome",
    "Report",
    "Rule",
    "Scope",
    "Verdict",
    "claim",
    "compare",
    "compare_sides",
    "health",
    "load_all",
    "rules",
]  # fmt: skip
