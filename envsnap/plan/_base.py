"""Which image to start from, and why."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import library_families, python_images
from envsnap.manifest import Manifest
from envsnap.plan import _floor, _interpreter, _safe
from envsnap.plan._alpine import alpine_candidates
from envsnap.plan._candidate import Candidate, Setting, resolved, settle
from envsnap.plan._compiled import unsuited
from envsnap.plan._cuda import ROCM, Need, cuda_need
from envsnap.plan._floor import DEBIAN, UBUNTU, has_enough
from envsnap.plan._model import (
    IN_THE_IMAGE,
    BaseImage,
    Interpreter,
    PlanOptions,
    Resolve,
    Why,
)
from envsnap.plan._named import named_candidate, refuse_gone, unsure
from envsnap.plan._ngc import Ngc, brought, ngc_candidate, ngc_of
from envsnap.plan._nvidia import cuda_candidates
from envsnap.sections import (
    Artifact,
    Gpu,
    Package,
    Python,
    SystemLibraries,
    Unknown,
)

_PATCHED = ("trixie", "bookworm", "bullseye")
"""The releases of Debian that a Python is put on which it has not, the newest first."""


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
    asked = wanted.options.base_image
    aside: list[Why] = []
    if asked is not None:
        where = "--base-image"
        candidates = [
            named_candidate(_setting(wanted, wheels), asked, wheels, is_ngc=ngc is not None)
        ]
        aside = beside_asked(wanted, candidates[0], files)
    elif ngc is not None:
        where = "the plan"
        candidates = [ngc_candidate(ngc, wanted.python, own)]
    else:
        where = "the plan"
        candidates, aside = _decided(wanted, wheels, files)
    base, chosen, passed = settle(candidates, where, resolve, sure=asked is not None)
    if asked is not None:
        refuse_gone(base, _setting(wanted, wheels))
    fetcher = _interpreter.fetcher(chosen.interpreter)
    return Start(
        base=base, interpreter=chosen.interpreter, brings=chosen.brings,
        builder=None if fetcher is None else resolved(fetcher, "the plan", resolve),
        brought=own, reasons=(*chosen.reasons, *passed, digest_reason(base), *aside),
        notes=() if asked is None else unsure(
            base, chosen.interpreter, _floor.glibc_floor(wanted.manifest, wheels)
        ),
    )  # fmt: skip


def _decided(
    wanted: Wanted, wheels: Sequence[Artifact], files: Sequence[Artifact]
) -> tuple[list[Candidate], list[Why]]:
    """The images that serve, where nobody named one; and why CUDA is not in them."""
    setting = _setting(wanted, wheels)
    if _floor.libc_of(wanted.manifest, wheels) == "musl":
        return alpine_candidates(setting, wheels), []
    sources = [each for each in files if not _safe.is_wheel(each)]
    need, aside = cuda_need(wanted.manifest, wanted.active, sources)
    if need is not None:
        _refuse_tegra(wanted.manifest, need)
        return cuda_candidates(need, setting), aside
    rocm = _rocm_needed(wanted.manifest)
    if rocm:
        return _rocm_candidates(wanted, setting, rocm), aside
    return _slim_candidates(setting), aside


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


def _slim_candidates(setting: Setting) -> list[Candidate]:
    """Images of this very Python, the newest suite first; else Debian, which is given it."""
    python, floor = setting.python, setting.floor
    asked = (
        None
        if python.free_threaded is True
        else python_images.python_slim_suites(python.version, setting.machine)
    )
    table = f"table python_images of {facts.date_of('python_images')}"
    suites: Sequence[str] = ()
    because = ""
    if isinstance(asked, facts.Looked):
        suites = asked.value
        because = f"it is the newest suite that images of Python {python.version} were built on"
    elif isinstance(asked, facts.NewerThanFacts):
        suites, because = (
            _PATCHED[:1],
            f"{_interpreter.said(asked)}; this is the suite that images are built on",
        )
    found = [
        Candidate(
            reference=f"python:{python.version}-slim-{suite}", interpreter=IN_THE_IMAGE,
            reasons=(Why(f"base=python:{python.version}-slim-{suite}",
                         f"the manifest names CPython {python.version}, and "
                         + (because if suite == suites[0] else "the newer suite does not serve"),
                         table), *_floor_reason(setting)),
        )
        for suite in suites
        if has_enough("debian", DEBIAN[suite], floor)
    ]  # fmt: skip
    return [*found, *_debian_candidates(setting, asked, must=not found)]


def _debian_candidates(
    setting: Setting, asked: facts.Answer[tuple[str, ...]] | None, *, must: bool
) -> list[Candidate]:
    """Plain Debian, and this Python unpacked or compiled for it.

    Raises:
        PlanError: It must be, and there is no such Python or no such Debian.
    """
    python, floor = setting.python, setting.floor
    found = _interpreter.bring(python, setting.machine, setting.options)
    suites = [each for each in _PATCHED if has_enough("debian", DEBIAN[each], floor)]
    if isinstance(found, str):
        if not must:
            return []
        if isinstance(asked, (facts.Looked, facts.NewerThanFacts)) and floor is not None:
            raise _no_glibc(setting, asked, outside=False)
        raise _interpreter.no_python(python, setting.machine, _both(asked, found))
    if not suites:
        if not must or floor is None:
            return []
        raise _no_glibc(setting, asked, outside=True)
    interpreter, why_python = found
    if interpreter.how == "compiled":
        suites.sort(key=lambda each: unsuited(python.version, each))
    return [
        Candidate(
            reference=f"debian:{suites[0]}-slim", interpreter=interpreter,
            reasons=(Why(f"base=debian:{suites[0]}-slim", _why_debian(setting, asked, interpreter),
                         f"table python_images of {facts.date_of('python_images')}"),
                     *_floor_reason(setting), why_python),
        )
    ]  # fmt: skip


def _why_debian(
    setting: Setting, asked: facts.Answer[tuple[str, ...]] | None, interpreter: Interpreter
) -> str:
    version = setting.python.version
    if asked is None:
        return "images called python have no build without the GIL"
    if isinstance(asked, facts.NotInTable):
        what = "its source" if interpreter.how == "compiled" else "a relocatable build of it"
        return f"{_interpreter.said(asked)}, and {what} is published"
    if setting.floor is not None:
        return f"no image of Python {version} has glibc {setting.floor.version}"
    return f"the images of Python {version} are not there any more"


def _no_glibc(
    setting: Setting, asked: facts.Answer[tuple[str, ...]] | None, *, outside: bool
) -> PlanError:
    """The error that says that nothing has the glibc, and what is nearest.

    `outside`: whether there is a relocatable build or a source, which any Debian can take.
    """
    floor, version = setting.floor, setting.python.version
    needed = f"glibc {floor.version}, which {floor.who} needs" if floor is not None else "it"
    suites = _PATCHED if outside or not isinstance(asked, facts.Looked) else asked.value
    near = f"debian:{suites[0]}-slim" if outside else f"python:{version}-slim-{suites[0]}"
    has = _floor.glibc_of("debian", DEBIAN[suites[0]])
    return PlanError(
        f"No image of Python {version} has {needed}; the nearest is {near} with glibc {has}",
        hint="Name an image that has both with --base-image",
    )


def _both(asked: facts.Answer[tuple[str, ...]] | None, found: str) -> str:
    known = f"{_interpreter.said(asked)}; " if isinstance(asked, facts.NotInTable) else ""
    return f"{known}{found}"


def _floor_reason(setting: Setting) -> tuple[Why, ...]:
    if setting.floor is None:
        return ()
    return (
        Why(f"glibc {setting.floor.version} or newer", f"{setting.floor.who} needs it",
            "table manylinux"),
    )  # fmt: skip


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


def digest_reason(base: BaseImage) -> Why:
    """What is said of the base image's digest."""
    if base.is_file:
        return Why("the base image is a file, and no digest of it is written down",
                   "whoever builds has the file; what it holds is checked when the image is built",
                   "--base-image")  # fmt: skip
    if isinstance(base.digest, Unknown):
        detail = base.digest.detail or str(base.digest.reason)
        return Why(
            "the base image is named by its tag alone",
            f"its digest is not known ({detail}), so a later build can start from other bytes",
            "registry",
        )
    return Why(
        f"the base image is pinned to {base.digest}", "the tag can be pushed again", "registry"
    )
