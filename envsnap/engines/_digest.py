"""The one form that an image's digest has."""

from __future__ import annotations

import re

_DIGEST = re.compile(r"\Asha256:[0-9a-f]{64}\Z")


def as_digest(text: str | None) -> str | None:
    """The text, where it is a digest; else None.

    >>> as_digest("latest") is None
    True
    """
    return text if text and _DIGEST.match(text) else None
