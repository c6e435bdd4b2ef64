"""This machine's architecture, by the name that engines have for it."""

from __future__ import annotations

import platform

from envsnap.errors import PlanError

_MACHINES = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64",
             "ppc64le": "linux/ppc64le", "s390x": "linux/s390x"}  # fmt: skip


def refuse_other_machine(wanted: str) -> None:
    """Refuse to build for another architecture than this machine's: emulation makes other bytes.

    Raises:
        PlanError: The architectures differ.
    """
    machine = platform.machine()
    if _MACHINES.get(machine) != wanted:
        raise PlanError(
            f"The image is for {wanted}, and this machine is {machine}",
            hint="Build it on such a machine: the recipe is complete without --image",
        )
