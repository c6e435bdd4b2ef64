"""Whose a decision is: of the formats that start from the plan's base image, or of the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from envsnap import facts
from envsnap.plan._model import BuildPlan, SystemPackage, Why

OTHERS = ("conda", "repo2docker")
"""The formats that have no base image to choose."""
_WITHOUT_BASE = (*OTHERS, "slurm")
"""The formats that name no base image; a batch script starts the image that was made."""
_OWN = "the format's own rules"


def names_base(formats: Iterable[str]) -> bool:
    """Whether one of these formats starts from the base image; else no registry need have it."""
    return not {*formats} <= {*_WITHOUT_BASE}


def of_others(
    python: str, system: Iterable[SystemPackage], everybodys: Iterable[Why]
) -> Mapping[str, tuple[Why, ...]]:
    """The reasons of each format without a base image; what is `everybodys` is theirs, too."""
    channels = f"Python {python} comes from conda's channels"
    shared = tuple(everybodys)
    binder = (
        Why(channels, "repo2docker has a base image of its own, and runtime.txt cannot name Python "
            "to the patch: environment.yml does", _OWN),
        Why("postBuild installs the packages with the environment's own pip, over what Jupyter "
            "brought", "hashes without dependencies need options that a requirements file cannot "
            "hold", _OWN),
        *(_in_binder(each) for each in system),
    )  # fmt: skip
    conda = Why(channels, "an environment.yml starts from no image, and installs no system package",
                _OWN)  # fmt: skip
    return {"conda": (conda, *shared), "repo2docker": (*binder, *shared)}


def _in_binder(package: SystemPackage) -> Why:
    names = ", ".join(package.in_binder or (package.name,))
    table = f"table system_packages of {facts.date_of('system_packages')}"
    return Why(f"apt.txt names {names}, as Ubuntu noble has it", package.because, table)


def explained(plan: BuildPlan, formats: Collection[str]) -> tuple[Why, ...]:
    """The reasons of these formats, each once; of all where none is named."""
    asked = formats or ("dockerfile", *OTHERS)
    found = plan.reasons if any(each not in OTHERS for each in asked) else ()
    others = (why for name in OTHERS if name in asked for why in plan.others[name])
    return tuple(dict.fromkeys((*found, *others)))
