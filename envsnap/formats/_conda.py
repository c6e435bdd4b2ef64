"""conda packages of a plan, as an environment.yml names them."""

from __future__ import annotations

import re

from envsnap.errors import PlanError
from envsnap.plan import BuildPlan

_SPEC = re.compile(r"\A[a-z0-9_][a-z0-9_.-]*=[A-Za-z0-9_.!+]+=[A-Za-z0-9_.+]+\Z")
_CHANNEL = re.compile(r"\Ahttps?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*\Z")
_USUAL = "conda-forge"


def specs(plan: BuildPlan) -> list[str]:
    """`name=version=build` of each, sorted."""
    found = []
    for each in plan.conda:
        spec = f"{each.name}={each.version}={each.build}"
        if not _SPEC.match(spec):
            raise PlanError(f"Expected a conda package, not {spec[:60]!a}")
        found.append(spec)
    return sorted(found)


def nowhere(plan: BuildPlan) -> list[str]:
    """The packages whose archive only a wheelhouse has: no such file can name it."""
    return [f"{each.name} {each.version}" for each in plan.conda if each.url is None]


def channels(plan: BuildPlan) -> list[str]:
    """The folders that the packages come from, in the order of their first package."""
    found = []
    for each in plan.conda:
        # .../CHANNEL/SUBDIR/FILE
        place = each.url.rpartition("/")[0].rpartition("/")[0] if each.url else ""
        if _CHANNEL.match(place) and place not in found:
            found.append(place)
    return found or [_USUAL]
