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
from envsnap.formats._halves import BASE, BUILD
from envsnap.formats._registry import OF_IMAGES, Place, container_format
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


def _by_hand(place: Place) -> list[str]:
    """The line that builds a definition; what it may read lies in a folder that goes afterwards.

    The line's own shell removes it, whatever ends the build, and answers with the build's status.
    dash ends at a signal without its trap for EXIT, so each signal is an exit there.
    """
    if not place.secrets:
        return [f"cd {place.folder} && apptainer build {place.sif} {MAIN}"]
    copies = " && ".join(f'cp {path} "$d"/{name}' for name, path in place.secrets.items())
    built = f'cd {place.folder} && apptainer build --bind "$d":{SECRETS}:ro {place.sif} {MAIN}'
    kept = """d=$(mktemp -d) && trap 'rm -r "$d"' EXIT && trap 'exit 130' HUP INT TERM"""
    return [f"({kept} && {copies} && {built})"]


def _fetched(place: Place) -> list[str]:
    """The line that builds what was fetched."""
    return [f"sh {place.folder}/{BUILD} {place.sif}"]


@container_format(
    "apptainer", title="Apptainer definition", main=MAIN, by_hand=_by_hand, fetched=_fetched,
    heeds=OF_IMAGES, heeds_fetched={"partition", "account", "time"}, starts=f"oci-archive:{BASE}",
)  # fmt: skip
def apptainer(plan: BuildPlan) -> Mapping[str, str]:
    """The definition file and what its %files names."""
    _refuse_without_python(plan)
    _refuse_pulling(plan)
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


def _refuse_pulling(plan: BuildPlan) -> None:
    """Refuse a base image from a registry where no network may be used: Apptainer pulls it itself.

    Docker has images of its own to start from; Apptainer has none but files.
    """
    if plan.offline and not plan.base.is_file:
        raise PlanError(
            f"A definition cannot do --offline from {plan.base.reference}: Apptainer would pull it "
            "from its registry",
            hint="Start from a file of it: --base-image docker-archive:FILE (docker save makes "
            "one); or have all of it fetched: envsnap build --singularity --fetch -o DIR",
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
