"""Which CUDA component an `nvidia-*` distribution is, and which toolkit its version belongs to."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, Row, Table, parse_dotted, table

_LONGEST_MAJOR = 2


class Component(NamedTuple):
    """A CUDA component as one distribution brings it."""

    name: str
    """'cudnn', 'cublas', 'cuda-runtime', ..."""
    cuda_major: int
    distribution: str
    sonames: tuple[str, ...]
    """The SONAMEs of its libraries, sorted; empty for headers and tools."""
    title: str


def component(distribution: str, version: str | None = None) -> Answer[Component]:
    """Give the component that a distribution is: 'nvidia-cudnn-cu12' is cuDNN for CUDA 12.

    The name is the canonical one, in lower case with hyphens.
    From CUDA 13 on most names have no suffix. Their `version`, where it is given, keeps a
    later CUDA from passing for 13.
    """
    facts = table("nvidia_pip")
    what = distribution if version is None else f"{distribution} {version}"
    rows = facts.rows("component")
    newest = max(row["cuda_major"] for row in rows)
    suffix = _suffix(distribution)
    if distribution.startswith("nvidia-") and suffix is not None and suffix > newest:
        return facts.newer(what)
    for row in rows:
        if row["distribution"] == distribution:
            major = (parse_dotted(version or "") or (0,))[0]
            if suffix is None and major > newest:
                return facts.newer(what)
            return facts.looked(_component(row), row)
    return facts.missing(what)


def by_soname(soname: str) -> Answer[tuple[Component, ...]]:
    """Give the components that have a library of this SONAME: more than one CUDA can share it."""
    facts = table("nvidia_pip")
    rows = [row for row in facts.rows("component") if soname in row["sonames"]]
    if not rows:
        return facts.missing(f"Library {soname}")
    return facts.looked(tuple(map(_component, rows)), *rows)


def toolkits(distribution: str, version: str) -> Answer[tuple[str, ...]]:
    """Give the CUDA toolkits that were released with this version, oldest first."""
    facts = table("nvidia_pip")
    rows = _by_pin(facts).get((distribution, version))
    if rows is None:
        return facts.missing(f"{distribution} {version}")
    return facts.looked(tuple(row["cuda_toolkit"] for row in rows), *rows)


def pins(toolkit: str) -> Answer[Mapping[str, str]]:
    """Give the versions of the distributions of a CUDA toolkit such as '12.8.1'."""
    facts = table("nvidia_pip")
    what = f"CUDA toolkit {toolkit}"
    rows = facts.rows("toolkit_pins")
    for row in rows:
        if row["cuda_toolkit"] == toolkit:
            return facts.looked(MappingProxyType(row["pins"]), row)
    newest = max(parse_dotted(row["cuda_toolkit"]) or () for row in rows)
    newer = (parse_dotted(toolkit) or ()) > newest
    return facts.newer(what) if newer else facts.missing(what)


def _suffix(distribution: str) -> int | None:
    # Three digits, as in -cu117, are a minor version: names that were given up with CUDA 12.
    tail = distribution.rpartition("-cu")[2]
    return int(tail) if tail.isdecimal() and len(tail) <= _LONGEST_MAJOR else None


def _component(row: Row) -> Component:
    return Component(
        name=row["component"],
        cuda_major=row["cuda_major"],
        distribution=row["distribution"],
        sonames=tuple(row["sonames"]),
        title=row["title"],
    )


@functools.cache
def _by_pin(facts: Table) -> Mapping[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in facts.rows("toolkit_pins"):
        for pin in row["pins"].items():
            found.setdefault(pin, []).append(row)
    return found
