"""cuDNN: its version numbers, what each version supports, and its libraries' names."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, Dotted, parse_dotted, table

_NINE = 90000
_COMPARED = 3
_ANY_PATCH = 10**9


class Support(NamedTuple):
    """What one range of cuDNN versions supports with one range of CUDA versions."""

    first: str
    last: str
    """The range of cuDNN versions, both ends in it; 'x' stands for any patch."""
    cuda: str
    """As the support matrix words it: '12.0-12.6', '11.x'."""
    compute_capability: str
    """As the support matrix words it: '5.0-9.0', '>=3.5'."""
    linux_driver_min: str | None
    """None where the matrix states none."""
    windows_driver_min: str | None
    """None where the matrix states none."""


def version(number: int) -> str:
    """Give the dotted version of what `cudnnGetVersion` returns: 90100 is 9.1.0.

    >>> version(8907)
    '8.9.7'
    """
    # From 9 on the major has its own two digits more than before.
    major, rest = divmod(number, 10000 if number >= _NINE else 1000)
    return f"{major}.{rest // 100}.{rest % 100}"


def generation(text: str) -> int | None:
    """Give the major of a version such as '9.1.0.70'; None where it is no version."""
    numbers = parse_dotted(text)
    return None if numbers is None else numbers[0]


def support(text: str) -> Answer[tuple[Support, ...]]:
    """Give the support matrix of a cuDNN version such as '9.1.0.70', a line for each CUDA."""
    facts = table("cudnn")
    what = f"cuDNN {text}"
    asked = (parse_dotted(text) or ())[:_COMPARED]
    if not asked:
        return facts.missing(what)
    rows = [
        row for row in facts.rows("support") if _bound(row["first"]) <= asked <= _bound(row["last"])
    ]
    if rows:
        lines = (Support(**{name: row[name] for name in Support._fields}) for row in rows)
        return facts.looked(tuple(lines), *rows)
    newest = max(_bound(row["last"]) for row in facts.rows("support"))
    return facts.newer(what) if asked > newest else facts.missing(what)


def sonames(major: int) -> Answer[tuple[str, ...]]:
    """Give the SONAMEs of a cuDNN generation's libraries."""
    facts = table("cudnn")
    rows = facts.rows("sonames")
    for row in rows:
        if row["generation"] == major:
            return facts.looked(tuple(row["sonames"]), row)
    what = f"cuDNN {major}"
    return facts.newer(what) if major > rows[-1]["generation"] else facts.missing(what)


def _bound(text: str) -> Dotted:
    return tuple(_ANY_PATCH if part == "x" else int(part) for part in text.split("."))
