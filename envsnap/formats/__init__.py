"""The recipes that engines read. Each format writes one plan in its own syntax.

A format is one module of this folder with one function under `@container_format`, which says what
the command line has to know of it, too.
"""

from __future__ import annotations

from envsnap.formats._registry import Format, Place, container_format, formats, heeds, named

__all__ = ["Format", "Place", "container_format", "formats", "heeds", "named"]
