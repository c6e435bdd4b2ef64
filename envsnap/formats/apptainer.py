"""A definition file for Apptainer and Singularity, and the files it copies.

Nothing of Apptainer after 1.1 and of SingularityCE after 3.11 is used. The folder of the recipe is
copied to /opt, where no folder of the host covers it, and is removed again by the same section.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from envsnap.errors import PlanError
from envsnap.formats import _files
from envsnap.formats._registry import container_format
from envsnap.formats._templates import Quoted, render, word
from envsnap.plan import BaseImage, BuildPlan
from envsnap.plan._layers import travelling_tools
from envsnap.plan._model import HOME, WHEELS

MAIN = "envsnap.def"
SECRETS = "/mnt"
"""Where a step looks for the files of `--bind`: every image has this folder."""
EMBEDDED = "embedded.txt"
_CONTEXT = "/opt/envsnap-context"
_STAGE_ALONE = frozenset({_files.SYSTEM_PYTHON, _files.DEBS_PYTHON})
"""What only the stage is shown that compiles Python."""
_SECTION_LIMIT = 48 * 1024
"""A section of 64 KiB ends the build; ours stay well below."""
_SECTION = re.compile(r"(?m)^%(?=[a-z])")


@container_format("apptainer", title="Apptainer definition", main=MAIN)
def apptainer(plan: BuildPlan) -> Mapping[str, str]:
    """The definition file and what its %files names."""
    _refuse_without_python(plan)
    context = dict(_files.image_files(plan))
    embedded = _files.embedded(plan)
    if embedded:
        context[EMBEDDED] = render("lines.j2", {"rows": embedded})
    text = render("envsnap.def.j2", _values(plan, context))
    for section in _SECTION.split(text):
        if len(section) > _SECTION_LIMIT:
            name = section.split(None, 1)[0]
            raise PlanError(
                f"The section %{name} of the definition would have {len(section)} bytes"
            )
    return {MAIN: text, **context}


def _refuse_without_python(plan: BuildPlan) -> None:
    """Refuse conda packages where the one image of a definition surely cannot unpack them."""
    if plan.conda and plan.base.repository.endswith(("nvidia/cuda", "/debian", "/ubuntu")):
        raise PlanError(
            f"A definition unpacks conda packages in its own base image, and {plan.base.reference} "
            "has no Python",
            hint="Name a base image with Python 3.10 or newer with --base-image; or build with "
            "Docker, which unpacks them in another",
        )


def based_on(plan: BuildPlan, source: str) -> BuildPlan:
    """The plan of a definition that starts from a file: 'oci-archive:base.tar'."""
    return replace(plan, base=replace(plan.base, reference=source))


def bootstrap(base: BaseImage) -> tuple[Quoted, Quoted]:
    """The agent that brings a base image, and what it is told of it."""
    if base.is_file:
        agent, _, file = base.reference.partition(":")
        return word(agent), word(file)
    return word("docker"), word(base.full)


def _values(plan: BuildPlan, context: Mapping[str, str]) -> Mapping[str, object]:
    stage = _stage(plan)
    paths = [*context, *_files.carried(plan)]
    return {
        "plan": plan, "home": HOME, "context": _CONTEXT, "secrets": SECRETS,
        "base": bootstrap(plan.base),
        "stage": bootstrap(stage) if stage is not None else None,
        "staged": _staged(plan, context),
        # Folders whole: a lock of thousands would not fit into one section.
        "copied": sorted({path.partition("/")[0] for path in paths} - _STAGE_ALONE),
        "compared_by": _files.compared_by(plan),
        "embedded": EMBEDDED if EMBEDDED in context else "",
        "read_by": [
            (each.id, _files.READ_BY[each.id])
            for each in plan.secrets
            if each.id in _files.READ_BY
        ],
        "variables": _variables(plan),
        "project": plan.project is not None,
    }  # fmt: skip


def _stage(plan: BuildPlan) -> BaseImage | None:
    """What the stage starts from that brings the interpreter; None where none is needed."""
    if plan.interpreter.how == "compiled":
        return plan.base  # Python is for the libraries that it was compiled with
    has_to_fetch = plan.interpreter.url is not None  # conda's has no address
    return plan.builder if has_to_fetch else None


def _staged(plan: BuildPlan, context: Mapping[str, str]) -> list[str]:
    """What that stage is shown, beside the script."""
    texts = [each for each in (_files.CA, _files.PYTHON, _files.SYSTEM_PYTHON) if each in context]
    of_python = [f"{WHEELS}/{each.filename}" for each in travelling_tools(plan) if not each.tool]
    debs = [each for each in _files.carried(plan) if each == _files.DEBS_PYTHON]
    return sorted([*texts, *of_python, *debs])


def _variables(plan: BuildPlan) -> list[tuple[str, str]]:
    """Those of the image, and two without which the caller's own home and language get in."""
    always = {"LC_ALL": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
    return sorted({**always, **dict(plan.variables)}.items())
