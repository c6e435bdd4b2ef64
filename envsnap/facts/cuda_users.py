"""Which distributions want CUDA from the system: its compiler at run time, or its libraries."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase

from envsnap._typing import Literal
from envsnap.facts._table import Looked, table

Need = Literal["compiler", "libraries"]


def need(name: str, others: Collection[str] = ()) -> Looked[Need] | None:
    """Give what a distribution takes from the system's CUDA, by canonical names.

    'compiler': it compiles at run time with nvcc. 'libraries': it opens CUDA's libraries and
    brings none of them. None where one of the `others` that are installed brings them, and for
    every distribution that no row names.

    >>> need("deepspeed").value, need("cupy-cuda12x").value, need("idna")
    ('compiler', 'libraries', None)
    >>> need("tensorflow", ["nvidia-cublas-cu12"])
    """
    facts = table("cuda_users")
    for row in facts.rows("cuda_user"):
        if fnmatchcase(name, row["name"]):
            brought = any(fnmatchcase(each, part) for each in others for part in row["unless"])
            return None if brought else facts.looked(row["needs"], row)
    return None
