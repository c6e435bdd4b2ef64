"""Which packages of a uv.lock a plain `uv sync` installs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from envsnap._typing import Any, NamedTuple
from envsnap.imports._gathered import few
from envsnap.imports._target import Target

Row = Mapping[str, Any]

_OWN = ("editable", "virtual")


class Chosen(NamedTuple):
    """What is installed, and what was left out."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def wanted(rows: Iterable[Row], where: Target) -> Chosen:
    """The packages that the project and its group dev lead to, on that platform and Python.

    A lock that names no project of its own is taken whole.
    """
    known = [each for each in rows if isinstance(each.get("name"), str)]
    by_name: dict[str, list[Row]] = {}
    for each in known:
        by_name.setdefault(each["name"], []).append(each)
    roots = [each for each in known if _is_own(each)]
    if not roots:
        return Chosen(tuple(each for each in known if _is_installed(each)), ())
    found = _reached(roots, by_name, where)
    kept = tuple(each for each in found if _is_installed(each))
    names = {each["name"] for each in found}
    left = sorted({each["name"] for each in known} - names)
    more = f"left out, for other platforms, Pythons, extras or groups: {few(left)}"
    return Chosen(kept, (more,) if left else ())


def _reached(roots: Sequence[Row], by_name: Mapping[str, list[Row]], where: Target) -> list[Row]:
    waiting: list[tuple[Row, frozenset[str]]] = [(each, frozenset()) for each in roots]
    found: dict[int, Row] = {}
    done: set[tuple[int, str]] = set()
    while waiting:
        row, extras = waiting.pop()
        found[id(row)] = row
        for edge in _edges(row, extras, done):
            if where.holds(_word(edge, "marker")):
                waiting += [
                    (each, _extras(edge))
                    for each in by_name.get(edge["name"], ())
                    if _is(edge, each)
                ]
    return list(found.values())


def _edges(row: Row, extras: frozenset[str], done: set[tuple[int, str]]) -> Iterator[Row]:
    """What a package needs, with these extras; each part of it once."""
    parts = {"": row.get("dependencies")}
    optional = row.get("optional-dependencies")
    if isinstance(optional, dict):
        parts.update({name: optional[name] for name in extras if name in optional})
    groups = row.get("dev-dependencies")
    if isinstance(groups, dict) and _is_own(row):
        parts["dev-dependencies.dev"] = groups.get("dev")
    for name, part in parts.items():
        if (id(row), name) in done or not isinstance(part, list):
            continue
        done.add((id(row), name))
        yield from (each for each in part if isinstance(each, dict) and _word(each, "name"))


def _is(edge: Row, row: Row) -> bool:
    """Whether an edge means this one of several versions of a package."""
    return all(edge.get(key, row.get(key)) == row.get(key) for key in ("version", "source"))


def _extras(edge: Row) -> frozenset[str]:
    named = edge.get("extra")
    every = named if isinstance(named, list) else []
    return frozenset(each for each in every if isinstance(each, str))


def _is_own(row: Row) -> bool:
    source = row.get("source")
    return isinstance(source, dict) and any(source.get(key) == "." for key in _OWN)


def _is_installed(row: Row) -> bool:
    """Whether it has a version, and more than a name: a virtual project is not installed."""
    source = row.get("source")
    return isinstance(row.get("version"), str) and not (
        isinstance(source, dict) and "virtual" in source
    )


def _word(tree: Row, key: str) -> str | None:
    value = tree.get(key)
    return value if isinstance(value, str) and value else None
