"""SYS013: captured in one container, run in another or in none."""

from __future__ import annotations

from collections.abc import Iterator

from envsnap.rules._core import Pair, Said, Side, drift, need
from envsnap.rules._findings import Outcome, Scope
from envsnap.rules._sources import ENVSNAP
from envsnap.sections import Container


@drift("SYS013", scope=Scope.NATIVE, worst=Outcome.NOTE, reads=(Container,), source=ENVSNAP)
def other_container(pair: Pair) -> Iterator[Said]:
    """A container brings the system's libraries and programs of its image.

    One side ran in a container and the other in none, or each in an image of its own. What of
    that reaches a result, the rules on the system and its libraries tell.
    """
    theirs, ours = (_words(side) for side in pair)
    if theirs != ours:
        yield Said("container", Outcome.NOTE, f"{theirs} -> {ours}", wanted=theirs, found=ours)


def _words(side: Side) -> str:
    container = side.need(Container)
    kind = need(container.kind, side.path("container.kind"))
    if kind is None:
        return "no container"
    image = container.image
    return f"{kind}, {image}" if isinstance(image, str) else kind
