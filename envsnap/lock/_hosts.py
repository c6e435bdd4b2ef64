"""Which index is asked: what the caller says, else what this machine's pip or uv is set to."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from envsnap.lock._uv_settings import uv_indexes

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(frozen=True, kw_only=True)
class Indexes:
    """Package indexes, the most important first. Their addresses can hold credentials."""

    default: str | None = None
    """None: the locker's own default."""
    extra: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


def indexes(asked: Indexes, environ: Mapping[str, str]) -> Indexes:
    """The indexes to ask: the caller's, else those of pip's settings where uv has none of its own.

    uv reads its own settings and not pip's, but at many sites only pip is set up.
    """
    if asked != Indexes() or uv_indexes(environ) is not None:
        return asked
    default, extra = _of_pip(environ)
    return Indexes(default=default, extra=extra)


def hosts(asked: Indexes, environ: Mapping[str, str], *, locker: str) -> tuple[str, ...]:
    """The hosts that a lock will talk to, as far as they can be told before.

    An index that is set nowhere is the one that the locker has built in, and is called so.
    """
    chosen = indexes(asked, environ)
    default, extra = _of_locker(locker, environ)
    default = chosen.default or default
    named = [each for each in (default, *chosen.extra, *extra, *chosen.find_links) if each]
    found = [host for each in named if (host := _host(each))]
    if default is None:
        found.append(f"{'uv' if locker == 'uv' else 'pip'}'s default index")
    return tuple(dict.fromkeys(found))


def _of_locker(locker: str, environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """The default index and the others that the locker is set to, whatever it is asked."""
    return (uv_indexes(environ) or (None, ())) if locker == "uv" else _of_pip(environ)


def redacted(text: str) -> str:
    """Text without the credentials that stand in its addresses."""
    return _CREDENTIALS.sub("", text)


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _of_pip(environ: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
    """The index-url and extra-index-url of pip; later files win, variables win over files."""
    settings: dict[str, str] = {}
    for place in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself refuses such a file, and says so
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(parser.items(section))
    default = environ.get("PIP_INDEX_URL") or settings.get("index-url")
    extra = environ.get("PIP_EXTRA_INDEX_URL") or settings.get("extra-index-url", "")
    return (
        default if default and _is_remote(default) else None,
        tuple(each for each in extra.split() if _is_remote(each)),
    )


def _pip_files(environ: Mapping[str, str]) -> tuple[str, ...]:
    if named := environ.get("PIP_CONFIG_FILE"):
        return (named,)
    home = environ.get("HOME", "/")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    places = ["/etc/pip.conf", f"{home}/.pip/pip.conf", f"{config}/pip/pip.conf"]
    if active := environ.get("VIRTUAL_ENV"):
        places.append(f"{active}/pip.conf")
    return tuple(places)


def _is_remote(address: str) -> bool:
    """Whether an image could fetch from there; a folder of this machine is no use to it."""
    return address.startswith(("https://", "http://"))
