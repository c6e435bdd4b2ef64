"""The table of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.plan import BuildPlan

Render = Callable[[BuildPlan], Mapping[str, str]]
"""Writes a plan: the text of every file by its path below the output folder, with `/`."""


class Format(NamedTuple):
    """One registered format."""

    name: str
    title: str
    """What people call it, as 'Dockerfile'."""
    main: str
    """The file that the engine is pointed at."""
    render: Render


MODULES = ("apptainer", "conda", "devcontainer", "dockerfile", "repo2docker", "slurm")
"""Written out, for a scan finds nothing inside a zip; a test holds it to the folder."""

_FORMATS: dict[str, Format] = {}


def container_format(name: str, *, title: str, main: str) -> Callable[[Render], Render]:
    """Register the function that writes a plan in one syntax."""

    def register(render: Render) -> Render:
        _FORMATS[name] = Format(name, title, main, render)
        return render

    return register


def formats() -> Mapping[str, Format]:
    """Every format by name."""
    for name in MODULES:
        import_module(f"envsnap.formats.{name}")
    return MappingProxyType(dict(sorted(_FORMATS.items())))


def named(name: str) -> Format:
    """The format of that name.

    Raises:
        UsageError: There is none.
    """
    known = formats()
    if name not in known:
        raise UsageError(f"Unknown format {name!r}", hint=f"The formats are: {', '.join(known)}")
    return known[name]
