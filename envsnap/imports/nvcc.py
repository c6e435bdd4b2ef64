"""What `nvcc --version` prints: the CUDA compiler, which no package of Python brings."""

from __future__ import annotations

import re

from envsnap.imports._core import Text, Told, blank, reader
from envsnap.sections import Cuda

_RELEASE = re.compile(r"Cuda compilation tools, release (\d{1,2}\.\d{1,2})(?:, V(\d[\d.]{1,20}))?")


@reader("nvcc --version")
def read_nvcc(text: Text) -> Told | None:
    """The release of the compiler."""
    match = _RELEASE.search(text.text)
    return (
        Told("nvcc --version", {"cuda": blank(Cuda, nvcc=match[2] or match[1])}) if match else None
    )
