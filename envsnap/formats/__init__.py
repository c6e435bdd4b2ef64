"""The recipes that engines read. Each format writes one plan in its own syntax.

A format is one module of this folder with one function under `@container_format`.
"""

from __future__ import annotations

from envsnap.formats._registry import Format, container_format, formats, named

__all__ = ["Format", "container_format", "formats", "named"]
