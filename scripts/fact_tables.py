"""What the makers of envsnap/facts/*.json share: the order of rows, and how a table is written."""

from __future__ import annotations

import json
import os
import re

FACTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "envsnap/facts")


def natural(value: str) -> tuple[tuple[int, int, str], ...]:
    """A text to be compared with the numbers in it as numbers."""
    parts = re.findall(r"[0-9]+|[^0-9]+", value)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def write(name: str, day: str, sources: list[dict], rows: list[dict]) -> None:
    """Write a table, a source and a row a line."""
    listed, lines = (
        ",\n".join(json.dumps(each, separators=(",", ":")) for each in many)
        for many in (sources, rows)
    )
    frame = json.dumps({"schema": 1, "date": day}, separators=(",", ":"))[:-1]
    text = f'{frame},"sources":[\n{listed}\n],"rows":[\n{lines}\n]}}\n'
    with open(os.path.join(FACTS, f"{name}.json"), "w", encoding="ascii") as file:
        file.write(text)
    print(f"{len(rows)} rows, {len(text)} bytes")
