"""Which image of nvidia/cuda to start from, and why each thing differs that does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envsnap import facts
from envsnap._typing import NamedTuple
from envsnap.errors import PlanError
from envsnap.facts import nvidia_cuda_images
from envsnap.facts.nvidia_cuda_images import Tag
from envsnap.plan import _floor, _interpreter
from envsnap.plan._candidate import Candidate, Setting
from envsnap.plan._compiled import unsuited
from envsnap.plan._cuda import FAMILIES, Need
from envsnap.plan._floor import UBUNTU, numbers
from envsnap.plan._model import Why

_MACHINES = ("x86_64", "aarch64")
_NAME = "Name another image, or a copy of your own, with --base-image"
_MOST = 2
"""As many tags of one release as a registry is asked for: a purge takes all of a release."""
_TABLE = "nvidia_cuda_images"
_RANK = {"listed": 0, "seen": 1, "unsupported": 2}
_DECADES_OF_DISTROS = 100
_PATCH = 3


class _Fit(NamedTuple):
    """One tag that would serve, and how far it is from what was asked for."""

    distance: tuple[int, ...]
    found: facts.Looked[Tag]


def cuda_candidates(need: Need, where: Setting) -> list[Candidate]:
    """The images of nvidia/cuda that serve, the nearest first; Python is brought from outside.

    Raises:
        PlanError: There is none; the message names the nearest that there is.
    """
    if need.cuda is None:
        raise PlanError(
            f"{need.why.decision}, but nothing in the manifest tells which CUDA",
            hint="Name the image, as with --base-image nvidia/cuda:12.4.1-runtime-ubuntu22.04",
        )
    if where.machine not in _MACHINES:
        raise PlanError(
            f"{need.why.decision}, and no table tells which images nvidia/cuda are for "
            f"{where.machine}",
            hint="Name one that is with --base-image",
        )
    fits = sorted(_fits(need, need.cuda, where), key=lambda fit: fit.distance)
    if not fits:
        raise _none(need, need.cuda, where)
    found = _interpreter.bring(where.python, where.machine, where.options)
    if isinstance(found, str):
        raise _interpreter.no_python(
            where.python, where.machine,
            f"images nvidia/cuda have no Python of their own, and {found}",
            known=_interpreter.outside(where.python, where.machine),
        )  # fmt: skip
    interpreter, why_python = found
    if interpreter.how == "compiled":
        fits.sort(key=lambda fit: unsuited(where.python.version, _suite(fit.found.value)))
    return [
        Candidate(
            reference=f"nvidia/cuda:{fit.found.value.name}", interpreter=interpreter,
            brings=FAMILIES if need.cudnn else FAMILIES - {"cudnn"},
            reasons=(need.why, *_reasons(need, need.cuda, fit.found, where), why_python),
        )
        for fit in _few_of_each(fits)
    ]  # fmt: skip


def _fits(need: Need, cuda: str, where: Setting) -> Iterator[_Fit]:
    minor = ".".join(cuda.split(".")[:2])
    for found in nvidia_cuda_images.tags(minor):
        tag = found.value
        beyond = _beyond(need, tag)
        distro = _distro_rank(tag, where)
        if beyond is not None and distro is not None:
            version, unsure = _version_rank(cuda, tag), tag.state == "seen"
            exact = len(numbers(cuda)) == _PATCH
            near = (*version, unsure, beyond) if exact else (beyond, unsure, *version)
            yield _Fit((*near, *distro), found)


def _few_of_each(fits: Sequence[_Fit]) -> Iterator[_Fit]:
    """The best tags of each release, the nearest release first."""
    asked: dict[str, int] = {}
    for fit in fits:
        cuda = fit.found.value.cuda
        asked[cuda] = asked.get(cuda, 0) + 1
        if asked[cuda] <= _MOST:
            yield fit


def _beyond(need: Need, tag: Tag) -> int | None:
    """How much more a tag has than is needed; None where it has not enough."""
    if need.cudnn is not None and _generation(tag) != need.cudnn:
        return None
    if tag.flavour == "base" or (need.flavour == "devel" and tag.flavour != "devel"):
        return None
    return (tag.flavour != need.flavour) * 2 + (tag.cudnn is not None and need.cudnn is None)


def _version_rank(cuda: str, tag: Tag) -> tuple[int, ...]:
    """The patch asked for first; then the nearest above, then the nearest below."""
    asked, has = numbers(cuda), numbers(tag.cuda)
    if len(asked) < _PATCH:
        # The patch is not known: the newest of those that are offered, of the newest minor.
        return (_RANK.get(tag.state, 3), *(-number for number in has))
    return (has < asked, abs(has[2] - asked[2]))


def _distro_rank(tag: Tag, where: Setting) -> tuple[int, int] | None:
    """The nearest glibc at or above the captured one first; None for one that does not serve."""
    if not tag.distro.startswith("ubuntu") or _suite(tag) is None:
        return None
    version = tag.distro.removeprefix("ubuntu")
    has = _floor.glibc_of("ubuntu", version)
    if has is None or not _floor.has_enough("ubuntu", version, where.floor):
        return None
    wanted = numbers(where.captured_glibc) if where.captured_glibc else numbers("2.35")
    own = numbers(has)
    step = sum(part * _DECADES_OF_DISTROS ** (1 - index) for index, part in enumerate(own[:2]))
    return (own < wanted, step if own >= wanted else -step)


def _reasons(need: Need, cuda: str, found: facts.Looked[Tag], where: Setting) -> Iterator[Why]:
    tag = found.value
    table = f"table {_TABLE} of {facts.date_of(_TABLE)}"
    yield Why(f"base=nvidia/cuda:{tag.name}", f"CUDA {cuda} is asked for, and of the images "
              f"that serve it is the nearest{_weakness(found)}", table)  # fmt: skip
    if len(numbers(cuda)) == _PATCH and tag.cuda != cuda:
        yield Why(f"CUDA {tag.cuda} in the place of {cuda}", _why_patch(cuda, tag), table)
    elif len(numbers(cuda)) < _PATCH:
        yield Why(f"CUDA {tag.cuda}", f"the manifest tells no more than {cuda}; it is the newest "
                  "of those that the table has", table)  # fmt: skip
    if tag.flavour != need.flavour or (tag.cudnn is not None and need.cudnn is None):
        kind = f"{tag.cudnn or ''} {tag.flavour}".strip()
        yield Why(f"{kind} in the place of {need.flavour}", f"no plain {need.flavour} image of "
                  f"CUDA {tag.cuda} is listed", table)  # fmt: skip
    if need.cudnn is not None:
        yield Why(f"cuDNN {need.cudnn}, as '{tag.cudnn}'", "the tag names its generation at the "
                  "most: which cuDNN it is, only the image itself tells", table)  # fmt: skip
    yield Why(f"{tag.distro}", _why_distro(tag, where), "table manylinux")
    if tag.state == "unsupported":
        yield Why("the base image is out of support", "its tag may be deleted any day: keep a "
                  "copy of the image", table)  # fmt: skip
    if where.machine != "x86_64":
        yield Why(f"the image is taken to be there for {where.machine}", "the table does not tell "
                  "of which architectures a tag is", table)  # fmt: skip


def _weakness(found: facts.Looked[Tag]) -> str:
    if found.value.state == "seen":
        return f"; somebody used it, no list has it ({found.confidence} confidence)"
    return "" if found.confidence == "high" else f" ({found.confidence} confidence)"


def _why_patch(cuda: str, tag: Tag) -> str:
    known = nvidia_cuda_images.is_known(cuda)
    if isinstance(known, facts.Looked) and not known.value:
        gone = f"the images of CUDA {cuda} are gone"
    elif isinstance(known, facts.Looked):
        gone = f"no image of CUDA {cuda} that would serve is there"
    else:
        gone = _interpreter.said(known)
    return f"{gone}; {tag.cuda} is the nearest patch of the same release that is there"


def _why_distro(tag: Tag, where: Setting) -> str:
    has = _floor.glibc_of("ubuntu", tag.distro.removeprefix("ubuntu"))
    needed = f"; {where.floor.who} needs glibc {where.floor.version}" if where.floor else ""
    if where.captured_glibc is None:
        return f"it has glibc {has}{needed}"
    side = "at or above" if numbers(has or "") >= numbers(where.captured_glibc) else "below"
    return (
        f"its glibc {has} is the nearest {side} that of the captured machine, "
        f"{where.captured_glibc}{needed}"
    )


def _none(need: Need, cuda: str, where: Setting) -> PlanError:
    """The error that says that no image serves, what is nearest, and how to name one."""
    near = _nearest(need, cuda, where)
    kind = need.flavour if need.cudnn is None else f"{need.flavour} with cuDNN {need.cudnn}"
    known = nvidia_cuda_images.is_known(cuda)
    if isinstance(known, facts.Looked):
        why = "" if known.value else f": {known.note or 'its images are gone'}"
    else:
        why = f": {_interpreter.said(known)}"
    floor = where.floor
    is_floor = floor is not None and any(_fits(need, cuda, where._replace(floor=None)))
    glibc = f" and glibc {floor.version}, which {floor.who} needs" if floor and is_floor else ""
    nearest = f"; the nearest that is known is nvidia/cuda:{near.name}" if near else ""
    return PlanError(
        f"No image nvidia/cuda has CUDA {cuda} ({kind}){glibc}{why}{nearest}",
        hint=f"If it serves you, name it: --base-image nvidia/cuda:{near.name}" if near else _NAME,
    )


def _nearest(need: Need, cuda: str, where: Setting) -> Tag | None:
    """The nearest release with such an image; a cuDNN of another generation counts as farther."""
    asked = numbers(cuda)[:2]

    def distance(tag: Tag) -> tuple[int, ...]:
        has = numbers(tag.cuda)
        rank = _distro_rank(tag, where) or (9, 0)
        major = abs(has[0] - asked[0])
        minor = abs(has[1] - (asked[1] if len(asked) > 1 else 0)) if not major else 0
        # Of another major release the end that lies nearer.
        end = 0 if not major else (has[1] if has[0] > asked[0] else -has[1])
        kind = tag.cudnn is None if need.cudnn is not None else tag.cudnn is not None
        wrong = need.cudnn is not None and _generation(tag) != need.cudnn
        return (rank[0] > 1, major, wrong, minor, end, tag.flavour != need.flavour, kind, *rank,
                _RANK.get(tag.state, 3), -has[2])  # fmt: skip

    tags = [each.value for each in nvidia_cuda_images.tags() if each.value.flavour != "base"]
    served = [each for each in tags if _suite(each) is not None]
    return min(served, key=distance, default=None)


def _generation(tag: Tag) -> int | None:
    """The generation of a tag's cuDNN: the plain 'cudnn' is that of today, 9."""
    if tag.cudnn is None:
        return None
    return int(tag.cudnn.removeprefix("cudnn") or 9)


def _suite(tag: Tag) -> str | None:
    version = tag.distro.removeprefix("ubuntu")
    return next((name for name, number in UBUNTU.items() if number == version), None)
