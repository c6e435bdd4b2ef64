"""What an index has that is nearest to a version it lacks."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.version import InvalidVersion, Version

from envsnap.errors import ToolError
from envsnap.lock._ask import Wanted, question
from envsnap.lock._hosts import Indexes
from envsnap.lock._uv import Part, ask_uv

_MOST = 200
"""Packages that candidates are looked up for: an environment with more has no index behind it."""


def nearest_versions(
    versions: Mapping[str, str], wanted: Wanted, places: Indexes
) -> Mapping[str, tuple[str, ...]]:
    """For each version that is not there, the nearest that are, the nearest first.

    Below and above in turn, and at last the newest. A name that no index has has none.
    """
    if wanted.options.locker != "uv":
        return {}  # pip-tools cannot be asked for what it does not install
    bases = {name: base for name, each in versions.items() if (base := _base(each)) is not None}
    bases = dict(list(bases.items())[:_MOST])
    usual = question(wanted, places)
    below, above, newest = _versions_of(
        Part({name: f"{name}<={base}" for name, base in bases.items()}, usual),
        Part(
            {name: f"{name}>{base}" for name, base in bases.items()},
            usual._replace(resolution="lowest"),
        ),
        Part({name: name for name in bases}, usual),
    )
    further = {name: base for name, each in below.items() if (base := _base(each)) is not None}
    (second,) = _versions_of(
        Part({name: f"{name}<{base}" for name, base in further.items()}, usual)
    )
    found: dict[str, dict[str, None]] = {}
    for answers in (below, above, second, newest):
        for name, version in answers.items():
            found.setdefault(name, {})[version] = None
    return {name: tuple(each) for name, each in found.items()}


def _versions_of(*parts: Part) -> list[Mapping[str, str]]:
    """The version that each part's requirements are answered with; none where nobody answers.

    What was locked is worth more than a hint: a network that fails now fails nothing.
    """
    try:
        answers = ask_uv(parts)
    except ToolError:
        return [{} for _ in parts]
    return [{name: release.version for name, release in each.releases.items()} for each in answers]


def _base(version: str) -> str | None:
    """Without its local part, which no range may have."""
    try:
        return Version(version).public
    except InvalidVersion:
        return None
