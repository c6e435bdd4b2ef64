"""Which indexes uv is set to on this machine, by its variables and its files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from envsnap.lock import _toml

_VARIABLES = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX",
)  # fmt: skip
_NAMED = re.compile(r"\A[A-Za-z0-9._-]+=")
"""What can stand before an address in UV_INDEX."""


class UvIndexes(NamedTuple):
    """The places that uv asks of its own accord. Their addresses can hold credentials."""

    default: str | None
    """None: the one that uv has built in."""
    extra: tuple[str, ...]
    find_links: tuple[str, ...]


def uv_indexes(environ: Mapping[str, str]) -> UvIndexes | None:
    """The places in uv's own settings; None where they say nothing of an index."""
    found = uv_places(environ)
    if not found.default and not found.extra and not any(name in environ for name in _VARIABLES):
        return None
    return found


def uv_places(environ: Mapping[str, str]) -> UvIndexes:
    """The places in uv's own settings, be they none."""
    default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or ""
    extra = f"{environ.get('UV_INDEX', '')} {environ.get('UV_EXTRA_INDEX_URL', '')}".split()
    links = [each for each in environ.get("UV_FIND_LINKS", "").split(",") if each]
    for table in _tables(environ):
        own, others = _of_table(table)
        default = default or own or ""
        extra += others
        links += [each for each in _list(table.get("find-links")) if isinstance(each, str)]
    plain = [_opened(each, environ) for each in (default, *extra)]
    return UvIndexes(plain[0] or None, tuple(dict.fromkeys(plain[1:])), tuple(dict.fromkeys(links)))


def _opened(index: str, environ: Mapping[str, str]) -> str:
    """An index without its name, with the credentials that variables have for that name."""
    named = _NAMED.match(index)
    if named is None:
        return index
    address = index[named.end() :]
    key = re.sub(r"[^A-Z0-9]", "_", named[0][:-1].upper())
    user = environ.get(f"UV_INDEX_{key}_USERNAME", "")
    password = environ.get(f"UV_INDEX_{key}_PASSWORD", "")
    scheme, slashes, rest = address.partition("://")
    if not (user or password) or not slashes or "@" in rest.partition("/")[0]:
        return address
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def _of_table(table: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The default index of one table of settings, and the others."""
    rows = _list(table.get("index"))
    rows = [row for row in rows if isinstance(row, dict) and isinstance(row.get("url"), str)]
    defaults = [_row(row) for row in rows if row.get("default") is True]
    if isinstance(found := table.get("index-url"), str):
        defaults.append(found)
    others = [_row(row) for row in rows if row.get("default") is not True]
    others += [each for each in _list(table.get("extra-index-url")) if isinstance(each, str)]
    return (defaults[0] if defaults else None), others


def _row(row: Mapping[str, Any]) -> str:
    """An index as the variable UV_INDEX would have it."""
    name = row.get("name")
    named = isinstance(name, str) and _NAMED.match(f"{name}=")
    return f"{name}={row['url']}" if named else str(row["url"])


def _tables(environ: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """Every table that can name an index, the most important first."""
    for settings in _settings(environ):
        yield from (settings, _table(settings.get("pip")))


def _settings(environ: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    """The project's settings, then the user's and the machine's; or the one file that is named."""
    if named := environ.get("UV_CONFIG_FILE"):
        yield _read(named)
        return
    if environ.get("UV_NO_CONFIG"):
        return
    yield next(filter(None, map(_read, _upward())), {})
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "/"), ".config")
    yield _read(os.path.join(config, "uv", "uv.toml"))
    yield _read("/etc/uv/uv.toml")


def _upward() -> Iterator[str]:
    """Where a project can have its settings: here, or in the nearest folder above."""
    folder = os.path.abspath(os.curdir)
    while True:
        yield os.path.join(folder, "uv.toml")
        yield os.path.join(folder, "pyproject.toml")
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _read(path: str) -> Mapping[str, Any]:
    """The settings in a file. One that cannot be read is left to uv itself, which says so."""
    try:
        with open(path, encoding="utf-8") as file:
            whole = _toml.loads(file.read())
    except (OSError, ValueError):
        return {}
    if os.path.basename(path) == "pyproject.toml":
        return _table(_table(whole.get("tool")).get("uv"))
    return whole


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
