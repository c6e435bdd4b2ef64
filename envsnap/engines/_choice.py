"""Which engine builds a format: the one asked for, else the best that this machine has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envsnap.engines._model import Engine
from envsnap.engines.apptainer import Apptainer
from envsnap.engines.buildah import Buildah
from envsnap.engines.docker import Docker
from envsnap.engines.podman import Podman
from envsnap.engines.repo2docker import Repo2docker
from envsnap.engines.singularity import Singularity
from envsnap.errors import ToolError, UsageError

ENGINES: Mapping[str, Sequence[type[Engine]]] = {
    "dockerfile": (Docker, Podman, Buildah),
    "apptainer": (Apptainer, Singularity),
    "repo2docker": (Repo2docker,),
}
"""By format, the first that answers first: Docker before what needs no daemon, since its images
are where most people look for them; Podman before Buildah, since it can also run the image."""

_SEE = "See what this machine lacks with: envsnap doctor --build"


def names(format_name: str) -> tuple[str, ...]:
    """The engines of a format, the preferred one first; none where nothing builds it."""
    return tuple(each.name for each in ENGINES.get(format_name, ()))


def refuse_name(format_name: str, image: str, name: str | None = None) -> None:
    """Refuse what no image of the engine can be called, before any engine is asked.

    Raises:
        UsageError: The name is of another form, or no engine of that name builds the format.
    """
    able = ENGINES[format_name]
    engine = able[0]() if name is None else _named(name, format_name)
    engine.refuse_name(image)


def choose(format_name: str, name: str | None = None) -> Engine:
    """The engine of that name, else the first of the format's that answers.

    Raises:
        UsageError: No engine builds the format, or the one named builds others.
        ToolError: It is not there, or none is.
    """
    able = ENGINES.get(format_name, ())
    if not able:
        raise UsageError(f"No engine builds {format_name!r}", hint="Leave out --image")
    if name is not None:
        engine = _named(name, format_name)
        try:
            engine.version()
        except ToolError as error:
            raise ToolError(error.message, hint=error.hint or _SEE) from error
        return engine
    refusals = []
    for each in able:
        engine = each()
        try:
            engine.version()
        except ToolError as error:
            refusals.append(f"{engine.name}: {error.message}")
        else:
            return engine
    raise ToolError(
        "\n  ".join([f"No engine here builds {format_name!r}:", *refusals]),
        hint=_SEE,
    )


def _named(name: str, format_name: str) -> Engine:
    for each in ENGINES[format_name]:
        if each.name == name:
            return each()
    known = sorted({each.name for group in ENGINES.values() for each in group})
    fitting = ", ".join(names(format_name))
    if name not in known:
        raise UsageError(f"No engine is called {name!r}", hint=f"Give --engine one of: {fitting}")
    raise UsageError(
        f"{name} does not build {format_name!r}", hint=f"Give --engine one of: {fitting}"
    )
