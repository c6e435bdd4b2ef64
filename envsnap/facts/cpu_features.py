"""What NumPy's names of instruction sets ask of a processor."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, table


class Asked(NamedTuple):
    """What one name asks for: flags of the processor, or a level of x86-64. One of the two."""

    flags: tuple[str, ...] | None
    """As /proc/cpuinfo writes them, all of them needed; None where it asks for a level."""
    level: str | None
    """As 'x86_64_v3'; None where it asks for flags."""


def asked(name: str) -> Answer[Asked]:
    """Give what a name in NumPy's baseline asks for.

    >>> from envsnap.facts import cpu_features
    >>> cpu_features.asked("SSE42").value.flags, cpu_features.asked("X86_V3").value.level
    (('sse4_2',), 'x86_64_v3')
    """
    facts = table("cpu_features")
    for row in facts.rows("cpu_feature"):
        if row["name"] == name:
            flags = row["flags"]
            return facts.looked(Asked(None if flags is None else tuple(flags), row["level"]), row)
    return facts.missing(f"Instruction set {name}")
