"""Libraries that no table can place: who must have them, and when a plan is refused for them."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap.errors import PlanError
from envsnap.facts import system_packages
from envsnap.plan import _safe
from envsnap.plan._model import BaseImage, PlanOptions, Why
from envsnap.plan._needs import Ask, few, names_of, who_of
from envsnap.plan._suite import Ground

_PLAIN = frozenset({
    "docker.io/library/alpine", "docker.io/library/buildpack-deps", "docker.io/library/debian",
    "docker.io/library/python", "docker.io/library/ubuntu", "docker.io/nvidia/cuda",
    "nvcr.io/nvidia/cuda",
})  # fmt: skip
"""Images with the libraries of their distribution, and NVIDIA's: no name of another hides there."""


def judged(
    nowhere: Sequence[Ask], ground: Ground, base: BaseImage, options: PlanOptions
) -> list[Why]:
    """What is said of what no table can place.

    Raises:
        PlanError: Something does not load without it, and nobody has taken that on himself.
    """
    needed = [ask for ask in nowhere if ask.is_needed]
    by = _taken_on_by(ground, base, options)
    if needed and by is None:
        raise _unplaced(needed, ground)
    found = []
    if needed and by is not None:
        names = few(names_of(needed))
        found.append(
            Why(f"{names} must be in the base image already", _because(needed, ground), by)
        )
    others = [ask for ask in nowhere if not ask.is_needed]
    if others:
        found.append(
            Why(f"{few(names_of(others))} is not installed",
                f"no table names a package that has it in {ground.what}; nothing is known to "
                "fail without it before it is used", others[0].source)
        )  # fmt: skip
    return found


def must_be_there(
    nowhere: Sequence[Ask], ground: Ground, base: BaseImage, options: PlanOptions
) -> tuple[str, ...]:
    """What the base image must have itself, every name of it, in a sentence; or nothing."""
    needed = [ask for ask in nowhere if ask.is_needed]
    if not needed or _taken_on_by(ground, base, options) is None:
        return ()
    names = ", ".join(_safe.plain(each) for each in names_of(needed))
    return (f"{names} must be in {base.reference} already: {_because(needed, ground)}",)


def _taken_on_by(ground: Ground, base: BaseImage, options: PlanOptions) -> str | None:
    """The option that makes it the user's own affair; None where none does.

    Who names an image of his own may have put it there. One that everybody has, of a distribution
    that the tables know, surely lacks it: naming what the plan would choose changes nothing.
    """
    is_known = ground.suite is not None or ground.kind == "musl"
    if options.base_image is not None and not (is_known and base.repository in _PLAIN):
        return "--base-image"
    return "--allow-missing" if options.allow_missing else None


def _because(needed: Sequence[Ask], ground: Ground) -> str:
    return (
        f"no table names a package that has it in {ground.what}, and {few(who_of(needed))} will "
        "not load without it"
    )


def _unplaced(needed: Sequence[Ask], ground: Ground) -> PlanError:
    first = needed[0]
    more = f" and {len(needed) - 1} more" if len(needed) > 1 else ""
    others = system_packages.others_of(first.name, ground.suite or "")
    nearest = f"; {ground.what} has {few(sorted(others))}" if others else ""
    who = few(first.who)
    verb = "needs" if len(first.who) == 1 else "need"
    return PlanError(
        f"No package is known that has {_safe.shown(first.name)}{more}, which {who} {verb}, "
        f"in {ground.what}{nearest}",
        hint="Name an image that has it: --base-image IMAGE; or make the package's file where the "
        "environment is, with what it needs inside (auditwheel repair), and lock it again; or do "
        "without: --allow-missing",
    )
