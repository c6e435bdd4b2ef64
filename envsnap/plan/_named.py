"""The image that the user named with --base-image: what is known of it, and what is not."""

from __future__ import annotations

from collections.abc import Sequence

from envsnap import facts
from envsnap._typing import Literal, NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import nvidia_cuda_images, python_images
from envsnap.plan import _floor, _interpreter, _safe
from envsnap.plan._candidate import Candidate, Setting, is_gone, parsed
from envsnap.plan._cuda import FAMILIES, ROCM
from envsnap.plan._floor import DEBIAN, UBUNTU, Floor, numbers
from envsnap.plan._model import IN_THE_IMAGE, BaseImage, Interpreter, Why
from envsnap.plan._suite import ground_of, release_of
from envsnap.sections import Artifact, Reason, Unknown

_BARE = (
    "docker.io/nvidia/cuda", "nvcr.io/nvidia/cuda", "docker.io/library/debian",
    "docker.io/library/ubuntu", "docker.io/rocm/",
)  # fmt: skip
"""Images that are known to have no Python, or one of their distribution."""
_ALPINE = "docker.io/library/alpine"
_PYTHON = "docker.io/library/python"
_CUDA = frozenset({"docker.io/nvidia/cuda", "nvcr.io/nvidia/cuda"})
_OPTION = "--base-image"


class Known(NamedTuple):
    """What an image's own name tells of it."""

    base: BaseImage
    libc: Literal["glibc", "musl"] | None
    """'glibc' or 'musl'; None where the name does not tell."""
    glibc: str | None
    """The version; None where it is not known, or where it has none."""


def named_candidate(
    setting: Setting,
    reference: str,
    wheels: Sequence[Artifact],
    *,
    is_ngc: bool = False,
    conda: Interpreter | None = None,
) -> Candidate:
    """The image that the user named, where it can serve. Only what its name tells is known of it.

    `conda`: the Python that conda's packages bring, so that the image needs none.

    Raises:
        PlanError: Its C library is surely none for these files, or it has no such Python.
    """
    known = _known(parsed(reference, _OPTION))
    _refuse_libc(known, wheels, setting, conda=conda is not None)
    why = Why(f"base={reference}", "it was asked for", _OPTION)
    repository = known.base.repository
    if conda is not None:
        likely = _floor.of_conda(setting.floor, setting.captured_glibc)
        return Candidate(reference, conda, (why, *_no_glibc(known, likely)), _brings(known.base))
    if is_ngc or repository.startswith("nvcr.io/nvidia/pytorch"):
        inside = Interpreter(how="image", executable="python3", system_site_packages=True)
        return Candidate(reference, inside, (why,), frozenset({"everything"}))
    if repository == _ALPINE:
        raise PlanError(
            f"{reference} has no Python, and no relocatable build of it for musl is known",
            hint=_nearest(setting, musl=True),
        )
    if not repository.startswith(_BARE):
        return Candidate(reference, IN_THE_IMAGE, (why, *_not_known(known, setting)))
    found = _interpreter.bring(setting.python, setting.machine, setting.options)
    if isinstance(found, str):
        raise _interpreter.no_python(
            setting.python, setting.machine,
            f"{reference} has no Python of its own, and {found}",
            known=_interpreter.outside(setting.python, setting.machine),
        )  # fmt: skip
    return Candidate(reference, found.interpreter, (why, found.why), _brings(known.base))


def _brings(base: BaseImage) -> frozenset[str]:
    """The families of libraries that an image has by its name."""
    if base.repository.endswith("nvidia/cuda") and "-base-" not in base.reference:
        return FAMILIES
    return ROCM if "/rocm/" in base.repository else frozenset()


def refuse_gone(base: BaseImage, setting: Setting) -> None:
    """Refuse a tag that its registry does not have, of an image that everybody has from there.

    Of others a copy may lie on the builder's own machine, which no registry knows. Where no
    registry answers and an image is to be built now, a table that is sure counts, too.

    Raises:
        PlanError: It is gone, or was never there.
    """
    dead = _dead(base)
    if is_gone(base.digest) and base.repository.startswith((*_BARE, _ALPINE, _PYTHON)):
        musl = ground_of(base).kind == "musl"
        raise PlanError(
            f"There is no image {base.reference}: {_said(base)}",
            hint=_instead(base, dead) if dead else _nearest(setting, musl=musl),
        )
    if dead is not None and dead.is_sure and setting.options.machine is not None:
        raise PlanError(
            f"There is no image {base.reference}: {_not_offered()}", hint=_instead(base, dead)
        )


def _dead(base: BaseImage) -> nvidia_cuda_images.Dead | None:
    """What the table knows of a tag of nvidia/cuda that no list has; None where one may be there.

    A registry's digest is worth more than the table; a tag that nothing starts from is nobody's.
    """
    if base.repository not in _CUDA or base.tag is None or not isinstance(base.digest, Unknown):
        return None
    is_needless = base.digest.reason is Reason.NOT_ASKED
    return None if is_needless else nvidia_cuda_images.dead(base.tag)


def _not_offered() -> str:
    date = facts.date_of("nvidia_cuda_images")
    return f"no list of NVIDIA's offers that tag (table nvidia_cuda_images of {date})"


def _instead(base: BaseImage, dead: nvidia_cuda_images.Dead) -> str:
    own = "a copy of your own, under a name of its own, with --base-image"
    if dead.instead is None:
        return f"Name a tag that is offered, or {own}"
    return f"Name one that is: --base-image {_name(base)}:{dead.instead}; or {own}"


def _name(base: BaseImage) -> str:
    return base.reference.partition("@")[0].rpartition(":")[0] or base.reference


def _said(base: BaseImage) -> str:
    detail = base.digest.detail if isinstance(base.digest, Unknown) else None
    return _safe.plain(detail or "its registry has no such tag")


def unsure(base: BaseImage, interpreter: Interpreter, floor: Floor | None) -> tuple[str, ...]:
    """What is not known of the image that a plan starts from, as sentences for people."""
    dead = _dead(base)
    if dead is not None:
        there = f"; {dead.instead} is there" if dead.instead else ""
        return (f"The build will stop at {base.reference}: {_not_offered()}{there}",)
    known = _known(base)
    lacks = [] if interpreter != IN_THE_IMAGE or known.base.repository == _PYTHON else ["Python"]
    lacks += [] if known.libc is not None or floor is None else ["glibc"]
    if not lacks:
        return ()
    what = " and ".join(f"which {each}" for each in lacks)
    return (f"It is not known {what} {base.reference} has: the build stops where it will not do",)


def _known(base: BaseImage) -> Known:
    if ground_of(base).kind == "musl":
        return Known(base, "musl", None)
    release = release_of(base)
    if release is None:
        return Known(base, None, None)
    family = "debian" if release in DEBIAN else "ubuntu"
    return Known(base, "glibc", _floor.glibc_of(family, {**DEBIAN, **UBUNTU}[release]))


def _not_known(known: Known, setting: Setting) -> list[Why]:
    """What a plan takes for granted of an image that no table knows."""
    found, reference = [], known.base.reference
    if known.base.repository != _PYTHON:
        found.append(
            Why(f"{reference} is taken to have Python {setting.python.version} at "
                f"{IN_THE_IMAGE.executable}",
                "nothing tells which Python it has; the build stops where it is another",
                _OPTION)
        )  # fmt: skip
    return [*found, *_no_glibc(known, setting.floor)]


def _no_glibc(known: Known, floor: Floor | None) -> list[Why]:
    """What is taken for granted of the C library of an image whose name does not tell it."""
    reference = known.base.reference
    if floor is None:
        return []
    if known.libc is None:
        return [
            Why(f"{reference} is taken to have glibc {floor.version} or newer",
                f"{floor.who} needs it, and nothing tells which C library the image has", _OPTION)
        ]  # fmt: skip
    if known.glibc is None or floor.is_sure or numbers(known.glibc) >= numbers(floor.version):
        return []
    return [
        Why(f"{reference} has glibc {known.glibc}, which is taken to do",
            f"{floor.who} may need {floor.version}, and nothing tells whether it does", _OPTION)
    ]  # fmt: skip


def _refuse_libc(
    known: Known, wheels: Sequence[Artifact], setting: Setting, *, conda: bool
) -> None:
    """Refuse an image whose C library is surely none for these wheels, or for conda's packages.

    Raises:
        PlanError: It is musl and they are for glibc, or the other way, or its glibc is too old.
    """
    if known.libc is None:
        return
    other: Literal["glibc", "musl"] = "glibc" if known.libc == "musl" else "musl"
    wheel = _floor.only_for(wheels, other)
    reference = known.base.reference
    if wheel is not None or (conda and other == "glibc"):
        what = f"{wheel.filename} is" if wheel is not None else "conda's packages are"
        raise PlanError(
            f"The C library of {reference} is {known.libc}, and {what} for {other}",
            hint=_nearest(setting, musl=other == "musl"),
        )
    floor = setting.floor
    if known.glibc is None or floor is None or not floor.is_sure:
        return
    if numbers(known.glibc) < numbers(floor.version):
        raise PlanError(
            f"{reference} has glibc {known.glibc}, and {floor.who} needs {floor.version}",
            hint=_nearest(setting, musl=False),
        )


def _nearest(setting: Setting, *, musl: bool) -> str:
    """A hint that names an image which would do; without one where none is known."""
    version, machine = setting.python.version, setting.machine
    ask = python_images.python_alpine_releases if musl else python_images.python_slim_suites
    found = ask(version, machine)
    if isinstance(found, facts.Looked):
        fit = [
            each for each in found.value
            if musl or _floor.has_enough("debian", DEBIAN[each], setting.floor)
        ]  # fmt: skip
        kind = "alpine" if musl else "slim-"
        if fit:
            return f"Name another, as --base-image python:{version}-{kind}{fit[0]}; or leave it out"
    return "Leave --base-image out, so that one is chosen"
