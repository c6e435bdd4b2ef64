"""plan: a manifest becomes everything that its image must contain. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from envsnap.errors import PlanError
from envsnap.manifest import Manifest, encode, environment_id
from envsnap.plan import _safe
from envsnap.plan._base import base_image, cuda_reasons, digest_reason, resolved
from envsnap.plan._install import installs
from envsnap.plan._model import PREFIX, BaseImage, BuildPlan, LeftOut, PlanOptions, Resolve, Why
from envsnap.plan._variables import image_variables
from envsnap.sections import Cuda, Gpu, Os, Package, Packages, Python, Unknown

_PLATFORMS = {
    "x86_64": "linux/amd64", "aarch64": "linux/arm64",
    "ppc64le": "linux/ppc64le", "s390x": "linux/s390x",
}  # fmt: skip
_SHOWN = 5
_OLDEST = (3, 6)
"""Older ones have neither the module venv nor a pip that checks hashes as ours are written."""


def plan(manifest: Manifest, options: PlanOptions, resolve: Resolve) -> BuildPlan:
    """What the image of this manifest must contain, and why.

    Raises:
        PlanError: No image can be planned; the message says why, the hint what can be done.
    """
    python, packages = _python(manifest), _packages(manifest)
    machine = _machine(manifest, python)
    _refuse_conda(python, packages, manifest)
    active = tuple(each for each in packages if each.active)
    chosen, left_out, why_installs = installs(manifest, active, options)
    wheels = tuple(each for each in chosen if _safe.is_wheel(each))
    reference, why_base = base_image(python.version, machine, wheels, options)
    base = resolved(reference, "--base-image" if options.base_image else "the plan", resolve)
    gpu = _has_gpu(manifest)
    cuda = manifest.section(Cuda)
    variables, why_variables = image_variables(manifest, gpu=gpu)
    text = encode(manifest)
    digest = hashlib.sha256(text.encode()).hexdigest()
    environment = _known_id(manifest)
    captured = _safe.time(manifest.captured.time, "captured.time")
    return BuildPlan(
        base=base, python=python.version, platform=_PLATFORMS[machine], wheels=wheels,
        sources=tuple(each for each in chosen if not _safe.is_wheel(each)), left_out=left_out,
        variables=variables, labels=_labels(base, captured, digest, environment), gpu=gpu,
        environment=environment, captured=captured, manifest=text, manifest_sha256=digest,
        reasons=(
            *why_base, digest_reason(base), *cuda_reasons(active, cuda, gpu=gpu),
            _prefix_reason(), *why_installs, *why_variables,
        ),
    )  # fmt: skip


def _python(manifest: Manifest) -> Python:
    python = manifest.section(Python)
    if isinstance(python, Unknown):
        raise PlanError(f"The manifest does not know its Python ({python})",
                        hint="Capture the environment again: envsnap capture")  # fmt: skip
    if python.implementation != "cpython":
        raise PlanError(
            f"No image is planned for {_safe.shown(python.implementation)}: only CPython is"
        )
    _safe.python_version(python.version, "sections.python.version")
    if tuple(int(part) for part in python.version.split(".")[:2]) < _OLDEST:
        raise PlanError(
            f"No image is planned for Python {python.version}: 3.6 is the oldest that is"
        )
    for fact, what in ((python.free_threaded, "without the GIL"), (python.debug, "for debugging")):
        if fact is True:
            raise PlanError(
                f"This Python was built {what}, and no published image has such a build"
            )
    return python


def _packages(manifest: Manifest) -> Sequence[Package]:
    packages = manifest.section(Packages)
    found = packages if isinstance(packages, Unknown) else packages.installed
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its packages ({found})",
                        hint="Capture the environment again: envsnap capture")  # fmt: skip
    return found


def _machine(manifest: Manifest, python: Python) -> str:
    """The architecture to build for, by the interpreter's word, else the system's."""
    system = manifest.section(Os)
    kind = (
        "linux"
        if isinstance(system, Unknown) or isinstance(system.system, Unknown)
        else (system.system.lower())
    )
    platform = python.platform if isinstance(python.platform, str) else kind
    if kind != "linux" or not platform.startswith("linux"):
        raise PlanError(
            f"This environment is for {_safe.shown(platform)}; its packages are not those of Linux",
            hint="Make the environment on Linux, and capture it there",
        )
    machine = python.architecture
    if isinstance(machine, Unknown) and not isinstance(system, Unknown):
        machine = system.architecture
    if not isinstance(machine, str) or machine not in _PLATFORMS:
        raise PlanError(f"No image is planned for the architecture {_safe.shown(str(machine))}")
    return machine


def _refuse_conda(python: Python, packages: Sequence[Package], manifest: Manifest) -> None:
    section = manifest.section(Packages)
    others = (
        ()
        if isinstance(section, Unknown) or isinstance(section.conda_only, Unknown)
        else section.conda_only
    )
    owned = [each.name for each in packages if each.active and each.conda is not None]
    names = sorted({*owned, *(each.name for each in others)})
    if names or python.environment_kind == "conda":
        few = ", ".join(_safe.shown(name)[1:-1] for name in names[:_SHOWN])
        few += ", ..." if len(names) > _SHOWN else ""
        raise PlanError(
            f"This is a conda environment ({len(names)} conda packages: {few}), "
            "and images are planned from wheels alone",
            hint="Make a venv with the same packages from pip or uv, and capture that",
        )


def _has_gpu(manifest: Manifest) -> bool:
    gpu = manifest.section(Gpu)
    return not isinstance(gpu, Unknown) and gpu.kind == "nvidia"


def _known_id(manifest: Manifest) -> str:
    found = environment_id(manifest)
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its environment ({found})")
    return found


def _labels(
    base: BaseImage, captured: str, digest: str, environment: str
) -> tuple[tuple[str, str], ...]:
    found = {
        "io.envsnap.environment": environment,
        "io.envsnap.manifest": "/opt/envsnap/manifest.json",
        "io.envsnap.manifest.sha256": digest,
        "org.opencontainers.image.base.name": base.repository
        + (f":{base.tag}" if base.tag else ""),
        "org.opencontainers.image.created": captured,
    }
    if not isinstance(base.digest, Unknown):
        found["org.opencontainers.image.base.digest"] = base.digest
    return tuple(sorted(found.items()))


def _prefix_reason() -> Why:
    return Why(
        f"the environment is a venv at {PREFIX} without pip of its own",
        "so that it has the manifest's packages and no other; the base image's pip fills it",
        "sections.packages",
    )


__all__ = ["LeftOut", "plan"]
