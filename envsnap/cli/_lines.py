"""Lines of reports, cleaned and coloured part by part, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from envsnap.cli._terminal import Style, clean
from envsnap.reports._lines import Line, Part


def painted(lines: Iterable[Line], style: Style) -> str:
    """The lines as text for the terminal. No part's own text can misuse it."""
    return "\n".join("".join(_paint(part, style) for part in each).rstrip() for each in lines)


def _paint(part: Part, style: Style) -> str:
    text = clean(part.text.replace("\n", " ").replace("\t", " "))
    return text if not part.look or not text.strip() else getattr(style, part.look)(text)
