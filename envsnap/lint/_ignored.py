"""Comments that say where a rule does not count: `# envsnap: ignore[DKR001] why`."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"#\s*envsnap:\s*ignore(-file)?\[([A-Z0-9, ]+)\]")


class Ignored:
    """Which rules the comments of a file switch off, and where.

    A comment counts for its own line and for the first one below it that is no comment;
    `ignore-file` counts for all.
    """

    def __init__(self, text: str) -> None:
        self._everywhere: set[str] = set()
        self._at: dict[int, set[str]] = {}
        rows = text.split("\n")
        waiting: set[str] = set()
        for number, row in enumerate(rows, 1):
            match = _COMMENT.search(row)
            codes = {each.strip() for each in match[2].split(",")} if match else set()
            if match and match[1]:
                self._everywhere |= codes
                continue
            self._at[number] = codes | waiting
            bare = row.strip()
            if bare.startswith("#"):
                waiting |= codes
            elif bare:
                waiting = set()

    def covers(self, line: int, code: str) -> bool:
        """Whether a problem of that code at that line is not to be told."""
        return code in self._everywhere or code in self._at.get(line, ())
