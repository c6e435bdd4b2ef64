"""What an earlier run has left in a wheelhouse: good files are never dropped from its list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envsnap.errors import FileError
from envsnap.sections import MADE_HERE
from envsnap.wheelhouse._stand_in import stand_in
from envsnap.wheelhouse._store import Stored, Wheelhouse, open_wheelhouse

if TYPE_CHECKING:
    from envsnap.wheelhouse._prepare import Job


def earlier_of(folder: str, environment: str) -> Wheelhouse:
    """The wheelhouse as its list has it; empty where that is of another environment or useless."""
    try:
        found = open_wheelhouse(folder)
    except FileError:
        found = Wheelhouse(folder, environment, ())
    return found if found.environment == environment else found._replace(files=())


def left_by(earlier: Wheelhouse, had: Sequence[Stored], jobs: Sequence[Job]) -> tuple[Stored, ...]:
    """The files that an earlier run had and this one has not, their bytes proved.

    One wheel of a package is enough: a second could be taken for the first.
    """
    places = {each.filename for each in had}
    wheels = {each.name for each in had if each.filename.endswith(".whl")}
    wanted = {(job.name, job.package.version) for job in jobs}
    return tuple(
        each
        for each in earlier.files
        if each.filename not in places
        and not (each.filename.endswith(".whl") and each.name in wheels)
        and (each.how == "conda" or (each.name, each.version) in wanted)
        and _is_good(earlier, each)
    )


def holds_made(earlier: Wheelhouse, filename: str) -> bool:
    """Whether a file is one that an earlier run has made, which nobody else has."""
    return any(
        each.filename == filename and each.how in MADE_HERE and _is_good(earlier, each)
        for each in earlier.files
    )


def proved_by(earlier: Wheelhouse, job: Job) -> Stored | None:
    """The wheel of an earlier run that installs exactly what was captured; None without one."""
    good = earlier._replace(
        files=tuple(e for e in earlier.files if e.name == job.name and _is_good(earlier, e))
    )
    return stand_in(good, job.name, job.package.version, job.package.content)


def _is_good(earlier: Wheelhouse, stored: Stored) -> bool:
    try:
        earlier.path(stored)
    except FileError:
        return False
    return True
