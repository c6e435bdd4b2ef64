"""Which packages a folder of this machine can have: a look that saves asking the locker."""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import unquote

from envsnap.lock._hosts import Indexes
from envsnap.manifest import canonical_name


def may_be_in(places: Indexes, names: Iterable[str]) -> frozenset[str]:
    """Of these canonical names, those of which a local place has something that is called so.

    >>> may_be_in(Indexes(extra=("https://index.example/simple",)), ["demo"])
    frozenset()
    """
    indexes = [path for each in (places.default or "", *places.extra) if (path := _path(each))]
    links = [path for each in places.find_links if (path := _path(each))]
    try:
        listed = [canonical_name(entry) for path in links for entry in os.listdir(path)]
    except OSError:
        return frozenset(names)  # a page of links, or what the locker will complain about
    return frozenset(
        name
        for name in names
        if any(os.path.exists(os.path.join(path, name)) for path in indexes)
        or any(entry.startswith(name) for entry in listed)
    )


def lies_in(places: Indexes, name: str, version: str) -> bool:
    """Whether a folder of files has one of this very name and version."""
    start = canonical_name(f"{name}-{version}") + "-"
    try:
        return any(
            canonical_name(entry).startswith(start)
            for each in places.find_links
            if (path := _path(each))
            for entry in os.listdir(path)
        )
    except OSError:
        return False


def _path(address: str) -> str:
    """The folder that an address is of; empty for any other."""
    return unquote(address.removeprefix("file://")) if address.startswith("file://") else ""
