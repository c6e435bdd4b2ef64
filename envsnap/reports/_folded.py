"""Names of machines, folded as clusters write them: node[01-38]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\D*)", re.ASCII | re.DOTALL)
_SHOWN = 4
_MOST_RUNS = 5


def folded(names: Iterable[str], most: int | None = None) -> list[str]:
    """The names, those that differ in their last number alone as one.

    `most` is how many runs of numbers are told of each; None is all.

    >>> folded(["node01", "node03", "login", "node02", "gpu7.json", "node10"])
    ['node[01-03,10]', 'login', 'gpu7.json']
    """
    families: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(names):
        parts = _NUMBERED.fullmatch(name)
        key = (parts[1], parts[3]) if parts else (name,)
        families.setdefault(key, []).append(parts[2] if parts else name)
    return [each for key, those in families.items() for each in _family(key, those, most)]


def in_a_line(names: Sequence[str]) -> str:
    """The names folded, a few of them: 'node[01-38], login and 3 more'."""
    found = folded(names, _MOST_RUNS)
    left = len(found) - _SHOWN
    return f"{', '.join(found[:_SHOWN])} and {left} more" if left > 0 else ", ".join(found)


def numbers(those: Iterable[int]) -> str:
    """Whole numbers in a line.

    >>> numbers([5, 1, 2, 3])
    '1-3, 5'
    """
    return ", ".join(_runs([str(each) for each in sorted(those)]))


def _family(key: tuple[str, ...], those: list[str], most: int | None) -> Iterator[str]:
    """The names of one beginning and end as one; node01 and node1 are two machines."""
    if len(key) == 1:
        yield key[0]
        return
    before, after = key
    is_padded = any(each.startswith("0") and len(each) > 1 for each in those)
    by_width: dict[int, list[str]] = {}
    for each in those:
        by_width.setdefault(len(each) if is_padded else 0, []).append(each)
    for alike in by_width.values():
        yield f"{before}{_bracketed(sorted(alike, key=int), most)}{after}"


def _bracketed(those: Sequence[str], most: int | None) -> str:
    if len(those) == 1:
        return those[0]
    runs = list(_runs(those))
    left = 0 if most is None else len(runs) - most
    more = f" and {left} more" if left > 0 else ""
    return f"[{','.join(runs[:most])}{more}]"


def _runs(those: Sequence[str]) -> Iterator[str]:
    """Sorted numbers, those that follow one another as 'first-last'."""
    first = last = those[0]
    for each in (*those[1:], ""):
        if each and int(each) == int(last) + 1:
            last = each
            continue
        yield first if first == last else f"{first}-{last}"
        first = last = each
