"""What the field knows of drift, one line each with its source: the rules rest on these."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, Looked, table


class Principle(NamedTuple):
    """One thing that is known of environments and their results, whoever checks them."""

    number: str
    """'R1', 'R6b', ...: it never changes."""
    says: str
    not_judged: str | None
    """Why no rule judges by it yet; None where one does."""


def every() -> tuple[Looked[Principle], ...]:
    """Give all of them, in the order of their numbers."""
    facts = table("principles")
    return tuple(
        facts.looked(Principle(row["number"], row["says"], row["not_judged"]), row)
        for row in facts.rows("principle")
    )


def principle(number: str) -> Answer[Principle]:
    """Give one by its number, in capitals or not.

    >>> from envsnap.facts import principles
    >>> principles.principle("r6").value.says
    "the loaded kernel module and the driver's libraries must be of one version"
    """
    for each in every():
        if each.value.number.lower() == number.lower():
            return each
    return table("principles").missing(f"Principle {number}")
