"""LIB: whether the cuDNN that loads is the one that programs were built with."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.facts import Looked, NotInTable, torch_cuda
from envsnap.rules._code import numbers_of
from envsnap.rules._core import NeedError, Open, Pair, Said, Side, fit, health, look_up, need
from envsnap.rules._cuda import machine, published_torch, release_of, torch_of
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._libraries import consumers, loaded
from envsnap.rules._sources import CUDNN_ABI
from envsnap.rules._views import active, asked_for, looked_into
from envsnap.sections import Libraries, Os, Package, Packages, Python, Reason, Unknown

_LEFT_OUT = frozenset({Reason.NOT_ASKED, Reason.NOT_RECORDED})


@health("LIB004", scope=Scope.NATIVE, worst=Outcome.DEGRADES, reads=(Libraries,), source=CUDNN_ABI)
def mixed_parts(side: Side) -> Iterator[Said | Open]:
    """What uses cuDNN stops: its parts refuse to work with each other.

    cuDNN is several libraries of one release. Parts of two releases are found where a folder on
    LD_LIBRARY_PATH has some of them.
    """
    libraries = asked_for(side, Libraries)
    for consumer in consumers(side, libraries).values():
        try:
            parts = [
                each for each in loaded(side, libraries, consumer)
                if each.copy.family == "cudnn"
            ]  # fmt: skip
            versions = {
                release_of(version)
                for each in parts
                if (version := need(each.copy.version, f"{each.path}.version"))
            }
        except NeedError as error:
            yield Open(error.path, error.reason)
            continue
        if len(versions) > 1:
            yield Said(
                f"cuDNN of {consumer.distribution}", Outcome.DEGRADES,
                f"{consumer.distribution} gets parts of cuDNN {' and '.join(sorted(versions))}",
                remedy="leave LD_LIBRARY_PATH empty, or keep one cuDNN",
            )  # fmt: skip


@fit(
    "LIB005", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Libraries, Os, Packages, Python),
    source=CUDNN_ABI,
)  # fmt: skip
def older_than_built_with(pair: Pair) -> Iterator[Said]:
    """A program needs the cuDNN minor that it was built with, or a newer one.

    PyTorch's published wheels say which cuDNN they were built with. Another major lacks what
    they ask for; an older minor may.
    """
    side = pair.found
    has_torch = not _is_left_out(side) and torch_of(side) is not None
    here = _in_use(side) if has_torch else None
    torch = published_torch(side) if here else None
    if torch is None or here is None:
        return
    build = torch_cuda.variant(torch.version, machine=machine(side))
    if not isinstance(build, Looked):
        if pair.is_one or not _is_as_there(pair, torch, here):
            look_up(build, side.path("packages.installed.torch.version"))
        return
    pin = build.value.cudnn
    if pin is None or isinstance(pin, NotInTable):
        return  # a build without cuDNN, or one of which nobody told it
    built, ours = numbers_of(pin)[:2], numbers_of(here.version)[:2]
    if ours[:1] == built[:1] and ours >= built:
        return
    yield Said(
        "cuDNN", Outcome.BLOCKS if ours[:1] != built[:1] else Outcome.DEGRADES,
        f"torch {torch.version} is built with cuDNN {release_of(pin)}; {here.where} is "
        f"{release_of(here.version)}",
        remedy=f"cuDNN {'.'.join(map(str, built))} or a newer one of its major",
        wanted=release_of(pin), found=release_of(here.version), rests_on=build,
    )  # fmt: skip


def _is_as_there(pair: Pair, torch: Package, here: _InUse) -> bool:
    """Whether the wanted side ran the same PyTorch with the same cuDNN."""
    theirs = None if _is_left_out(pair.wanted) else published_torch(pair.wanted)
    if theirs is None or theirs.version != torch.version:
        return False
    there = _in_use(pair.wanted)
    return there is not None and numbers_of(there.version)[:2] == numbers_of(here.version)[:2]


def _is_left_out(side: Side) -> bool:
    """Whether it is a machine without its environment: there is nothing to load."""
    packages = side.manifest.section(Packages)
    return isinstance(packages, Unknown) and packages.reason in _LEFT_OUT


class _InUse(NamedTuple):
    """The cuDNN that PyTorch gets."""

    version: str
    where: str


def _in_use(side: Side) -> _InUse | None:
    """What loads, or else what is installed beside it; None where neither is told."""
    libraries = looked_into(side, Libraries)
    if libraries is not None:
        consumer = consumers(side, libraries).get("torch")
        for each in () if consumer is None else loaded(side, libraries, consumer):
            if each.stem == "libcudnn":
                version = need(each.copy.version, f"{each.path}.version")
                return None if version is None else _InUse(version, "what loads")
        return None
    for name, package in active(side).items():
        if name.startswith("nvidia-cudnn"):
            return _InUse(package.version, f"{package.name} here")
    return None
