"""Which distributions compute on a GPU, and what their GPU code is for."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase

from envsnap._typing import Literal
from envsnap.facts._table import Row, table


@functools.cache
def gpu_only() -> frozenset[str]:
    """The distributions that do nothing, or not what they are for, without a GPU.

    >>> "flash-attn" in gpu_only(), "torch" in gpu_only()
    (True, False)
    """
    rows = table("gpu_packages").rows("gpu_package")
    return frozenset(row["name"] for row in rows if row["gpu_only"])


def code(name: str) -> Literal["main", "part", "optional"]:
    """What a distribution's GPU code is for, by its canonical name.

    'main': without it nothing runs. 'part': what uses it asks for it. 'optional': it holds code
    for few GPUs on purpose, or for a profiler, and most programs ask for none.
    """
    row = _row(name)
    found: Literal["main", "part", "optional"] = "part" if row is None else row["code"]
    return found


def roots(name: str) -> tuple[str, ...]:
    """The libraries of a distribution that everything else of it needs; none for most.

    >>> roots("torch")
    ('libtorch_cuda.so', 'libtorch_hip.so')
    """
    row = _row(name)
    return () if row is None else tuple(row["roots"])


def _row(name: str) -> Row | None:
    rows = table("gpu_packages").rows("gpu_package")
    return next((row for row in rows if fnmatchcase(name, row["name"])), None)
