"""What pip is set to on this machine, by its variables and its files."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_SECTIONS = ("global", "install")
_CLIENT = {"cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY", "trusted-host": "UV_INSECURE_HOST"}
"""Settings without which a site's own index cannot be reached, by the variable uv has for them."""


class PipSettings(NamedTuple):
    """Where pip looks for packages. The addresses can hold credentials."""

    default: str | None
    extra: tuple[str, ...]
    find_links: tuple[str, ...]
    no_index: bool
    client: tuple[tuple[str, str], ...]
    """Variables that make uv connect as pip does: certificates, proxy, trusted hosts."""


def pip_settings(environ: Mapping[str, str]) -> PipSettings:
    """The indexes and folders of pip; later files win, variables win over files."""
    said = _settings(environ)
    client = {
        _CLIENT[name]: said[name]
        for name in _CLIENT
        if said.get(name) and _CLIENT[name] not in environ
    }
    return PipSettings(
        default=said.get("index-url") or None,
        extra=tuple(said.get("extra-index-url", "").split()),
        find_links=tuple(said.get("find-links", "").split()),
        no_index=said.get("no-index", "").lower() in {"1", "true", "yes", "on", "y", "t"},
        client=tuple(sorted(client.items())),
    )


def _settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for place in _files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(place, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself refuses such a file, and says so
        for section in _SECTIONS:
            if parser.has_section(section):
                found.update(_normal(parser.items(section)))
    found.update(
        (name.removeprefix("PIP_").lower().replace("_", "-"), value)
        for name, value in environ.items()
        if name.startswith("PIP_") and value
    )
    return found


def _normal(items: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Options as pip takes them: dashes or underscores are one."""
    for name, value in items:
        yield name.lower().replace("_", "-"), value.strip()


def _files(environ: Mapping[str, str]) -> tuple[str, ...]:
    if named := environ.get("PIP_CONFIG_FILE"):
        return (named,)
    home = environ.get("HOME", "/")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    places = [os.path.join(each, "pip", "pip.conf") for each in reversed(shared.split(":"))]
    places += ["/etc/pip.conf", f"{home}/.pip/pip.conf", f"{config}/pip/pip.conf"]
    if active := environ.get("VIRTUAL_ENV"):
        places.append(f"{active}/pip.conf")
    return tuple(places)
