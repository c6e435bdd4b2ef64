"""Machines that come with envsnap, each as a manifest, to check against without having one.

A profile knows what is common to all machines of its kind; the rest is unknown in it, and so
are the environments on them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from envsnap.errors import UsageError
from envsnap.manifest import Manifest, decode
from envsnap.sections import Reason, Unknown

NO_ENVIRONMENT = Unknown(Reason.NOT_RECORDED, "a profile is a machine without an environment")
"""What stands in a profile for the sections about an environment."""

_ENDING = ".json"


def names() -> tuple[str, ...]:
    """The names of the profiles, sorted."""
    from importlib.resources import files

    found = (each.name for each in files(__name__).iterdir())
    return tuple(sorted(each.removesuffix(_ENDING) for each in found if each.endswith(_ENDING)))


def load(name: str) -> Manifest:
    """The machine of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in names():
        raise UsageError(
            f"No file and no profile {name!r}", hint=f"The profiles are: {', '.join(names())}"
        )
    return decode(_document(name)["manifest"])


def load_named(name: str, load_file: Callable[[str], Manifest]) -> Manifest:
    """A manifest by its file's name, or a profile by its own; a file comes first."""
    if name == "-" or os.path.lexists(name) or os.sep in name or "." in name:
        return load_file(name)
    return load(name)


def title(name: str) -> str:
    """What the machine of that name is, in one line."""
    return str(_document(name)["title"])


def _document(name: str) -> dict[str, object]:
    import json
    from pkgutil import get_data

    raw = get_data(__name__, f"{name}{_ENDING}")
    document: dict[str, object] = json.loads(raw or b"")
    return document
