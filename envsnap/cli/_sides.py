"""What one word after --against names: a side, a folder of them, or all that a pattern matches."""

from __future__ import annotations

import os
import re

from envsnap.errors import FileError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

HELP = "help"
"""What lists the profiles instead of naming one; a file of that name comes first."""
_PATTERN = re.compile(r"[*?\[]")
_MANIFESTS = (".json", ".zip")


def is_help(name: str) -> bool:
    """Whether the list of profiles is asked for."""
    return name == HELP and not os.path.lexists(name)


def sides_of(name: str) -> list[str]:
    """The sides that it names; one that is there by that very name is one.

    Raises:
        UsageError: A folder holds no manifest, or nothing matches a pattern.
        FileError: A folder cannot be read.
    """
    if os.path.isdir(name):
        return _in_folder(name)
    if os.path.lexists(name) or not _PATTERN.search(name):
        return [_full_name(name)]
    found = _files(name) or _profiles(name)  # who has files of that name means those
    if not found:
        raise UsageError(
            f"Nothing matches --against {name!r}",
            hint="Look what is there: ls; list the profiles: envsnap show --profiles",
        )
    return found


def _full_name(name: str) -> str:
    """The name with the driver that is meant: of a profile, the whole version."""
    if "@" not in name or os.path.lexists(name):
        return name
    from envsnap.profiles import full_name

    return full_name(name)


def _files(pattern: str) -> list[str]:
    from glob import glob

    # What begins with a dash could not be typed again after --against.
    return [f"./{each}" if each.startswith("-") else each for each in _sorted(glob(pattern))]


def _profiles(pattern: str) -> list[str]:
    from fnmatch import filter as matching

    from envsnap.profiles import names

    return matching(names(), pattern)


def _in_folder(name: str) -> list[str]:
    """A recording is one side, any other folder as many as there are manifests in it."""
    if os.path.isfile(os.path.join(name, "host.json")):
        return [name]
    try:
        there = os.listdir(name)
    except OSError as error:
        raise FileError(f"Cannot read {name}: {error.strerror}") from error
    found = [os.path.join(name, each) for each in there if each.endswith(_MANIFESTS)]
    if not found:
        raise UsageError(
            f"No recording and no manifest in {name!r}",
            hint="Name a folder of manifests (*.json), or one that capture --record made",
        )
    return _sorted(found)


def _sorted(names: Iterable[str]) -> list[str]:
    """As people count: node2 before node10."""

    def key(name: str) -> tuple[list[tuple[int, str]], str]:
        parts = re.split(r"(\d{1,18})", name)
        return [(int(each) if each.isdecimal() else -1, each) for each in parts], name

    return sorted(names, key=key)
