"""Machines that come with envsnap, each as a manifest, to check against without having one.

A profile knows what is common to all machines of its kind; the rest is unknown in it, and so
are the environments on them. Its file holds the known facts alone, and who says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from envsnap.errors import UsageError
from envsnap.manifest import Manifest
from envsnap.profiles._unknown import NO_ENVIRONMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap._typing import Any

_ENDING = ".json"
_MOST_NEAR = 3
_ANOTHER_DRIVER = "Another driver: h100-sxm@535.183.01, or the oldest of its branch: h100-sxm@535"


def names() -> tuple[str, ...]:
    """The names of the profiles, sorted."""
    from importlib.resources import files

    found = (each.name for each in files(__name__).iterdir())
    return tuple(sorted(each.removesuffix(_ENDING) for each in found if each.endswith(_ENDING)))


def load(name: str) -> Manifest:
    """The machine of that name; 'h100-sxm@535.183.01' is the same with that driver.

    Of a branch, 'h100-sxm@535', it is the oldest driver that a CUDA release names.

    Raises:
        UsageError: There is none, or no such driver on it.
    """
    from envsnap.profiles._whole import whole, with_driver

    kind, at, driver = name.partition("@")
    if kind not in names():
        raise UsageError(f"No file and no profile {kind!r}", hint=_nearest(kind))
    machine = whole(_document(kind))
    return with_driver(machine, kind, driver) if at else machine


def full_name(name: str) -> str:
    """A profile's name with the whole version of its driver, where a branch alone is asked for.

    >>> full_name("h100-sxm@535"), full_name("h100-sxm")
    ('h100-sxm@535.54.03', 'h100-sxm')
    """
    kind, at, driver = name.partition("@")
    if not at or not is_profile(name):
        return name
    from envsnap.profiles._whole import driver_version

    return f"{kind}@{driver_version(driver)}"


def load_named(name: str, load_file: Callable[[str], Manifest]) -> Manifest:
    """A manifest by its file's name, or a profile by its own; a file comes first."""
    if is_profile(name):
        return load(name)
    if name == "-" or os.path.lexists(name) or os.sep in name or _is_file(name):
        return load_file(name)
    return load(name)


def _is_file(name: str) -> bool:
    """Whether a name without a folder is a file's or an image's: no profile is called so."""
    return ":" in name or name.endswith((".json", ".zip", ".sif"))


def as_profile(manifest: Manifest) -> Manifest:
    """The manifest's machine alone, as a profile has it: nothing that names somebody is left."""
    from envsnap.profiles._made import made_of

    return made_of(manifest)


def is_profile(name: str) -> bool:
    """Whether a profile of that name is meant: there is one, and no such file."""
    return not os.path.lexists(name) and name.partition("@")[0] in names()


def title(name: str) -> str:
    """What the machine of that name is, in one line."""
    return str(_document(name)["title"])


def listing() -> str:
    """Every profile with its title, one a line, and how another driver is asked for.

    >>> listing().splitlines()[-1]
    'Another driver: h100-sxm@535.183.01, or the oldest of its branch: h100-sxm@535'
    """
    widest = max(map(len, names()))
    rows = [f"{name:<{widest}}  {title(name)}" for name in names()]
    return "\n".join([*rows, "", _ANOTHER_DRIVER])


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    begun = [each for each in names() if each.startswith(name)] if name else []
    near = begun or get_close_matches(name, names(), n=_MOST_NEAR)
    others = f"Did you mean {' or '.join(near[:_MOST_NEAR])}? " if near else ""
    return f"{others}List the profiles: envsnap show --profiles"


def _document(name: str) -> Mapping[str, Any]:
    import json
    from pkgutil import get_data

    raw = get_data(__name__, f"{name}{_ENDING}")
    document: dict[str, Any] = json.loads(raw or b"")
    return document


__all__ = [
    "NO_ENVIRONMENT",
    "as_profile",
    "full_name",
    "is_profile",
    "listing",
    "load",
    "load_named",
    "names",
    "title",
]
