"""This machine's architecture, by the name that engines have for it."""

from __future__ import annotations

import platform

from envsnap.errors import PlanError
from envsnap.facts.machines import PLATFORMS, machine_named


def refuse_other_machine(wanted: str) -> None:
    """Refuse to build for another architecture than this machine's: emulation makes other bytes.

    Raises:
        PlanError: The architectures differ.
    """
    machine = platform.machine()
    if PLATFORMS.get(machine_named(machine)) != wanted:
        raise PlanError(
            f"The image is for {wanted}, and this machine is {machine}",
            hint="Build it on such a machine: the recipe is complete without --image",
        )
