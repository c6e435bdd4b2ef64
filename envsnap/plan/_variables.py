"""Which environment variables the image sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envsnap._typing import NamedTuple
from envsnap.constraints import ConstraintError, emit, requires_of
from envsnap.facts import determinism
from envsnap.facts.cuda_names import cuda_of
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan._model import Why
from envsnap.sections import Environ, Packages, Unknown

_OURS = {"LC_ALL": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
_GPU = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility", "NVIDIA_VISIBLE_DEVICES": "all"}


class Variables(NamedTuple):
    """The variables of an image, and what is said of them."""

    values: tuple[tuple[str, str], ...]
    """Sorted by name."""
    reasons: tuple[Why, ...]
    notes: tuple[str, ...]
    """Those that change results and cannot be written, in sentences."""


def image_variables(manifest: Manifest, *, gpu: bool) -> Variables:
    """The variables of the image, why each group of them is set, and which cannot be.

    What was set at capture and changes numbers is set again; what names paths, devices or a
    locale of that machine is not.
    """
    captured = _captured(manifest)
    lost = {name: why for name, value in captured.items() if (why := determinism.unwritable(value))}
    carried = {name: value for name, value in captured.items() if name not in lost}
    required = _required(manifest) if gpu else ""
    asked = {"NVIDIA_REQUIRE_CUDA": required} if required else {}
    values = {**carried, **(_GPU if gpu else {}), **asked, **_OURS}
    of_gpu = [_WHY_GPU] * gpu + ([_why_required(required)] if required else [])
    reasons = (_WHY_OURS, *of_gpu, *_why_captured(carried, lost))
    return Variables(tuple(sorted(values.items())), reasons, _notes(lost))


_WHY_OURS = Why(
    "PYTHONNOUSERSITE=1, LC_ALL=C.UTF-8",
    "packages of a user's home must not shadow the image's, and slim images have no other locale",
    "the plan",
)
_WHY_GPU = Why(
    "NVIDIA_VISIBLE_DEVICES=all, NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    "the environment was captured beside an NVIDIA GPU",
    "sections.gpu",
)


def _why_required(required: str) -> Why:
    return Why(
        f"NVIDIA_REQUIRE_CUDA={required}",
        "NVIDIA's toolkit then refuses a driver on which its packages, or what the author "
        "requires, cannot run",
        "sections.packages, requires",
    )


def _why_captured(carried: Iterable[str], lost: Mapping[str, str]) -> list[Why]:
    """What is said of the captured variables that are set, and of each that cannot be."""
    names, source = ", ".join(sorted(carried)), "sections.environ"
    found = [Why(names, "they were set at capture and change results", source)] if names else []
    return found + [
        Why(f"{name} is not set, though it changes results", f"its value {why}", source)
        for name, why in sorted(lost.items())
    ]


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


def _captured(manifest: Manifest) -> dict[str, str]:
    """What was set at capture and changes results; any other never reaches a recipe."""
    environ = manifest.section(Environ)
    if isinstance(environ, Unknown) or isinstance(environ.variables, Unknown):
        return {}
    return {
        name: value
        for name, value in environ.variables.items()
        if determinism.changes_results(name)
    }


def _notes(lost: Mapping[str, str]) -> tuple[str, ...]:
    """What whoever starts the image must do himself."""
    return tuple(
        f"{name} changes results and is not set in the image: its value {why}; give it where the "
        f"image is started, as docker run --env {name} or apptainer exec --env {name}=VALUE"
        for name, why in sorted(lost.items())
    )
