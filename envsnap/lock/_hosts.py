"""Which index is asked: what the caller says, else what this machine's pip or uv is set to."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_UV_SETTINGS = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX",
    "UV_CONFIG_FILE",
)  # fmt: skip
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
    if asked != Indexes() or any(name in environ for name in _UV_SETTINGS) or _has_uv_file(environ):
        return asked
    default, extra = _of_pip(environ)
    return Indexes(default=default, extra=extra)


def hosts(asked: Indexes, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The hosts that a lock will talk to, as far as they can be told before."""
    chosen = indexes(asked, environ)
    named = [each for each in (chosen.default, *chosen.extra, *chosen.find_links) if each]
    found = [host for each in named if (host := _host(each))]
    if chosen.default is None:
        found.append("your configured package index")
    return tuple(dict.fromkeys(found))


def redacted(text: str) -> str:
    """Text without the credentials that stand in its addresses."""
    return _CREDENTIALS.sub("", text)


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _has_uv_file(environ: Mapping[str, str]) -> bool:
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "/"), ".config")
    places = ("uv.toml", os.path.join(config, "uv", "uv.toml"), "/etc/uv/uv.toml")
    return any(os.path.isfile(place) for place in places)


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
