"""Which image to start from, and why."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap import facts
from envsnap.errors import PlanError
from envsnap.facts import manylinux, python_images
from envsnap.plan import _safe
from envsnap.plan._model import BaseImage, PlanOptions, Resolve, Why
from envsnap.sections import Artifact, Cuda, Package, Unknown

_NEWEST_SUITES = ("trixie", "bookworm", "bullseye", "buster", "stretch", "jessie")
_RELEASES = dict(zip(_NEWEST_SUITES, ("13", "12", "11", "10", "9", "8"), strict=True))


def base_image(
    python: str, machine: str, wheels: Sequence[Artifact], options: PlanOptions
) -> tuple[str, list[Why]]:
    """The reference of the image to start from.

    Raises:
        PlanError: No image fits.
    """
    if options.base_image is not None:
        _safe.reference(options.base_image, "--base-image")
        return options.base_image, [
            Why(f"base={options.base_image}", "it was asked for", "--base-image")
        ]
    _refuse_musl(wheels, python)
    asked = python_images.python_slim_suites(python, machine)
    if isinstance(asked, facts.NotInTable):
        raise PlanError(
            f"There is no image of Python {python}: {asked}",
            hint="Name an image that has this Python with --base-image",
        )
    newer = isinstance(asked, facts.NewerThanFacts)
    suites = _NEWEST_SUITES[:1] if isinstance(asked, facts.NewerThanFacts) else asked.value
    because = (
        f"{asked}; this is the suite that images are built on"
        if newer
        else (f"it is the newest suite that images of Python {python} were built on")
    )
    suite, floor = suites[0], _glibc_floor(wheels)
    if floor is not None and _too_old(suite, floor[0]):
        raise PlanError(
            f"No image of Python {python} has glibc {floor[0]}, which {floor[1]} needs "
            f"({suite} is the newest)",
            hint="Name an image that has both with --base-image",
        )
    reference = f"python:{python}-slim-{suite}"
    return reference, [
        Why(f"base={reference}", f"the manifest names CPython {python}, and {because}",
            f"table python_images of {facts.date_of('python_images')}")
    ]  # fmt: skip


def resolved(reference: str, where: str, resolve: Resolve) -> BaseImage:
    """The base image with the digest that its registry answers."""
    repository, tag, digest = _safe.reference(reference, where)
    return BaseImage(
        reference=reference, repository=repository, tag=tag,
        digest=digest if digest is not None else resolve(reference),
    )  # fmt: skip


def digest_reason(base: BaseImage) -> Why:
    """What is said of the base image's digest."""
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


def cuda_reasons(packages: Sequence[Package], cuda: Cuda | Unknown, *, gpu: bool) -> list[Why]:
    """Why CUDA is, or is not, part of the base image."""
    bringing = sorted({each.name for each in packages if _brings_cuda(each)})
    if bringing:
        few = ", ".join(bringing[:3]) + (", ..." if len(bringing) > 3 else "")  # noqa: PLR2004 - as many as fit a line
        found = [
            Why("no CUDA in the base image", f"wheels provide CUDA ({few})", "sections.packages")
        ]
    elif gpu:
        found = [
            Why("no CUDA in the base image", "no package of this environment is a CUDA build",
                "sections.packages")
        ]  # fmt: skip
    else:
        found = []
    if not isinstance(cuda, Unknown) and isinstance(cuda.nvcc, str):
        found.append(
            Why("the compiler nvcc is not in the image",
                "it is on PATH where the capture was made, but installed packages do not show a "
                "need of it; where one compiles at run time, name an nvidia/cuda devel image",
                "sections.cuda.nvcc")
        )  # fmt: skip
    return found


def _brings_cuda(package: Package) -> bool:
    local = package.version.partition("+")[2]
    return package.name.lower().startswith("nvidia-c") or local.startswith("cu")


def _glibc_floor(wheels: Sequence[Artifact]) -> tuple[str, str] | None:
    """The newest glibc that any wheel asks for at the least, and that wheel's name."""
    floors = [
        (_numbers(version), version, wheel.filename)
        for wheel in wheels
        if (version := _floor_of(wheel.filename)) is not None
    ]
    return max(floors)[1:] if floors else None


def _floor_of(filename: str) -> str | None:
    """The oldest glibc that one of the wheel's platform tags is content with."""
    if not filename.endswith(".whl"):
        return None
    asked = [
        found.value.version
        for tag in filename[:-4].rpartition("-")[2].split(".")
        if tag.startswith("manylinux")
        and isinstance(found := manylinux.floor(tag), facts.Looked)
        and found.value.libc == "glibc"
    ]
    return min(asked, key=_numbers) if asked else None


def _too_old(suite: str, needed: str) -> bool:
    has = manylinux.distribution("debian", _RELEASES[suite])
    return isinstance(has, facts.Looked) and _numbers(has.value.libc_version) < _numbers(needed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _refuse_musl(wheels: Sequence[Artifact], python: str) -> None:
    musl = next((each for each in wheels if "-musllinux_" in each.filename), None)
    if musl is not None:
        raise PlanError(
            f"{musl.filename} is for musl (Alpine Linux), the images planned here have glibc",
            hint=f"Name an image with musl, for instance: --base-image python:{python}-alpine",
        )
