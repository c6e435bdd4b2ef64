"""The files of an installation that has a RECORD, as the members of a wheel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envsnap.errors import FileError
from envsnap.inside.content import (
    RECORD_LIMIT,
    Refusal,
    from_prefix,
    is_of_installers,
    rows_of,
    scripts_of,
)
from envsnap.wheelhouse._member import Area, Gathered, Member, is_below, is_member_name, listed
from envsnap.wheelhouse._scripts import is_short, portable

_SMALL_BYTES = 16 * 1024 * 1024


class Row(NamedTuple):
    """One row of a RECORD, or of what stands for one."""

    path: str
    """Relative to the folder of packages, or absolute."""
    sha256: str | None = None


class Sorted(NamedTuple):
    """The rows of an installation: what is packed, and what is not, each with its reason."""

    members: tuple[Member, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader should know, one line for each reason."""
        reasons = sorted({why for _, why in self.left_out})
        return tuple(
            f"not packed, {why}: " + listed([path for path, each in self.left_out if each == why])
            for why in reasons
        )


def gather(dist_info: str, area: Area) -> Gathered:
    """The members of the distribution whose dist-info folder this is.

    Raises:
        FileError: Its RECORD cannot be read.
    """
    rows = recorded(read(f"{dist_info}/RECORD", RECORD_LIMIT))
    name = os.path.basename(dist_info)
    own = b"\n" + os.fsencode(name) + b"/"
    kept = [row for row in rows if not is_of_installers(b"\n" + os.fsencode(row.path), own)]
    found = sort_out(kept, area, name.removesuffix(".dist-info"), wrappers(dist_info))
    return Gathered(name.removesuffix(".dist-info"), found.members, found.notes)


def recorded(record: bytes) -> tuple[Row, ...]:
    """The rows of a RECORD.

    Raises:
        FileError: It is no table.
    """
    found = rows_of(record)
    if isinstance(found, Refusal):
        raise FileError(found.detail)
    stated = [
        Row(os.fsdecode(path[1:]), hexed.decode())
        for path, hexed in zip(found.paths, found.hexes, strict=True)
    ]
    return (*stated, *(Row(os.fsdecode(path[1:])) for path, _ in found.bad if path[1:]))


def sort_out(
    rows: Iterable[Row], area: Area, stem: str, without: frozenset[str] = frozenset()
) -> Sorted:
    """The rows as members of a wheel; `without` are the scripts that installers make."""
    members: dict[str, Member] = {}
    left_out: list[tuple[str, str]] = []
    for row in rows:
        path = _found(row, area)
        name = _name_in_wheel(path, area, stem)
        if name is None or name.removeprefix(f"{stem}.data/scripts/") in without:
            continue
        why = area.why_not(path)
        if why is None and not is_member_name(name):
            why = "no wheel can have such a name"
        if why is not None:
            left_out.append((_shown(row, why), why))
        elif name not in members:
            members[name] = _member(name, path, row, stem)
    return Sorted(tuple(members.values()), tuple(sorted(left_out)))


def _shown(row: Row, why: str) -> str:
    """A row for a message; of one outside the environment, its last part alone."""
    return row.path if "outside" not in why else os.path.basename(row.path)


def _found(row: Row, area: Area) -> str:
    """Where the file of a row is.

    `pip --target` moves what leaves the folder of packages, and does not correct RECORD.
    """
    path = os.path.normpath(os.path.join(area.folder, row.path))
    if area.prefix == area.folder and not is_below(path, area.folder):
        moved = os.path.join(area.folder, os.fsdecode(from_prefix(os.fsencode(row.path))))
        if is_below(moved, area.folder) and os.path.isfile(moved):
            return moved
    return path


def _name_in_wheel(path: str, area: Area, stem: str) -> str | None:
    """The name of an installed file in its wheel; None for one that no wheel brings."""
    if path.endswith(".pyc"):
        return None
    moved = area.prefix == area.folder and is_below(path, f"{area.folder}/bin")
    if is_below(path, area.folder) and not moved:
        return os.path.relpath(path, area.folder)
    rest = os.path.relpath(path, area.prefix)
    travelling = os.fsdecode(from_prefix(os.fsencode(rest)))
    top, _, below = travelling.partition("/")
    if top == "bin" and below and "/" not in below:
        return f"{stem}.data/scripts/{below}"
    if top == "headers" and not rest.startswith("headers"):
        return f"{stem}.data/headers/{below}"
    return f"{stem}.data/data/{rest}"


def _member(name: str, path: str, row: Row, stem: str) -> Member:
    if not name.startswith(f"{stem}.data/scripts/") or not is_short(os.path.getsize(path)):
        return Member(name, path, stated=row.sha256)
    data = read(path, _SMALL_BYTES)
    wanted = portable(data, os.fsencode(os.path.dirname(path)))
    if wanted == data:
        return Member(name, path, stated=row.sha256)
    return Member(name, data=wanted)


def wrappers(dist_info: str) -> frozenset[str]:
    """The scripts that installers make anew from a distribution's entry points."""
    path = f"{dist_info}/entry_points.txt"
    points = read(path, _SMALL_BYTES) if os.path.isfile(path) else b""
    return frozenset(os.fsdecode(each) for each in scripts_of(points))


def walked(top: str, area: Area) -> Iterator[Row]:
    """Every file below a folder, sorted; links to folders are not followed."""
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        for name in sorted(files):
            yield Row(os.path.relpath(os.path.join(folder, name), area.folder))


def read(path: str, limit: int) -> bytes:
    """A small regular file, whole.

    Raises:
        FileError: It cannot be read, or is larger.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    if len(raw) > limit:
        raise FileError(f"{path} is larger than {limit >> 20} MiB")
    return raw
