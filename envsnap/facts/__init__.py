"""What the world knows about drivers, CUDA, images and libraries: tables with their sources.

Each table is a JSON file of this folder, read on its first use, and each has a module of the
same name that looks things up in it. Every answer is a `Looked` (a value with its sources and
its confidence), `NewerThanFacts` or `NotInTable`: nothing is ever guessed.
"""

from __future__ import annotations

from envsnap.facts._table import (
    Answer,
    Confidence,
    Looked,
    NewerThanFacts,
    NotInTable,
    Source,
    date_of,
    given,
    parse_driver,
    use,
)

__all__ = [
    "Answer",
    "Confidence",
    "Looked",
    "NewerThanFacts",
    "NotInTable",
    "Source",
    "date_of",
    "given",
    "parse_driver",
    "use",
]
