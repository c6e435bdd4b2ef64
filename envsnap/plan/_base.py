"""Which image to start from, and why."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import library_families
from envsnap.manifest import Manifest
from envsnap.plan import _floor, _interpreter, _safe
from envsnap.plan._alpine import alpine_candidates
from envsnap.plan._candidate import (
    Candidate,
    Choice,
    Setting,
    resolved,
    settle,
    unheard,
    why_not,
)
from envsnap.plan._cuda import ROCM, Need, cuda_need
from envsnap.plan._floor import UBUNTU, has_enough
from envsnap.plan._model import BaseImage, Interpreter, PlanOptions, Resolve, Why
from envsnap.plan._named import named_candidate, refuse_gone, unsure
from envsnap.plan._ngc import Ngc, brought, ngc_candidate, ngc_of
from envsnap.plan._nvidia import cuda_candidates
from envsnap.plan._slim import slim_choice
from envsnap.sections import Artifact, Gpu, Package, Python, Reason, SystemLibraries, Unknown


class Start(NamedTuple):
    """What the image is made on."""

    base: BaseImage
    interpreter: Interpreter
    builder: BaseImage | None
    """The image of the stage that fetches Python; None where there is none to fetch."""
    brings: frozenset[str]
    """Families of libraries that the base image has itself: 'everything' for NVIDIA's NGC."""
    brought: tuple[Package, ...]
    """Packages that the base image has itself, and no index."""
    reasons: tuple[Why, ...]
    notes: tuple[str, ...] = ()
    """What nobody knows of the base image, in sentences."""


class Wanted(NamedTuple):
    """What decides: the manifest, and what of it is installed."""

    manifest: Manifest
    python: Python
    machine: str
    active: tuple[Package, ...]
    options: PlanOptions


def own_of_the_base(wanted: Wanted) -> tuple[Ngc | None, tuple[Package, ...]]:
    """The NGC image that the environment lives in, and the packages that only it has."""
    ngc = ngc_of(wanted.active)
    return ngc, brought(wanted.manifest, wanted.active) if ngc is not None else ()


def start(wanted: Wanted, files: Sequence[Artifact], resolve: Resolve) -> Start:
    """What to start from: the base image, and how the exact Python comes into it.

    Raises:
        PlanError: No image fits; the message names the nearest.
    """
    ngc, own = own_of_the_base(wanted)
    wheels = [each for each in files if _safe.is_wheel(each)]
    setting = _setting(wanted, wheels)
    asked = wanted.options.base_image
    if asked is not None:
        where = "--base-image"
        named = named_candidate(setting, asked, wheels, is_ngc=ngc is not None)
        choice = Choice([named], beside_asked(wanted, named, files))
    else:
        where = "the plan"
        choice = (
            Choice([ngc_candidate(ngc, wanted.python, own)])
            if ngc is not None
            else _decided(wanted, setting, files)
        )
    base, chosen, passed = settle(choice, where, resolve, sure=asked is not None)
    if asked is not None:
        refuse_gone(base, setting)
    builder = _builder(chosen.interpreter, setting, resolve)
    return Start(
        base=base, interpreter=chosen.interpreter, brings=chosen.brings,
        builder=builder.image, brought=own,
        reasons=(*chosen.reasons, *passed, *digest_reason(base), *builder.reasons, *choice.aside),
        notes=(*builder.notes, *_notes(chosen, base, setting)),
    )  # fmt: skip


def _notes(chosen: Candidate, base: BaseImage, setting: Setting) -> tuple[str, ...]:
    """What nobody knows of the base image."""
    if setting.options.base_image is None:
        return unheard(chosen, base)
    return unsure(base, chosen.interpreter, setting.floor)


class _Builder(NamedTuple):
    """The stage that fetches Python, where the base image has none."""

    image: BaseImage | None = None
    reasons: tuple[Why, ...] = ()
    notes: tuple[str, ...] = ()


def _builder(interpreter: Interpreter, setting: Setting, resolve: Resolve) -> _Builder:
    """The first image for that stage which its registry has not lost; else the usual one.

    No option names another, so that a plan goes on without: whoever builds may have one here.
    """
    gone: dict[BaseImage, Why] = {}
    for name in _interpreter.fetchers(interpreter, setting.machine):
        image = resolved(name, "the plan", resolve)
        why = why_not(Candidate(name, interpreter, ()), image.digest)
        if why is None or setting.options.offline:  # offline: what it would fetch lies there
            return _Builder(image, tuple(gone.values()))
        gone[image] = why
    if not gone:
        return _Builder()
    usual = next(iter(gone))
    stage = f"Python {setting.python.version} is fetched in a stage that starts from"
    need = "whoever builds must have an image of any Python 3 under that name"
    note = f"{stage} {usual.reference}, which is gone: {need}"
    return _Builder(usual, tuple(gone.values()), (note,))


def _decided(wanted: Wanted, setting: Setting, files: Sequence[Artifact]) -> Choice:
    """The images that serve, where nobody named one; and why CUDA is not in them."""
    wheels = [each for each in files if _safe.is_wheel(each)]
    if _floor.libc_of(wanted.manifest, wheels) == "musl":
        return Choice(alpine_candidates(setting, wheels))
    sources = [each for each in files if not _safe.is_wheel(each)]
    need, aside = cuda_need(wanted.manifest, wanted.active, sources)
    if need is not None:
        _refuse_tegra(wanted.manifest, need)
        return Choice(cuda_candidates(need, setting), aside)
    rocm = _rocm_needed(wanted.manifest)
    if rocm:
        return Choice(_rocm_candidates(wanted, setting, rocm), aside)
    return slim_choice(setting)._replace(aside=aside)


def _setting(wanted: Wanted, wheels: Sequence[Artifact]) -> Setting:
    return Setting(
        wanted.python, wanted.machine, wanted.options,
        _floor.glibc_floor(wanted.manifest, wheels), _floor.captured_glibc(wanted.manifest),
    )  # fmt: skip


def _refuse_tegra(manifest: Manifest, need: Need) -> None:
    """Refuse to put CUDA for servers on a Jetson.

    Raises:
        PlanError: The environment is of one.
    """
    gpu = manifest.section(Gpu)
    if not isinstance(gpu, Unknown) and gpu.platform == "tegra":
        raise PlanError(
            f"{need.why.decision}, and images nvidia/cuda are not for Jetson (Tegra)",
            hint="Name NVIDIA's image for your L4T with --base-image, as "
            "--base-image nvcr.io/nvidia/l4t-cuda:12.2.12-devel",
        )


def _rocm_needed(manifest: Manifest) -> tuple[str, ...]:
    """ROCm's libraries that compiled code needs and no package brings."""
    section = manifest.section(SystemLibraries)
    if isinstance(section, Unknown) or isinstance(section.needed, Unknown):
        return ()
    names = [each.name for each in section.needed]
    return tuple(each for each in names if library_families.family(each) in ROCM)


def _rocm_candidates(wanted: Wanted, setting: Setting, names: Sequence[str]) -> list[Candidate]:
    """AMD's images with ROCm, where their registry answers for them: no table lists their tags."""
    gpu = wanted.manifest.section(Gpu)
    rocm = None if isinstance(gpu, Unknown) or isinstance(gpu.rocm, Unknown) else gpu.rocm
    release = rocm.release if rocm is not None and isinstance(rocm.release, str) else None
    found = _interpreter.bring(wanted.python, wanted.machine, wanted.options)
    if release is None or isinstance(found, str):
        raise PlanError(
            f"{names[0]} is ROCm's, no package brings it, and no image with it is known",
            hint="Name one, as with --base-image rocm/dev-ubuntu-22.04:6.2.4-complete",
        )
    why = Why("ROCm is part of the base image", f"{', '.join(names[:3])} is needed, and no package "
              "brings it", "sections.system_libraries.needed")  # fmt: skip
    return [
        Candidate(
            reference=f"rocm/dev-ubuntu-{UBUNTU[suite]}:{_safe.plain(release)}-complete",
            interpreter=found[0], brings=ROCM, listed=False,
            reasons=(why, found[1]),
        )
        for suite in ("jammy", "noble", "focal")
        if has_enough("ubuntu", UBUNTU[suite], setting.floor)
    ]  # fmt: skip


def beside_asked(wanted: Wanted, named: Candidate, files: Sequence[Artifact]) -> list[Why]:
    """What is said of CUDA where the user named the image."""
    if named.brings:
        return []
    sources = [each for each in files if not _safe.is_wheel(each)]
    need, aside = cuda_need(wanted.manifest, wanted.active, sources)
    if need is None:
        return aside
    what = "CUDA's compiler" if need.flavour == "devel" else "CUDA's libraries"
    return [
        Why(f"{named.reference} must have {what} itself", need.why.because, need.why.source),
        *aside,
    ]


def digest_reason(base: BaseImage) -> tuple[Why, ...]:
    """What is said of the base image's digest; nothing where nobody needs it."""
    if base.is_file:
        return (
            Why("the base image is a file, and no digest of it is written down",
                "whoever builds has the file; what it holds is checked when the image is built",
                "--base-image"),
        )  # fmt: skip
    if not isinstance(base.digest, Unknown):
        why = "the tag can be pushed again"
        return (Why(f"the base image is pinned to {base.digest}", why, "registry"),)
    if base.digest.reason is Reason.NOT_ASKED:
        return ()
    detail = base.digest.detail or str(base.digest.reason)
    return (
        Why("the base image is named by its tag alone",
            f"its digest is not known ({detail}), so a later build can start from other bytes",
            "registry"),
    )  # fmt: skip
