"""The folder that an environment is restored into. What envsnap did not write is never touched.

A mark in the folder says that envsnap made it, and which folder it meant: a mark that came with a
clone, a copy or an archive says nothing of the folder that it lies in.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from collections.abc import Mapping

from envsnap.errors import FileError, UsageError

MARK = "envsnap-restore.json"
"""Says that the folder is ours, and whether it was finished."""
_ABOUT = "restored by envsnap; the folder can be deleted and made again"
_UNFINISHED = f"{MARK}.tmp"
_WORK = ".envsnap-work"
_IGNORE = ".gitignore"
_LONGEST = 1 << 20
_SHOWN = 3


def claim(folder: str, *, force: bool) -> bool:
    """Make sure that an environment may be made there; whether a half-made one lies there.

    Raises:
        UsageError: No environment can have this name.
        FileError: It holds somebody else's files, or an environment that was finished, or another
            run is at work in it.
    """
    _refuse_name(folder)
    if not os.path.lexists(folder):
        return False
    if not os.path.isdir(folder):
        raise FileError(f"{folder} is no folder", hint="Name another one")
    try:
        is_empty = set(os.listdir(folder)) <= {_UNFINISHED}  # of a run that was killed early
    except OSError as error:
        raise FileError(f"Cannot look into {folder}: {error.strerror}") from error
    if is_empty:
        return False
    mark = _mark_of(folder)
    if mark is None:
        raise FileError(
            f"{folder} holds files that envsnap did not write",
            hint="Name a folder that is empty or not there",
        )
    if mark["state"] == "made":
        _refuse_made(folder, mark, force=force)
        _refuse_in_the_way(_aside(folder))
    _refuse_running(folder, mark)
    _refuse_standing_in(folder)
    return mark["state"] != "made"


def _refuse_name(folder: str) -> None:
    if not folder.strip():
        raise UsageError("The name of the folder is empty", hint="Name one: envsnap restore DIR")
    if os.pathsep in os.path.abspath(folder):
        raise UsageError(
            f"{folder} has {os.pathsep!r} in its path, and PATH could not hold its programs",
            hint="Name another folder",
        )
    if os.path.islink(folder.rstrip(os.sep)):
        raise UsageError(
            f"{folder} is a link, and environments remember where they lie",
            hint=f"Name the folder itself: {shlex.quote(os.path.realpath(folder))}",
        )


def _refuse_made(folder: str, mark: Mapping[str, object], *, force: bool) -> None:
    if not force:
        raise FileError(
            f"{folder} holds an environment that was restored before",
            hint=f"Compare it (envsnap check --python {shlex.quote(folder)}), "
            "or make it anew with --force",
        )
    ours = mark.get("entries")
    known = {str(each) for each in ours} if isinstance(ours, list) else set()
    strange = sorted(set(os.listdir(folder)) - known - {MARK})
    if strange:
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        raise FileError(
            f"{folder} holds {', '.join(strange[:_SHOWN])}{more} beside what envsnap wrote",
            hint="Move that away, or name another folder",
        )


def _refuse_in_the_way(aside: str) -> None:
    if os.path.lexists(aside) and not _is_put_aside(aside):
        raise FileError(
            f"{aside} is in the way: the environment waits there while it is made anew",
            hint="Move it away",
        )


def _refuse_running(folder: str, mark: Mapping[str, object]) -> None:
    number = mark.get("process")
    if type(number) is int and number > 0 and os.path.exists(f"/proc/{number}/stat"):
        raise FileError(
            f"Another run, process {number}, is restoring into {folder}",
            hint="Wait for it, or name another folder; if that process is something else, "
            f"remove {shlex.quote(folder)}",
        )


def _refuse_standing_in(folder: str) -> None:
    """Refuse to empty the folder that the caller stands in, or one that holds it."""
    here, there = os.path.realpath(os.curdir), os.path.realpath(folder)
    if os.path.commonpath([here, there]) == there:
        raise FileError(f"{folder} is the folder you stand in, or holds it", hint="Leave it first")


def begin(folder: str) -> str:
    """Mark the folder as ours, empty otherwise; the folder in it for what passes by.

    An environment that was made is put aside, and comes back where the new one fails, be it in
    the next run: this one may be killed.

    Raises:
        FileError: It cannot be made or emptied.
    """
    try:
        mark = _mark_of(folder)
        if mark is not None and mark["state"] == "made":
            _remove_aside(folder)  # of a run that was killed when it had made this one
            os.rename(folder, _aside(folder))
        elif mark is not None:
            _empty(folder)
        os.makedirs(folder, exist_ok=True)
        _write_mark(folder, "half-made", process=os.getpid())
        with open(os.path.join(folder, _IGNORE), "w", encoding="utf-8") as file:
            file.write("*\n")  # as venv and uv do: no environment belongs into a repository
        work = os.path.join(folder, _WORK)
        os.mkdir(work)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error
    return work


def finish(folder: str, environment: str) -> None:
    """Mark the environment as made, and remove what only passed by."""
    try:
        shutil.rmtree(os.path.join(folder, _WORK))
        _write_mark(folder, "made", environment=environment, entries=sorted(os.listdir(folder)))
        with contextlib.suppress(OSError):  # the next run removes it
            _remove_aside(folder)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error


def undo(folder: str, *, existed: bool) -> None:
    """Leave nothing of a half-made environment; what was there before is there again."""
    before, mark = _aside(folder), _mark_of(folder)
    is_aside = _is_put_aside(before)
    if mark is None and not is_aside:
        return
    if mark is not None and mark["state"] == "made":  # it could not be put aside: it stands
        return
    try:
        if mark is not None:
            _empty(folder)
            os.unlink(os.path.join(folder, MARK))  # last: as long as it is there, it is ours
        if is_aside:
            os.rename(before, folder)  # over the empty folder, or into its place
        elif not existed:
            os.rmdir(folder)
    except OSError:
        return  # the mark still says half-made: the next restore removes the rest


def _aside(folder: str) -> str:
    """Where the environment waits that a new one may replace."""
    return f"{folder.rstrip(os.sep)}.envsnap-old"


def _is_put_aside(aside: str) -> bool:
    """Whether an environment of ours lies there, or what is left of one that was being removed."""
    if os.path.islink(aside) or not os.path.isdir(aside):
        return False
    return _mark_of(aside) is not None or not os.listdir(aside)


def _remove_aside(folder: str) -> None:
    aside = _aside(folder)
    if _is_put_aside(aside):
        _empty(aside)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(aside, MARK))  # last: as long as it is there, it is ours
        os.rmdir(aside)


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.name == MARK:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _write_mark(folder: str, state: str, **more: object) -> None:
    text = json.dumps({"about": _ABOUT, "state": state, "folder": _identity(folder), **more})
    path = os.path.join(folder, MARK)
    part = os.path.join(folder, _UNFINISHED)
    with open(part, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
    os.replace(part, path)


def _identity(folder: str) -> str:
    """Which folder this is on its disk: a copy of it is another one."""
    found = os.stat(folder)
    return f"{found.st_dev}:{found.st_ino}"


def _mark_of(folder: str) -> Mapping[str, object] | None:
    """What the mark says, `state` half-made or made; None where the folder is not ours."""
    try:
        with open(os.path.join(folder, MARK), encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST))
        if not isinstance(found, dict) or found.get("about") != _ABOUT:
            return None
        if found.get("folder") != _identity(folder):
            return None
    except (OSError, ValueError, RecursionError):
        return None
    return {**found, "state": "made" if found.get("state") == "made" else "half-made"}
