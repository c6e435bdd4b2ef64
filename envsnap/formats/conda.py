"""An `environment.yml` for conda, mamba, micromamba and conda-lock.

It makes an environment on a machine, without an image. It holds less than a recipe: the file says
what, and the verifier beside it compares what came of it with the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from envsnap.errors import PlanError
from envsnap.formats._conda import channels, nowhere, specs
from envsnap.formats._files import proof, unpacked
from envsnap.formats._registry import Place, container_format
from envsnap.formats._templates import render
from envsnap.formats._without import ELSEWHERE, is_free_threaded, refuse_what_the_base_brings
from envsnap.plan import BuildPlan
from envsnap.plan._model import WHEELS
from envsnap.sections import Artifact

MAIN = "environment.yml"
_TITLE = "An environment.yml"
_REQUIREMENT = re.compile(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*"
    r"(?: @ https?://[A-Za-z0-9._~:/@!*+,=%-]+#sha256=[0-9a-f]{64}"
    r"|==[A-Za-z0-9.!+_-]+ --hash=sha256:[0-9a-f]{64})\Z"
    r"|\A\./wheels/[A-Za-z0-9_][A-Za-z0-9_.!+%-]* --hash=sha256:[0-9a-f]{64}\Z"
)


def _by_hand(place: Place) -> list[str]:
    """The line that makes the environment."""
    return [f"conda env create -n {place.name} -f {place.folder}/{MAIN}"]


@container_format("conda", title="conda environment", main=MAIN, by_hand=_by_hand)
def conda(plan: BuildPlan) -> Mapping[str, str]:
    """The environment file, the manifest, and what compares an environment with it."""
    refuse_what_the_base_brings(plan, _TITLE)
    odd = unpacked(plan)
    if odd:
        raise PlanError(
            f"{_TITLE} cannot have {odd[0].name} {odd[0].version}: pip takes no such version",
            hint=ELSEWHERE,
        )
    if plan.offline:
        raise PlanError(
            f"{_TITLE} cannot do --offline or --fetch: conda's channels are asked",
            hint=ELSEWHERE,
        )
    text = render(
        "conda.yml.j2",
        {
            "plan": plan, "name": f"envsnap-{plan.environment}", "channels": channels(plan),
            "specs": _specs(plan), "nowhere": nowhere(plan),
            "requirements": sorted(_requirement(each) for each in (*plan.wheels, *plan.sources)),
        },
    )  # fmt: skip
    return {MAIN: text, **proof(plan)}


def _specs(plan: BuildPlan) -> list[str]:
    """The conda packages, Python and pip among them whoever brought the others."""
    found = specs(plan)
    names = {each.partition("=")[0] for each in found}
    python = f"python={plan.python}"
    if is_free_threaded(plan):
        # conda-forge has both builds of a version, and the usual one is what a bare version gets.
        python += f"=*_cp{''.join(plan.python.split('.')[:2])}t"
    always = {"python": python, "pip": "pip"}
    return sorted([*found, *(spec for name, spec in always.items() if name not in names)])


def _requirement(each: Artifact) -> str:
    """One file as a line of pip's, by its hash."""
    if each.url is None:
        said = f"./{WHEELS}/{quote(each.filename, safe='+!')} --hash=sha256:{each.sha256}"
    else:
        said = f"{each.name} @ {each.url}#sha256={each.sha256}"
    if not _REQUIREMENT.match(said):
        raise PlanError(f"Expected a package with its address and hash, not {said[:80]!a}")
    return said
