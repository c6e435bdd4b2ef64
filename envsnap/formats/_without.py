"""What a format that takes neither our base image nor our steps has to refuse."""

from __future__ import annotations

import json

from envsnap.errors import PlanError
from envsnap.plan import BuildPlan

ELSEWHERE = "Write a Dockerfile or a definition instead: --docker, or --singularity"
_GPU_BASES = ("nvidia/", "rocm/")


def refuse_what_the_base_brings(plan: BuildPlan, title: str) -> None:
    """Refuse a plan whose base image is more than a Linux with Python.

    Raises:
        PlanError: Packages, CUDA or ROCm come with the base image, and this format has another.
    """
    name = plan.base.repository
    brings = "the environment's packages" if plan.interpreter.system_site_packages else ""
    if not brings and any(each in name for each in _GPU_BASES):
        brings = "ROCm" if "rocm/" in name else "CUDA"
    if brings:
        raise PlanError(
            f"{title} has no base image to choose, and {plan.base.reference} is what brings "
            f"{brings}",
            hint=ELSEWHERE,
        )


def refuse_compiled(plan: BuildPlan, title: str) -> None:
    """Refuse a Python that is published as its source alone.

    Raises:
        PlanError: This format takes Python from conda's channels, and nobody knows that one has it.
    """
    if plan.interpreter.how == "compiled":
        raise PlanError(
            f"{title} takes Python from conda's channels, and Python {plan.python} is compiled "
            f"from {plan.interpreter.filename}",
            hint=ELSEWHERE,
        )


def refuse_asked(plan: BuildPlan, title: str) -> None:
    """Refuse what was asked for and cannot be done there.

    Raises:
        PlanError: It would be left out without a word.
    """
    asked = {
        "--offline": plan.offline and "conda's channels are asked",
        "--snapshot": plan.system.snapshot and "its system packages are those of the day",
        "--netrc and --pip-conf": plan.secrets and "no file can be shown to a step alone",
    }
    for option, why in asked.items():
        if why:
            raise PlanError(f"{title} cannot do {option}: {why}", hint=ELSEWHERE)


def is_free_threaded(plan: BuildPlan) -> bool:
    """Whether the captured Python was built without its lock (Py_GIL_DISABLED)."""
    python = json.loads(plan.manifest)["sections"]["python"]
    return python.get("free_threaded") is True
