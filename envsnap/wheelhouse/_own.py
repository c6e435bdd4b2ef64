"""Which files of a wheelhouse a run may replace or remove: none that is somebody's own.

The folder that a user names can hold their downloads and builds, and wheels that were made for
another environment and are nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envsnap.errors import FileError
from envsnap.inside.content import read_file
from envsnap.sections import MADE_HERE
from envsnap.wheelhouse._member import listed
from envsnap.wheelhouse._store import (
    LOCK_NAME,
    MADE_AGAIN,
    Stored,
    Wheelhouse,
    is_plain,
    open_wheelhouse,
    sha256_of,
)

_LIMIT_BYTES = 16 * 1024 * 1024
_SHOWN = 5
_ELSEWHERE = "Name another folder (--wheelhouse DIR), or move it away"


class Own(NamedTuple):
    """What is known of the files of a folder."""

    wheelhouse: Wheelhouse
    """As its list has it, whatever environment that is of; empty without one."""
    environment: str
    """That of this run."""
    put_there: frozenset[tuple[str, str]]
    """Name and SHA-256 of what this run, or one for it that was killed, fetches or makes."""

    def may_replace(self, filename: str) -> bool:
        """Whether nothing is lost with what is there now, by its name in the wheelhouse.

        This run put it there; or the list has it with these very bytes, and it can be had again:
        from where it came, or, made for this environment, from what is installed.

        Raises:
            FileError: It cannot be read, or is no regular file.
        """
        path = os.path.join(self.wheelhouse.folder, *filename.split("/"))
        if not os.path.lexists(path):
            return True
        found = sha256_of(path)
        if (filename, found) in self.put_there:
            return True
        return any(
            each.sha256 == found and not (_was_made(each) and self._is_of_another)
            for each in self._listed(filename)
        )

    def is_made_for_another(self, filename: str) -> bool:
        """Whether a file was made for another environment, and is as it was made."""
        made = [each for each in self._listed(filename) if _was_made(each)]
        if not (made and self._is_of_another):
            return False
        path = os.path.join(self.wheelhouse.folder, *filename.split("/"))
        return sha256_of(path) in {each.sha256 for each in made}

    def _listed(self, filename: str) -> list[Stored]:
        return [each for each in self.wheelhouse.files if each.filename == filename]

    @property
    def _is_of_another(self) -> bool:
        return self.wheelhouse.environment != self.environment

    def refuse(self, filenames: Iterable[str]) -> None:
        """Refuse a run that would replace what is not its own.

        Raises:
            FileError: It would.
        """
        theirs = [each for each in filenames if not self.may_replace(each)]
        if theirs:
            raise FileError(
                f"{self.wheelhouse.folder} has other files of these names, and no run can have "
                f"them again: {listed(theirs, _SHOWN)}",
                hint=_ELSEWHERE,
            )

    def put(self, path: str, name: str, *, follows: bool = False) -> str:
        """Where a new file lies now that was made beside the wheelhouse's.

        One that `follows` takes the place of what the list has, whatever environment that was
        made for: who edits a project and locks it again means its wheel to follow.

        Raises:
            FileError: Another file is there, and stays.
        """
        target = os.path.join(self.wheelhouse.folder, *name.split("/"))
        digest = sha256_of(path) or ""
        listed = self._listed(name) if follows else ()
        known = {digest, *(each.sha256 for each in listed)}
        if not self.may_replace(name) and sha256_of(target) not in known:
            raise FileError(self.stays(name))
        note(self, [(name, digest)])
        os.replace(path, target)
        return target

    def stays(self, filename: str) -> str:
        """Why a file is not replaced, and what can be done."""
        folder = self.wheelhouse.folder
        return (
            f"{filename} in {folder} is another file, which no run can have again, and it stays: "
            f"{_ELSEWHERE[0].lower()}{_ELSEWHERE[1:]}"
        )


def _was_made(stored: Stored) -> bool:
    return stored.how in MADE_HERE or any(each.startswith(MADE_AGAIN) for each in stored.notes)


def own_files(folder: str, environment: str) -> Own:
    """What is known of the files of a folder, which need not be there yet."""
    try:
        found = open_wheelhouse(folder)
    except FileError:
        found = Wheelhouse(folder, "", ())
    return Own(found, environment, frozenset(_noted(folder, environment)))


def note(own: Own, rows: Iterable[tuple[str, str]]) -> Own:
    """Note what this run puts there before it does, so that after a kill it is known whose it was.

    The note stands in the file of the lock: no other in the folder is surely envsnap's own.
    """
    new = frozenset(rows) - own.put_there
    raw = "".join(f"\n{own.environment} {digest} {name}" for name, digest in sorted(new)).encode()
    if raw:
        _write(own.wheelhouse.folder, raw, os.O_APPEND)
    return own._replace(put_there=own.put_there | new)


def forget(own: Own) -> None:
    """Drop the note: the list says now what every file is."""
    _write(own.wheelhouse.folder, b"", os.O_TRUNC)


def _write(folder: str, raw: bytes, how: int) -> None:
    path = os.path.join(folder, LOCK_NAME)
    try:
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, 0o644), "wb"
        ) as file:
            file.write(raw)
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}") from error


def _noted(folder: str, environment: str) -> Iterator[tuple[str, str]]:
    """What a run for this environment has noted that was killed; a torn line names no file."""
    try:
        raw = read_file(os.fsencode(os.path.join(folder, LOCK_NAME)), _LIMIT_BYTES)
    except OSError:
        return
    for line in raw.decode("utf-8", "replace").split("\n"):
        of, _, rest = line.partition(" ")
        digest, _, name = rest.partition(" ")
        if of == environment and is_plain(name):
            yield name, digest
