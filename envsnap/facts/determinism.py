"""Which variables and switches of programs change what they compute. The lists are closed."""

from __future__ import annotations

import re

from envsnap._typing import Literal, NamedTuple
from envsnap.facts._table import Answer, Looked, own, table

_LINE = re.compile(r"\A[ -~]*\Z")
_LONGEST = 30_000
"""A line of a Dockerfile holds 65,535 bytes, and quoting can double a value."""
_TEMPLATE = "{{"
"""What Apptainer takes for a variable of its own wherever it stands in a definition."""
_CHANGES = ("numerics", "determinism", "order", "algorithm choice")
_OF_THE_MACHINE = frozenset({"LANG", "LC_ALL", "TZ"})
"""What an image need not share with the machine: its locale and its clock."""


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


class Switch(NamedTuple):
    """A call or setting in a program that decides what it computes. No capture sees it."""

    name: str
    distribution: str
    """Whose it is, by canonical name; 'python' for the language's own."""
    decides: Literal["determinism", "precision", "seed", "threads"]
    effect: str
    default: str | None
    """What holds where the program says nothing; None where no value does."""


def names() -> frozenset[str]:
    """Give the names that a capture may read. No other variable is looked at.

    Nobody's newer table adds to them: what a capture writes is safe to publish.
    """
    return frozenset(row["name"] for row in own("determinism").rows("variable"))


def holds(name: str) -> str | None:
    """Give what a variable that a capture may read holds; None for any other."""
    rows = own("determinism").rows("variable")
    return next((row["holds"] for row in rows if row["name"] == name), None)


def changes_results(name: str) -> bool:
    """Say whether programs compute another result by it, and its value can be set elsewhere."""
    if name in _OF_THE_MACHINE:
        return False
    found = variable(name)
    if not isinstance(found, Looked) or found.value.holds != "text":
        return False
    return any(word in found.value.affects for word in _CHANGES)


def unwritable(value: str) -> str:
    """Why a value cannot stand in every format alike, as a verb's phrase; empty where it can."""
    if not _LINE.match(value):
        return "is not one line of ASCII, and recipes hold nothing else"
    if _TEMPLATE in value:
        return f"has '{_TEMPLATE}', which Apptainer would read as a variable of its own"
    if len(value) > _LONGEST:
        return f"has {len(value)} characters, and recipes hold {_LONGEST} at the most"
    return ""


def variable(name: str) -> Answer[Variable]:
    """Give what is known of one variable."""
    facts = table("determinism")
    for row in facts.rows("variable"):
        if row["name"] == name:
            value = Variable(**{field: row[field] for field in Variable._fields})
            return facts.looked(value, row)
    return facts.missing(f"Environment variable {name}")


def switches(distribution: str) -> tuple[Switch, ...]:
    """Give what programs can set in one distribution; nothing where the table has none."""
    rows = table("determinism").rows("switch")
    return tuple(
        Switch(**{field: row[field] for field in Switch._fields})
        for row in rows
        if row["distribution"] == distribution
    )
