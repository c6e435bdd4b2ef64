"""The table of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.errors import UsageError
from envsnap.plan import BuildPlan

Render = Callable[[BuildPlan], Mapping[str, str]]
"""Writes a plan: the text of every file by its path below the output folder, with `/`."""


class Place(NamedTuple):
    """Where recipes lie, for the lines that are pasted: each word is quoted for a shell already."""

    folder: str
    name: str
    """What the image or environment is called."""
    sif: str
    """The image file, seen from the folder where the line is run that makes it."""
    secrets: Mapping[str, str]
    """Files that the build may read, by their ids."""
    offline: bool
    loads: Sequence[str] = ()
    """The lines that load the archives of images which were fetched."""


Lines = Callable[[Place], Sequence[str]]


def _no_lines(_: Place) -> Sequence[str]:
    """Nothing to paste."""
    return ()


class Format(NamedTuple):
    """One registered format: all that the command line and a fetch have to know of it."""

    name: str
    title: str
    """What people call it, as 'Dockerfile'."""
    main: str
    """The file that the engine is pointed at."""
    render: Render
    by_hand: Lines
    """How what it wrote is built or run by hand."""
    fetched: Lines
    """The same where no network is needed, for all was fetched; no lines where it never is."""
    heeds: frozenset[str]
    """The options of build that change what it writes, and others need not: any else is refused."""
    heeds_fetched: frozenset[str]
    """Those that change what is written beside it where all is fetched."""
    runs: str | None
    """The format whose image it runs; None where it needs no image of another."""
    starts: str | None
    """How it names the archive of its base image: empty for the name by which an engine has what it
    loaded; None where it starts from no image of ours."""
    is_staged: bool
    """Whether conda's packages are unpacked in a second image."""


MODULES = ("apptainer", "conda", "devcontainer", "dockerfile", "repo2docker", "slurm")
"""Written out, for a scan finds nothing inside a zip; a test holds it to the folder."""

_FORMATS: dict[str, Format] = {}


def container_format(  # noqa: PLR0913 - a table's row, each by its name
    name: str,
    *,
    title: str,
    main: str,
    by_hand: Lines,
    fetched: Lines = _no_lines,
    heeds: Iterable[str] = (),
    heeds_fetched: Iterable[str] = (),
    runs: str | None = None,
    starts: str | None = None,
    is_staged: bool = False,
) -> Callable[[Render], Render]:
    """Register the function that writes a plan in one syntax; the fields are those of `Format`."""

    def register(render: Render) -> Render:
        _FORMATS[name] = Format(
            name, title, main, render, by_hand, fetched, frozenset(heeds),
            frozenset(heeds_fetched), runs, starts, is_staged,
        )  # fmt: skip
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


OF_IMAGES = frozenset(
    {"base_image", "netrc", "pip_conf", "snapshot", "embed_wheelhouse", "with_project"}
)
"""What every format heeds that describes a whole image. What envsnap heeds itself is not listed."""


def heeds(names: Iterable[str], option: str, *, is_fetched: bool = False) -> bool:
    """Whether an option of build changes what one of these formats writes."""
    found = [named(name) for name in names]
    beside = any(option in each.heeds_fetched for each in found)
    return any(option in each.heeds for each in found) or (is_fetched and beside)
