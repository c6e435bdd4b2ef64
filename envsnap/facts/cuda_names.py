"""Which CUDA a distribution is for, by its name and version: conventions, no table."""

from __future__ import annotations

import re

_LABEL = re.compile(r"\+cu(\d{2})(\d)\b")
_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?\Z")
_SUFFIX = re.compile(r"(?:-cuda|-cu)(?:([89])(\d)|(1\d)(?:x|(\d))?)(?:-|\Z)")


def cuda_of(name: str, version: str) -> str | None:
    """The CUDA version that a distribution was built for; None where nothing says it.

    >>> cuda_of("torch", "2.5.1+cu124"), cuda_of("cupy-cuda12x", "13.3.0"), cuda_of("idna", "3.7")
    ('12.4', '12', None)
    >>> cuda_of("cupy-cuda112", "10.6.0"), cuda_of("mxnet-cu92", "1.7.0")
    ('11.2', '9.2')
    """
    if "cu" not in name and "+cu" not in version:
        return None  # most of them, at a tenth of the cost
    label = _LABEL.search(version)
    if label:
        return f"{label[1]}.{label[2]}"
    if _RUNTIME.match(name):
        return ".".join(version.split(".")[:2])
    suffix = _SUFFIX.search(name)
    return ".".join(filter(None, suffix.groups())) if suffix else None
