"""Which C library a wheel's tag asks for, and which one a distribution has."""

from __future__ import annotations

from functools import cache

from envsnap._typing import Literal, NamedTuple
from envsnap.facts._table import Answer, Row, parse_dotted, table

Libc = Literal["glibc", "musl"]

_TAG_PARTS = 3


class LibcFloor(NamedTuple):
    """The oldest C library that a wheel asks for."""

    libc: Libc
    version: str


class Distribution(NamedTuple):
    """A release of a Linux distribution."""

    id: str
    """The ID of its os-release file."""
    version: str
    libc: Libc
    libc_version: str
    codename: str | None
    """Debian's and Ubuntu's releases have one; None for the others."""
    glibcxx: str | None
    """The newest symbol version of its libstdc++. None where it was not measured."""


@cache  # the wheels of an environment share a few tags
def floor(tag: str) -> Answer[LibcFloor]:
    """Give the C library that a platform tag asks for.

    >>> from envsnap.facts import manylinux
    >>> manylinux.floor("manylinux_2_28_x86_64").value
    LibcFloor(libc='glibc', version='2.28')
    """
    facts = table("manylinux")
    rows = facts.rows("policy")
    alias = next((row for row in rows if _is_legacy(row, tag)), None)
    if alias is not None:
        return facts.looked(LibcFloor(alias["libc"], alias["version"]), alias)
    parts = tag.split("_")[:_TAG_PARTS]
    numbers = parse_dotted(".".join(parts[1:]))
    if len(parts) < _TAG_PARTS or numbers is None or parts[0] not in ("manylinux", "musllinux"):
        return facts.missing(f"Platform tag {tag}")
    libc: Libc = "glibc" if parts[0] == "manylinux" else "musl"
    # The two numbers are the version by definition, so a tag without a row has its answer too.
    nearest = [row for row in rows if row["libc"] == libc]
    same = [row for row in nearest if row["tag"] == "_".join(parts)]
    return facts.looked(LibcFloor(libc, ".".join(parts[1:])), *(same or nearest[-1:]))


def distribution(os_id: str, version_id: str) -> Answer[Distribution]:
    """Give a distribution by ID and VERSION_ID of os-release; RHEL's 9.4 answers as 9."""
    facts = table("manylinux")
    what = f"{os_id} {version_id}"
    rows = {row["version"]: row for row in facts.rows("distro") if row["id"] == os_id}
    asked = parse_dotted(version_id)
    if not rows or asked is None:
        return facts.missing(what)
    for length in range(len(asked), 0, -1):
        row = rows.get(".".join(version_id.split(".")[:length]))
        if row is not None:
            return facts.looked(_distribution(row), row)
    newest = max(parse_dotted(version) or () for version in rows)
    return facts.newer(what) if asked > newest else facts.missing(what)


def _is_legacy(row: Row, tag: str) -> bool:
    alias = row["legacy_alias"]
    return alias is not None and (tag == alias or tag.startswith(f"{alias}_"))


def _distribution(row: Row) -> Distribution:
    return Distribution(
        id=row["id"],
        version=row["version"],
        libc=row["libc"],
        libc_version=row["libc_version"],
        codename=row["codename"],
        glibcxx=row["glibcxx_max"],
    )
