"""REQ: what the author requires of a machine, and what an image requires of its driver."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.facts import Source
from envsnap.rules._core import NotAskedError, Open, Pair, Said, Side, fit, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import ENVSNAP
from envsnap.sections import (
    Container,
    Cpu,
    Engines,
    Environ,
    Gpu,
    Memory,
    Os,
    Packages,
    Python,
    Reason,
    Unknown,
)

_NOT_LOOKED_AT = frozenset({Reason.NOT_ASKED, Reason.NOT_RECORDED, Reason.NO_RUNNING_MACHINE})

LIBNVIDIA_CONTAINER = Source(
    "libnvidia-container: the evaluation of NVIDIA_REQUIRE_*",
    "https://github.com/NVIDIA/libnvidia-container/blob/main/src/cli/dsl.c",
    "2026-11-21",
)


@fit(
    "REQ001", scope=Scope.BOTH, worst=Outcome.BLOCKS, reads=(Cpu, Gpu, Memory, Os),
    source=ENVSNAP,
)  # fmt: skip
def machine(pair: Pair) -> Iterator[Said | Open]:
    """The author says that it must hold, and it does not.

    Whoever made the manifest stated with `envsnap require` what a machine must have. Nothing
    here doubts it: only the author knows why.
    """
    _refuse_unstated(pair.wanted)
    from envsnap.rules._required import unmet

    yield from unmet(pair, of_environment=False)


@fit(
    "REQ002", scope=Scope.BOTH, worst=Outcome.NOTE,
    reads=(Cpu, Gpu, Memory, Os, Packages, Python), source=ENVSNAP,
)  # fmt: skip
def own_machine(pair: Pair) -> Iterator[Said | Open]:
    """Not even the captured machine holds what its author requires.

    The author states what must hold, and the manifest's own facts are against it. The results
    come from a machine that the author would refuse.
    """
    _refuse_unstated(pair.wanted)
    from envsnap.rules._required import not_held_at_home

    yield from not_held_at_home(pair.wanted)


@fit(
    "REQ003", scope=Scope.NATIVE, worst=Outcome.BLOCKS, reads=(Environ, Packages, Python),
    source=ENVSNAP,
)  # fmt: skip
def environment(pair: Pair) -> Iterator[Said | Open]:
    """The author says that the environment must have it, and it does not.

    As REQ001, for packages, Python, variables and the C library: a container brings its own.
    """
    _refuse_unstated(pair.wanted)
    from envsnap.rules._required import unmet

    yield from unmet(pair, of_environment=True)


@fit(
    "REQ004", scope=Scope.CONTAINER, worst=Outcome.BLOCKS,
    reads=(Container, Engines, Environ, Gpu), source=LIBNVIDIA_CONTAINER,
)  # fmt: skip
def image(pair: Pair) -> Iterator[Said | Open]:
    """NVIDIA's container toolkit does not start the image on such a driver or GPU.

    NVIDIA_REQUIRE_CUDA says which driver, CUDA or GPU an image is for. `docker run --gpus` has
    NVIDIA's toolkit hold it against the machine before the container starts; other ways to give
    it a GPU (Apptainer's --nv, CDI devices) do not look at it, nor does it where
    NVIDIA_DISABLE_REQUIRE is set. What was captured outside a container has no such variable.
    It will not run where the compared image itself is refused. Where it is the image in which the
    environment was captured, `envsnap build` makes another, which asks for no more than its
    packages and author do: that is a limit, and the same files.
    """
    if not (_names_nvidia(pair.wanted) or _names_nvidia(pair.found)):
        raise NotAskedError
    from envsnap.rules._required import refused

    yield from refused(pair)


def _refuse_unstated(side: Side) -> None:
    """End the rule where nothing is required: the language is then not even imported."""
    if not side.manifest.requires.get("must"):
        raise NotAskedError


def _names_nvidia(side: Side) -> bool:
    """Whether the variables do; of what nobody looked at, no image is taken to ask anything."""
    environ = side.manifest.section(Environ)
    known = environ if isinstance(environ, Unknown) else environ.variables
    if isinstance(known, Unknown):
        if known.reason not in _NOT_LOOKED_AT:
            need(known, side.path("environ.variables"))
        return False
    return any(name.startswith("NVIDIA_REQUIRE_") for name in known)
