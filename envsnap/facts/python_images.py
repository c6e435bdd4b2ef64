"""Which Debian suites the image python:X.Y.Z-slim-SUITE was built on, and which Alpine."""

from __future__ import annotations

from envsnap.facts._table import Answer, Dotted, parse_dotted, table

_OLDEST_FIRST = ("jessie", "stretch", "buster", "bullseye", "bookworm", "trixie")
_NUMBERS = 3
_ON_ALPINE = ("x86_64", "aarch64")
"""The architectures that every image on Alpine of the table was built for."""


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
    return facts.newer(what) if _is_newer(asked) else facts.missing(what)


def python_alpine_releases(version: str, machine: str = "x86_64") -> Answer[tuple[str, ...]]:
    """Give the releases of Alpine of a patch release's images, the newest first.

    >>> python_alpine_releases("3.11.7").value
    ('3.19', '3.18', '3.17')
    """
    facts = table("python_images")
    what = f"Image python:{version}-alpine"
    asked = parse_dotted(version) or ()
    row = next((row for row in facts.rows("alpine") if row["python"] == version), None)
    if row is not None and machine in _ON_ALPINE:
        return facts.looked(tuple(reversed(row["releases"])), row)
    if row is not None:
        return facts.missing(f"{what} for {machine}")
    is_newer = len(asked) == _NUMBERS and _is_newer(asked)
    return facts.newer(what) if is_newer else facts.missing(what)


def python_alpine_versions(machine: str = "x86_64") -> tuple[str, ...]:
    """Give every version that has an image on Alpine for this architecture, the oldest first."""
    rows = table("python_images").rows("alpine") if machine in _ON_ALPINE else ()
    return tuple(sorted((row["python"] for row in rows), key=lambda each: parse_dotted(each) or ()))


def _is_newer(asked: Dotted) -> bool:
    """Whether a version may have come since: only a minor release that still gets images can."""
    current = {
        numbers[:2]: numbers
        for row in table("python_images").rows("slim")
        if row["listed_until"] is None and (numbers := parse_dotted(row["python"])) is not None
    }
    return asked > current.get(asked[:2], max(current.values()))


def python_slim_versions(machine: str = "x86_64") -> tuple[str, ...]:
    """Give every version that has a slim image for this architecture, the oldest first."""
    rows = table("python_images").rows("slim")
    found = {row["python"] for row in rows if machine in row["machines"]}
    return tuple(sorted(found, key=lambda each: parse_dotted(each) or ()))
