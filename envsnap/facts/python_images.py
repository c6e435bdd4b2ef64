"""Which Debian suites the image python:X.Y.Z-slim-SUITE was built on."""

from __future__ import annotations

from envsnap.facts._table import Answer, parse_dotted, table

_OLDEST_FIRST = ("jessie", "stretch", "buster", "bullseye", "bookworm", "trixie")
_NUMBERS = 3


def python_slim_suites(version: str, machine: str = "x86_64") -> Answer[tuple[str, ...]]:
    """Give the suites of a patch release's slim images, the newest suite first.

    Each of them was built while the patch release was current, and none later.

    >>> python_slim_suites("3.11.7").value
    ('bookworm', 'bullseye')
    """
    facts = table("python_images")
    what = f"Image python:{version}-slim"
    asked = parse_dotted(version) or ()
    if len(asked) != _NUMBERS:
        return facts.missing(what)
    rows = [row for row in facts.rows("slim") if row["python"] == version]
    built = [row for row in rows if machine in row["machines"]]
    if built:
        newest_first = sorted((row["suite"] for row in built), key=_OLDEST_FIRST.index)[::-1]
        return facts.looked(tuple(newest_first), *built)
    if rows:
        return facts.missing(f"{what} for {machine}")
    # Only a minor release that still gets images can have got a newer patch since.
    current = {
        numbers[:2]: numbers
        for row in facts.rows("slim")
        if row["listed_until"] is None and (numbers := parse_dotted(row["python"])) is not None
    }
    newest = current.get(asked[:2], max(current.values()))
    return facts.newer(what) if asked > newest else facts.missing(what)
