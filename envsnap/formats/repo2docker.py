"""A folder `binder/` for repo2docker and BinderHub.

environment.yml names Python to the patch, which runtime.txt cannot; the packages come from
postBuild, because hashes without dependencies need options that a requirements file cannot hold.
The environment's own pip installs them: repo2docker's Jupyter lies there already, and what both
have is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from envsnap.errors import PlanError
from envsnap.formats._conda import channels, nowhere, specs
from envsnap.formats._files import CA, LOCK, PROJECT, UNPACK, UNPACKED, proof, requirements
from envsnap.formats._registry import OF_IMAGES, Place, container_format
from envsnap.formats._templates import render
from envsnap.formats._without import (
    ELSEWHERE,
    is_free_threaded,
    refuse_asked,
    refuse_compiled,
    refuse_what_the_base_brings,
)
from envsnap.plan import BuildPlan
from envsnap.plan._model import WHEELS

_SHOWN = 5
_WHEELS = f"../{WHEELS}"
_TITLE = "repo2docker"
_APT = re.compile(r"\A[a-z0-9][a-z0-9+.-]{1,100}\Z")


def _by_hand(place: Place) -> list[str]:
    """The line that builds the image and starts it."""
    return [f"repo2docker {place.folder}"]


_HEEDS = (OF_IMAGES | {"network"}) - {"base_image", "embed_wheelhouse"}
"""Some of them it can only refuse, with the reason: see `_refuse`."""


@container_format(
    "repo2docker", title="repo2docker folder", main="binder", by_hand=_by_hand, heeds=_HEEDS
)
def repo2docker(plan: BuildPlan) -> Mapping[str, str]:
    """The files of `binder/`. Everything lies there: repo2docker then reads nothing else."""
    _refuse(plan)
    wanted = requirements(plan, _WHEELS)
    found = {
        "environment.yml": render(
            "environment.yml.j2", {"channels": channels(plan), "specs": _specs(plan)}
        ),
        "postBuild": render("postBuild.j2", _values(plan, wanted)),
        **wanted,
        **proof(plan),
    }  # fmt: skip
    if plan.variables:
        found["start"] = render("start.j2", {"plan": plan})
    if plan.ca_certificates:
        found[CA] = plan.ca_certificates
    system = plan.system.image
    names = sorted({name for each in system for name in each.in_binder or (each.name,)})
    if names:
        found["apt.txt"] = render("lines.j2", {"rows": [_checked(name) for name in names]})
    return {f"binder/{name}": text for name, text in found.items()}


def _specs(plan: BuildPlan) -> list[str]:
    """Python and pip first, as exactly as they are known; then conda's other packages."""
    known = {spec.partition("=")[0]: spec for spec in specs(plan)}
    first = [known.pop("python", f"python={plan.python}"), known.pop("pip", "pip")]
    return [*first, *known.values()]


def _values(plan: BuildPlan, wanted: Mapping[str, str]) -> Mapping[str, object]:
    return {
        "plan": plan, "ca": CA, "project": _project(plan), "installed": LOCK in wanted,
        "unpack": UNPACK, "unpacked": UNPACKED if UNPACKED in wanted else "", "wheels": _WHEELS,
    }  # fmt: skip


def _project(plan: BuildPlan) -> str:
    """The archive of the project's code, from `binder/`; nothing where none travels."""
    return f"../{PROJECT}" if plan.project is not None else ""


def _refuse(plan: BuildPlan) -> None:
    """Refuse what repo2docker would do without, or do otherwise.

    Raises:
        PlanError: The image would not be the environment, or not as it was asked for.
    """
    refuse_what_the_base_brings(plan, _TITLE)
    refuse_compiled(plan, _TITLE)
    refuse_asked(plan, _TITLE)
    if is_free_threaded(plan) and not any(each.name == "python" for each in plan.conda):
        raise PlanError(
            f"repo2docker's own Python is the usual one, and this is {plan.python} without its "
            "lock (free-threaded)",
            hint=ELSEWHERE,
        )
    lacking = nowhere(plan)
    if lacking:
        names = ", ".join(lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
        raise PlanError(
            f"repo2docker takes conda packages from channels alone, and none has {names}",
            hint="Build with Docker or Apptainer, whose recipes bring the archives: --docker",
        )


def _checked(name: str) -> str:
    """The name as it is. repo2docker hands each line to a shell, and looks at its start alone."""
    if not _APT.match(name):
        raise PlanError(f"Expected the name of a system package, not {name[:60]!a}")
    return name
