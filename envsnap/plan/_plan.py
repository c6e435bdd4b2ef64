"""plan: a manifest becomes everything that its image must contain. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts.machines import PLATFORMS, machine_named
from envsnap.manifest import Manifest, encode, environment_id
from envsnap.plan import _safe
from envsnap.plan._base import Start, Wanted, own_of_the_base, start
from envsnap.plan._compiled import asks_of, with_compiler
from envsnap.plan._conda import CondaPart, conda_part
from envsnap.plan._conda_base import conda_start
from envsnap.plan._estimate import cost_of
from envsnap.plan._explained import of_others
from envsnap.plan._fits import refuse_unfit
from envsnap.plan._install import installs, unused_copies
from envsnap.plan._labels import image_labels
from envsnap.plan._layers import installer, layer_reason, layers
from envsnap.plan._model import PREFIX, BuildPlan, LeftOut, PlanOptions, Resolve, Why
from envsnap.plan._suite import day_of
from envsnap.plan._system import system_notes, system_packages_of
from envsnap.plan._variables import image_variables
from envsnap.sections import Artifact, Gpu, Os, Package, Packages, Python, Unknown

_ON_ANOTHER = "Make the environment with {}, and capture that"
_OLDEST = (3, 6)
"""Older ones have neither the module venv nor a pip that checks hashes as ours are written."""


def plan(manifest: Manifest, options: PlanOptions, resolve: Resolve) -> BuildPlan:
    """What the image of this manifest must contain, and why.

    Raises:
        PlanError: No image can be planned; the message says why, the hint what can be done.
    """
    python, packages = _python(manifest, options), _packages(manifest)
    machine = _machine(manifest, python)
    _refuse_other_machine(machine, options.machine)
    active = tuple(each for each in packages if each.active)
    wanted = Wanted(manifest, python, machine, active, options)
    conda = conda_part(wanted)
    _, own = own_of_the_base(wanted)
    chosen, left_out, why_installs = installs(
        manifest, tuple(each for each in active if each not in own and each.conda is None), options
    )
    begun = (start if conda.unpacker is None else conda_start)(wanted, chosen, resolve)
    refuse_unfit(chosen, python, machine)
    return _together(wanted, begun, _Contents(chosen, left_out, tuple(why_installs), conda))


def refuse_unknown(manifest: Manifest, options: PlanOptions) -> None:
    """Refuse what can be told without a lock, before anybody is asked over the network.

    Raises:
        PlanError: No image can be planned from this manifest, or the snapshot is no day.
    """
    python = _python(manifest, options)
    _packages(manifest)
    _refuse_other_machine(_machine(manifest, python), options.machine)
    if options.snapshot is not None:
        day_of(options.snapshot)


class _Contents(NamedTuple):
    """What is installed, and what is not."""

    chosen: tuple[Artifact, ...]
    left_out: tuple[LeftOut, ...]
    reasons: tuple[Why, ...]
    conda: CondaPart


def _together(wanted: Wanted, begun: Start, contents: _Contents) -> BuildPlan:
    manifest, options, base = wanted.manifest, wanted.options, begun.base
    wheels = tuple(each for each in contents.chosen if _safe.is_wheel(each))
    gpu = _has_gpu(manifest)
    conda = contents.conda
    variables = image_variables(manifest, gpu=gpu)
    text = encode(manifest)
    digest = hashlib.sha256(text.encode()).hexdigest()
    environment = _known_id(manifest)
    captured = _safe.time(manifest.captured.time, "captured.time")
    asks = asks_of(begun.interpreter, wanted.python.version, base)
    system, why_system = system_packages_of(manifest, base, contents.chosen, options, more=asks)
    system, why_compiler = with_compiler(system, begun.interpreter, wanted.python.version, base)
    layered = layers(wheels, options.sizes)
    tool, why_tool = installer(wanted.python.version, begun.interpreter)
    everybodys = (*variables.reasons, *_asked_reasons(options))
    return BuildPlan(
        base=base, python=wanted.python.version, platform=PLATFORMS[wanted.machine],
        wheels=wheels,
        sources=tuple(each for each in contents.chosen if not _safe.is_wheel(each)),
        left_out=tuple(sorted((*contents.left_out, *_brought(begun), *conda.left_out))),
        variables=tuple(sorted((*variables.values, *conda.variables))),
        labels=image_labels(wanted, base, digest, environment), gpu=gpu,
        environment=environment, captured=captured, manifest=text, manifest_sha256=digest,
        reasons=(
            *begun.reasons, *(conda.reasons or (_prefix_reason(begun),)), *why_compiler,
            *why_system, *contents.reasons, layer_reason(layered), why_tool, *everybodys,
        ),
        others=of_others(wanted.python.version, system.image, (*contents.reasons, *everybodys)),
        notes=(
            *begun.notes, *system_notes(manifest, base, contents.chosen, options),
            *variables.notes, *unused_copies(_packages(manifest)),
        ),
        interpreter=begun.interpreter, builder=begun.builder, system=system,
        layers=layered, installer=tool, conda=conda.packages, unpacker=conda.unpacker,
        project=options.project, secrets=options.secrets,
        ca_certificates=options.ca_certificates, offline=options.offline, embed=options.embed,
        job=options.job, estimate=cost_of(contents.chosen, conda.packages, options).estimate,
    )  # fmt: skip


def _brought(begun: Start) -> tuple[LeftOut, ...]:
    """The packages that are the base image's own: nothing installs them, nothing checks them."""
    return tuple(
        LeftOut(
            each.name,
            each.version,
            f"the base image {begun.base.reference} brings it",
            in_base=True,
        )
        for each in begun.brought
    )


def _asked_reasons(options: PlanOptions) -> tuple[Why, ...]:
    """What the user asked for, and what it does."""
    found = []
    if options.offline:
        found.append(Why("no step of the build uses the network",
                         "all that is installed lies beside the recipe", "--offline"))  # fmt: skip
    if options.project is not None:
        found.append(Why(f"the project's own code is in the image, at commit "
                         f"{_safe.plain(options.project.commit)[:12]}",
                         "what the commit holds and nothing else", "sections.project"))  # fmt: skip
    return tuple(found)


def _refuse_other_machine(machine: str, here: str | None) -> None:
    """Refuse to build for another architecture than the machine that would build.

    Raises:
        PlanError: It is another one: it would be emulated, silently and many times slower.
    """
    own = machine_named(here) if here else None
    if own is None or own == machine:
        return
    raise PlanError(
        f"This environment is for {machine} and this machine is {own}: the image would be built "
        "by emulation, many times slower",
        hint=f"Build on a machine that is {machine}; or write the recipe alone, without --image, "
        f"and build it as you choose: docker buildx build --platform {PLATFORMS[machine]} DIR",
    )


def _python(manifest: Manifest, options: PlanOptions) -> Python:
    python = manifest.section(Python)
    if isinstance(python, Unknown):
        raise PlanError(f"The manifest does not know its Python ({python})",
                        hint="Capture the environment again: envsnap capture")  # fmt: skip
    if python.implementation != "cpython":
        raise PlanError(
            f"No image is planned for {_safe.shown(python.implementation)}: only CPython is",
            hint=_ON_ANOTHER.format("CPython"),
        )
    version = _safe.python_version(python.version, "sections.python.version")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise PlanError(
            f"No image is planned for Python {version}: 3.6 is the oldest that is",
            hint=_ON_ANOTHER.format("Python 3.6 or newer"),
        )
    if python.debug is True and options.base_image is None:
        raise PlanError(
            "This Python was built for debugging, and no published image has such a build",
            hint=f"The nearest is python:{version}-slim without it: make the environment on that "
            "one, or name an image that has a debug build with --base-image",
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
    if not isinstance(machine, str) or machine not in PLATFORMS:
        raise PlanError(
            f"No image is planned for the architecture {_safe.shown(str(machine))}, "
            f"only for {', '.join(PLATFORMS)}",
            hint="Make the environment on a machine of one of these, and capture that",
        )
    return machine


def _has_gpu(manifest: Manifest) -> bool:
    gpu = manifest.section(Gpu)
    return not isinstance(gpu, Unknown) and gpu.kind == "nvidia"


def _known_id(manifest: Manifest) -> str:
    found = environment_id(manifest)
    if isinstance(found, Unknown):
        raise PlanError(f"The manifest does not know its environment ({found})")
    return found


def _prefix_reason(begun: Start) -> Why:
    if begun.interpreter.system_site_packages:
        return Why(
            f"the environment is a venv at {PREFIX} that sees the base image's own packages",
            "what the base image brings is on no index; what is installed here goes before it",
            "sections.packages",
        )
    return Why(
        f"the environment is a venv at {PREFIX} without pip of its own",
        "so that it has the manifest's packages and no other",
        "sections.packages",
    )


__all__ = ["LeftOut", "plan"]
