"""Which index is asked: what the caller says, else what this machine's pip or uv is set to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from envsnap.lock._pip_settings import pip_settings
from envsnap.lock._uv_settings import UvIndexes, uv_indexes, uv_places

_SCHEME = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, kw_only=True)
class Indexes:
    """Package indexes, the most important first. Their addresses can hold credentials."""

    default: str | None = None
    """None: the locker's own default."""
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    """Whether only `find_links` are looked at."""
    client: tuple[tuple[str, str], ...] = ()
    """Variables for the locker: which certificates, which proxy."""

    @property
    def remote(self) -> Indexes | None:
        """Those that others can ask too; None where there is none but this machine's."""
        extra = tuple(filter(is_remote, self.extra))
        links = tuple(filter(is_remote, self.find_links))
        if self.default is not None and not is_remote(self.default):
            if not extra and not links:
                return None
            first, extra = (extra[0], extra[1:]) if extra else (None, ())
            no_index = first is None
            return replace(self, default=first, extra=extra, find_links=links, no_index=no_index)
        if self.no_index and not links:
            return None
        return replace(self, extra=extra, find_links=links)


def indexes(asked: Indexes, environ: Mapping[str, str]) -> Indexes:
    """The indexes to ask: the caller's, with those of pip's settings where uv has none of its own.

    uv reads its own settings and not pip's, but at many sites only pip is set up. A default that
    the caller names is asked with what else the caller names, and nothing of the settings.
    """
    if asked.default is None and uv_indexes(environ) is None:
        found = pip_settings(environ)
        asked = Indexes(
            default=found.default, extra=(*asked.extra, *found.extra),
            find_links=(*asked.find_links, *found.find_links), no_index=found.no_index,
            client=found.client,
        )  # fmt: skip
    own = {_address(each) for each in uv_places(environ).find_links}
    links = [each for each in map(_address, asked.find_links) if each not in own]
    return replace(
        asked,
        default=None if asked.default is None else _address(asked.default),
        extra=tuple(dict.fromkeys(map(_address, asked.extra))),
        find_links=tuple(dict.fromkeys(links)),
    )


def hosts(asked: Indexes, environ: Mapping[str, str], *, locker: str) -> tuple[str, ...]:
    """The hosts that a lock will talk to, as far as they can be told before.

    An index that is set nowhere is the one that the locker has built in, and is called so.
    """
    chosen = indexes(asked, environ)
    named = hosts_of(settings_of(chosen, environ, locker=locker))
    default = chosen.default or _of_locker(locker, environ)[0]
    if default is None and not chosen.no_index:
        return (*named, f"{'uv' if locker == 'uv' else 'pip'}'s default index")
    return named


def settings_of(chosen: Indexes, environ: Mapping[str, str], *, locker: str) -> tuple[str, ...]:
    """Every address that is asked: what was chosen, and what the locker adds of its own."""
    default, extra, links = _of_locker(locker, environ)
    first = chosen.default or default
    own = (*chosen.extra, *extra, *chosen.find_links, *links)
    return tuple(dict.fromkeys((*filter(None, (first,)), *own)))


def hosts_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """The hosts of addresses, each once; a folder of this machine has none."""
    found = [host for each in addresses if (host := _host(each))]
    return tuple(dict.fromkeys(found))


def is_remote(address: str) -> bool:
    """Whether others could fetch from there; a folder of this machine is no use to them."""
    return address.startswith(("https://", "http://"))


def _of_locker(locker: str, environ: Mapping[str, str]) -> UvIndexes:
    """The indexes that the locker is set to, whatever it is asked."""
    if locker == "uv":
        return uv_places(environ)
    found = pip_settings(environ)
    return UvIndexes(found.default, found.extra, found.find_links)


def _address(place: str) -> str:
    """A folder of this machine as an address: a path can have the characters that part a list."""
    if _SCHEME.match(place):
        return place
    return "file://" + quote(os.path.abspath(os.path.expanduser(place)))


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
