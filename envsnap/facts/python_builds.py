"""Which relocatable builds of CPython are published for Linux with glibc, and their digests."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.facts._patches import numbers
from envsnap.facts._table import Answer, Row, table

_ADDRESS = "https://github.com/astral-sh/python-build-standalone/releases/download"


class Build(NamedTuple):
    """One archive that unpacks to a folder `python`, which works wherever it lies."""

    filename: str
    url: str
    sha256: str


def build(version: str, machine: str, *, free_threaded: bool = False) -> Answer[Build]:
    """Give the archive of a version to the patch, for one architecture.

    >>> build("3.11.7", "x86_64").value.filename
    'cpython-3.11.7+20240107-x86_64-unknown-linux-gnu-install_only.tar.gz'
    """
    facts = table("python_builds")
    what = f"A relocatable build of Python {version}{'t' if free_threaded else ''} for {machine}"
    asked = numbers(version)
    if asked is None:
        return facts.missing(what)
    rows = _rows(machine, free_threaded=free_threaded)
    for row in rows:
        if row["python"] == version:
            return facts.looked(_build(row, machine), row)
    known = [numbers(row["python"]) or () for row in rows]
    newest = max((each for each in known if each[:2] == asked[:2]), default=None)
    is_newer = asked > (newest if newest is not None else max(known, default=()))
    return facts.newer(what) if is_newer else facts.missing(what)


def address(filename: str) -> str | None:
    """Give where an archive is fetched, by its file name; None for a name that no row has."""
    for row in table("python_builds").rows("python_build"):
        if filename.startswith(f"cpython-{row['python']}+{row['release']}-"):
            for machine in row["sha256"]:
                found = _build(row, machine)
                if found.filename == filename:
                    return found.url
    return None


def versions(machine: str, *, free_threaded: bool = False) -> tuple[str, ...]:
    """Give every version that has an archive for this architecture, the oldest first."""
    rows = _rows(machine, free_threaded=free_threaded)
    return tuple(sorted((row["python"] for row in rows), key=lambda each: numbers(each) or ()))


def _rows(machine: str, *, free_threaded: bool) -> list[Row]:
    variant = "freethreaded" if free_threaded else ""
    rows = table("python_builds").rows("python_build")
    return [row for row in rows if row["variant"] == variant and machine in row["sha256"]]


def _build(row: Row, machine: str) -> Build:
    start = f"cpython-{row['python']}+{row['release']}-{machine}-unknown-linux-gnu"
    filename = f"{start}-{row['form']}.tar.gz"
    url = f"{_ADDRESS}/{row['release']}/{filename.replace('+', '%2B')}"
    return Build(filename, url, row["sha256"][machine])
