"""Which environment variables the image sets."""

from __future__ import annotations

import re

from envsnap import facts
from envsnap.constraints import ConstraintError, emit, requires_of
from envsnap.facts import determinism
from envsnap.facts.cuda_names import cuda_of
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan._model import Why
from envsnap.sections import Environ, Packages, Unknown

_VALUE = re.compile(r"\A[ -~]{0,500}\Z")
_CHANGES = ("numerics", "determinism", "order", "algorithm choice")
_LEFT = frozenset({"LANG", "LC_ALL", "TZ"})
"""What an image need not share with the machine: its locale and its clock."""
_OURS = {"LC_ALL": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
_GPU = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility", "NVIDIA_VISIBLE_DEVICES": "all"}


def image_variables(
    manifest: Manifest, *, gpu: bool
) -> tuple[tuple[tuple[str, str], ...], list[Why]]:
    """The variables of the image, sorted, and why each group of them is set.

    What was set at capture and changes numbers is set again; what names paths, devices or a
    locale of that machine is not.
    """
    carried, required = _carried(manifest), _required(manifest) if gpu else ""
    reasons = [
        Why("PYTHONNOUSERSITE=1, LC_ALL=C.UTF-8",
            "packages of a user's home must not shadow the image's, and slim images have no other "
            "locale", "the plan")
    ]  # fmt: skip
    if gpu:
        reasons.append(
            Why("NVIDIA_VISIBLE_DEVICES=all, NVIDIA_DRIVER_CAPABILITIES=compute,utility",
                "the environment was captured beside an NVIDIA GPU", "sections.gpu")
        )  # fmt: skip
    if required:
        reasons.append(
            Why(f"NVIDIA_REQUIRE_CUDA={required}",
                "NVIDIA's toolkit then refuses a driver on which its packages, or what the author "
                "requires, cannot run", "sections.packages, requires")
        )  # fmt: skip
    if carried:
        reasons.append(
            Why(
                ", ".join(sorted(carried)),
                "they were set at capture and change results",
                "sections.environ",
            )
        )
    asked = {"NVIDIA_REQUIRE_CUDA": required} if required else {}
    values = {**carried, **(_GPU if gpu else {}), **asked, **_OURS}
    return tuple(sorted(values.items())), reasons


def _required(manifest: Manifest) -> str:
    """What the driver must be, in NVIDIA's language; empty where nothing asks for one."""
    packages = manifest.section(Packages)
    installed = packages if isinstance(packages, Unknown) else packages.installed
    active = () if isinstance(installed, Unknown) else [each for each in installed if each.active]
    cuda = (cuda_of(canonical_name(each.name), each.version) for each in active)
    must = (each.expression for each in requires_of(manifest).must)
    return emit.nvidia(
        [each for each in must if not isinstance(each, ConstraintError)],
        emit.Needs(cuda=tuple(filter(None, cuda))),
    ).text


def _carried(manifest: Manifest) -> dict[str, str]:
    environ = manifest.section(Environ)
    if isinstance(environ, Unknown) or isinstance(environ.variables, Unknown):
        return {}
    return {
        name: value
        for name, value in environ.variables.items()
        if _changes_results(name) and _VALUE.match(value) and "{" not in value
    }


def _changes_results(name: str) -> bool:
    """Whether the table says so. A name that is not in it never reaches a recipe."""
    if name in _LEFT:
        return False
    found = determinism.variable(name)
    if not isinstance(found, facts.Looked) or found.value.holds != "text":
        return False
    return any(word in found.value.affects for word in _CHANGES)
