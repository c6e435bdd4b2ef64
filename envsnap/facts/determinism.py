"""Which environment variables change what a program computes. The list is closed."""

from __future__ import annotations

from envsnap._typing import Literal, NamedTuple
from envsnap.facts._table import Answer, table


class Variable(NamedTuple):
    """An environment variable that matters."""

    name: str
    library: str
    """Who reads it."""
    affects: str
    """'numerics', 'order of sums', 'algorithm choice', ..."""
    effect: str
    values: str
    holds: Literal["text", "path", "paths", "devices"]
    """What its value can tell of the machine: paths, or the identities of its GPUs."""


def names() -> frozenset[str]:
    """Give the names that a capture may read. No other variable is looked at."""
    return frozenset(row["name"] for row in table("determinism").rows("variable"))


def variable(name: str) -> Answer[Variable]:
    """Give what is known of one variable."""
    facts = table("determinism")
    for row in facts.rows("variable"):
        if row["name"] == name:
            value = Variable(**{field: row[field] for field in Variable._fields})
            return facts.looked(value, row)
    return facts.missing(f"Environment variable {name}")
