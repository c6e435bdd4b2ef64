"""ENG: what the found machine can run containers with."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, Side, drift, fit, need
from envsnap.rules._cuda import computes_on_gpu, is_machine_alone
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import APPTAINER_GPU, NVIDIA_TOOLKIT, SHARED_MEMORY
from envsnap.rules._views import active, gib, visible_gpus
from envsnap.sections import Container, Engine, Engines, Gpu, Packages, Python

_OWN_GPU = ("apptainer", "singularity")
"""Engines that bind the driver in by themselves (--nv)."""
_USUAL_SHM_MIB = 64
"""What Docker gives a container that asks for no more."""
_GIB = 1024


@fit(
    "ENG001", scope=Scope.CONTAINER, worst=Outcome.BLOCKS, reads=(Container, Engines),
    source=APPTAINER_GPU,
)  # fmt: skip
def no_engine(pair: Pair) -> Iterator[Said]:
    """A container needs an engine that this user may use.

    Docker (its daemon must answer), Podman, Apptainer or Singularity. Inside a container the
    question is answered already.
    """
    engines = _engines(pair.found)
    if any(each.usable is True for each in engines) or _is_inside(pair.found):
        return
    for each in engines:
        need(each.usable, pair.found.path(f"engines.found.{each.name}.usable"))
    names = ", ".join(each.name for each in engines)
    yield Said(
        "engine", Outcome.BLOCKS,
        f"{names} cannot be used by this user" if names else "no container engine is installed",
        remedy="install Apptainer (needs no root to run), or Docker",
    )  # fmt: skip


@fit(
    "ENG002", scope=Scope.CONTAINER, worst=Outcome.BLOCKS,
    reads=(Container, Engines, Gpu, Packages, Python), source=NVIDIA_TOOLKIT,
)  # fmt: skip
def no_gpu_in_containers(pair: Pair) -> Iterator[Said]:
    """Docker shows a container no NVIDIA GPU without NVIDIA's container toolkit.

    Apptainer and Singularity bind the driver in by themselves, with --nv.
    """
    wanted = [each for each in visible_gpus(pair.wanted) if each.vendor == "nvidia"]
    if not wanted or not computes_on_gpu(pair.wanted):
        return
    engines = _engines(pair.found)
    usable = [each for each in engines if each.usable is True]
    if not usable:
        for each in engines:
            need(each.usable, pair.found.path(f"engines.found.{each.name}.usable"))
        return  # ENG001 says it
    if any(each.name in _OWN_GPU for each in usable):
        return  # there is no need for the toolkit
    if not any(each.vendor == "nvidia" for each in visible_gpus(pair.found)):
        return  # GPU001 says it
    if need(pair.found.need(Gpu).platform, pair.found.path("gpu.platform")) != "pci":
        return  # Docker Desktop brings its own way under WSL, and Tegra its own images
    toolkit = need(
        pair.found.need(Engines).container_toolkit, pair.found.path("engines.container_toolkit")
    )
    if toolkit is not None or _is_inside(pair.found):
        return
    for each in engines:
        if each.name in _OWN_GPU:
            need(each.usable, pair.found.path(f"engines.found.{each.name}.usable"))
    yield Said(
        "container GPU", Outcome.BLOCKS, f"{usable[0].name} has no NVIDIA container toolkit here",
        remedy="install the NVIDIA container toolkit, or Apptainer",
    )  # fmt: skip


@drift(
    "ENG003", scope=Scope.NATIVE, worst=Outcome.DEGRADES,
    reads=(Container, Engines, Packages, Python), source=SHARED_MEMORY,
)  # fmt: skip
def shared_memory(pair: Pair) -> Iterator[Said]:
    """PyTorch's data loaders with worker processes stop with a bus error.

    Workers hand their batches over in /dev/shm. Docker gives a container 64 MiB of it unless it
    is asked for more; the wanted machine had more. Judged is a found side that is a container:
    elsewhere it is a share of the machine's memory.
    """
    if is_machine_alone(pair.wanted) or "torch" not in active(pair.wanted):
        return
    theirs = need(pair.wanted.need(Engines).shm_mib, pair.wanted.path("engines.shm_mib"))
    if theirs is None or theirs <= _USUAL_SHM_MIB or not _is_inside(pair.found):
        return
    ours = need(pair.found.need(Engines).shm_mib, pair.found.path("engines.shm_mib"))
    if ours is None or ours <= _USUAL_SHM_MIB:
        here = "none" if ours is None else _size(ours)
        yield Said(
            "shared memory", Outcome.DEGRADES, f"shared memory: {_size(theirs)} -> {here}",
            remedy="start the container with --ipc=host, or --shm-size and a size",
            wanted=_size(theirs), found=here,
        )  # fmt: skip


def _size(mib: int) -> str:
    return gib(mib) if mib >= _GIB else f"{mib} MiB"


def _is_inside(side: Side) -> bool:
    return need(side.need(Container).kind, side.path("container.kind")) is not None


def _engines(side: Side) -> tuple[Engine, ...]:
    return need(side.need(Engines).found, side.path("engines.found"))
