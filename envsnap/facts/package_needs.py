"""What a distribution needs of the system that its compiled code does not show."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, Row, Table, table


class Needs(NamedTuple):
    """What one distribution asks of the system that it runs on."""

    programs: tuple[str, ...]
    """Programs that it starts, by their command."""
    at_once: bool
    """Whether it is of no use without them: its import fails, or the first thing it does."""
    opens: tuple[str, ...]
    """Libraries that it opens by name while it runs: nothing in its files shows them."""
    links: tuple[str, ...]
    """Libraries that its usual build asks for: what is known where its files were not read."""
    builds: tuple[str, ...]
    """Programs that building it from source takes, beside the compilers of C and C++."""


def needs_of(name: str) -> Answer[Needs]:
    """Give what a distribution needs of the system, by its canonical name.

    >>> needs_of("triton").value.programs, needs_of("opencv-python").value.links
    (('cc',), ('libGL.so.1', 'libgthread-2.0.so.0'))
    """
    facts = table("package_needs")
    row = _rows(facts).get(name)
    if row is None:
        return facts.missing(f"What {name} needs of the system")
    programs, opens, links, builds = (
        tuple(row[field]) for field in ("programs", "opens", "links", "builds")
    )
    at_once = row.get("at_once", False)
    return facts.looked(Needs(programs, at_once, opens, links, builds), row)


@functools.cache
def _rows(facts: Table) -> Mapping[str, Row]:
    return {row["name"]: row for row in facts.rows("package_need")}
