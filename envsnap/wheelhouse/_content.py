"""What a wheel would install, told by the files in it; hostile ones are bounded."""

from __future__ import annotations

import zipfile

from envsnap.engines._archives import ZIP_FAULTS
from envsnap.inside.wheel import from_wheel

_LIMIT_BYTES = 64 * 1024**3
"""The most that is unpacked to look at it."""


def content_of(path: str) -> str | None:
    """The envsnap-content-1 digest of a wheel's own files; None of what is no usable wheel."""
    try:
        with zipfile.ZipFile(path) as wheel:
            if sum(each.file_size for each in wheel.infolist()) > _LIMIT_BYTES:
                return None
        return from_wheel(path).content
    except (OSError, *ZIP_FAULTS):
        return None
