"""What a distribution does to the numbers of a program that has it: computes them, or nothing."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from envsnap._typing import Literal
from envsnap.facts._table import Answer, Row, Table, table

Role = Literal["computes", "library", "serves"]
"""'computes': what comes out is its own choice; 'library': the same functions in every version,
as BLAS and cuDNN; 'serves': it installs, fetches, prints or checks, and no number passes through.
"""


def role_of(name: str) -> Answer[Role]:
    """Give the role of a distribution, or of a conda package, by its canonical name.

    >>> role_of("certifi").value, role_of("numpy").value, role_of("nvidia-cudnn-cu12").value
    ('serves', 'computes', 'library')
    """
    return _role(table("package_roles"), name)


@functools.lru_cache(maxsize=4096)  # several rules ask for each package that differs
def _role(facts: Table, name: str) -> Answer[Role]:
    known, beginnings = _rows(facts)
    row = known.get(name)
    if row is None and name.startswith(tuple(beginnings)):
        row = next(row for start, row in beginnings.items() if name.startswith(start))
    return facts.missing(f"What {name} computes") if row is None else facts.looked(row["role"], row)


@functools.cache
def _rows(facts: Table) -> tuple[Mapping[str, Row], Mapping[str, Row]]:
    """The rows by name, and those that are for all names with a beginning ('nvidia-cudnn*')."""
    rows = {row["name"]: row for row in facts.rows("package_role")}
    beginnings = {name[:-1]: row for name, row in rows.items() if name.endswith("*")}
    return rows, beginnings
