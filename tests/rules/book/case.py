"""What a case of the book is."""

from __future__ import annotations

from typing import NamedTuple

from envsnap.manifest import Manifest
from envsnap.rules import Level, Report
from tests.rules.machines import judged, well

CONDITION = "condition"
"""Stands for an outcome where a rule lowers the claim without a finding."""

Sides = tuple[Manifest, Manifest] | Manifest
"""The wanted and the found one; a single one where its health is asked for."""


class Case(NamedTuple):
    """One rule, shown."""

    code: str
    outcome: str
    """Of the one finding; 'condition' for the one condition."""
    says: str
    """The whole line."""
    of: Sides
    """What triggers it."""
    but: str
    """What is otherwise in `nearly`, as the end of 'but nothing is said ...'."""
    nearly: Sides
    """What just does not."""
    unseen: Sides
    """The same with a fact that was not seen."""
    path: str
    """That fact's place."""
    leaves: Level | None = None
    """The most that is left to expect; None for the outcome's usual, or a condition's unknown."""

    def judged(self, sides: Sides) -> Report:
        """What the rule says of them."""
        if isinstance(sides, tuple):
            return judged(self.code, *sides)
        return well(self.code, sides)
