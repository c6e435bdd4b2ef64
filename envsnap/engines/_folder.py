"""The folder that an environment is restored into. A folder that is not ours is never touched.

Where it is made anew, all below its own entries goes, whoever put it there; a strange one beside
them keeps it from being made anew.

A mark in the folder says that envsnap made it, and which folder it meant: a mark that came with a
clone, a copy or an archive says nothing of the folder that it lies in.

While an environment is made anew, the old one waits in a folder within: its mark goes there last
and comes back first. So where the old mark lies tells where the old environment is whole:

    made, and nothing waits          it stands
    made, and what waits has no mark it was being moved: the rest is put back
    not made, and what waits has one it waits whole, and what lies around it is half-made
    made, and what waits has one     the new one stands, and the old one can go
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping

from envsnap.engines._locks import hold
from envsnap.errors import FileError, UsageError

MARK = "envsnap-restore.json"
"""Says that the folder is ours, and whether it was finished."""
_ABOUT = "restored by envsnap; the folder can be deleted and made again"
_UNFINISHED = f"{MARK}.tmp"
_WORK = ".envsnap-work"
"""What passes by, and what is being removed: it can always go."""
_OLD = ".envsnap-old"
"""Where the environment waits that a new one may replace."""
_IGNORE = ".gitignore"
"""Stays as long as the folder is ours, and is kept locked by the run that is at work in it."""
_IGNORED = "*\n"
_STAYS = frozenset({MARK, _IGNORE, _OLD})
_LONGEST = 1 << 20
_SHOWN = 3


def claim(folder: str, *, force: bool) -> bool:
    """Make sure that an environment may be made there; whether a half-made one lies there.

    Raises:
        UsageError: No environment can have this name.
        FileError: It holds somebody else's files, or an environment that was finished, or another
            run is at work in it.
    """
    if not _is_ours(folder):
        return False
    with _held(folder):
        return _settle(folder, force=force)


@contextlib.contextmanager
def making(folder: str, environment: str, *, force: bool) -> Iterator[str]:
    """Make an environment in the block, nobody else at work there; the folder for what passes by.

    Where the block does not come to its end, what was there before is there again.

    Raises:
        UsageError: No environment can have this name.
        FileError: It cannot be made there: as `claim` says, or the folder cannot be written.
    """
    existed = os.path.lexists(folder)
    _is_ours(folder)
    with _held(folder):
        _settle(folder, force=force)  # what was claimed before may be another run's by now
        try:
            with _writing(folder):
                work = _begin(folder)
            yield work
            with _writing(folder):
                _finish(folder, environment)
        except BaseException:
            _undo(folder, existed=existed)
            raise


def _is_ours(folder: str) -> bool:
    """Whether something of ours lies there; else nothing does.

    Raises:
        UsageError: No environment can have this name.
        FileError: It is no folder, or holds somebody else's files.
    """
    _refuse_name(folder)
    if not os.path.lexists(folder):
        return False
    if not os.path.isdir(folder):
        raise FileError(f"{folder} is no folder", hint="Name another one")
    try:
        is_empty = _is_empty(folder)
    except OSError as error:
        raise FileError(f"Cannot look into {folder}: {error.strerror}") from error
    if is_empty:
        return False
    if _state(folder) is None and not _waits(folder):
        raise FileError(
            f"{folder} holds files that envsnap did not write",
            hint="Name a folder that is empty or not there",
        )
    return True


def _is_empty(folder: str) -> bool:
    """Whether nothing lies there but what a run leaves that was killed before its mark."""
    if not set(os.listdir(folder)) <= {_UNFINISHED, _IGNORE}:
        return False
    try:
        with open(os.path.join(folder, _IGNORE), encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST).splitlines()[-1:] in ([], ["*"])  # venv adds a comment
    except FileNotFoundError:
        return True


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
        raise _made_before(folder)
    ours = mark.get("entries")
    known = {str(each) for each in ours} if isinstance(ours, list) else set()
    strange = sorted(set(os.listdir(folder)) - known - {MARK, _OLD, _WORK})
    if strange:
        more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
        raise FileError(
            f"{folder} holds {', '.join(strange[:_SHOWN])}{more} beside what envsnap wrote",
            hint="Move that away, or name another folder",
        )


def _made_before(folder: str, more: str = "") -> FileError:
    return FileError(
        f"{folder} holds an environment that was restored before{more}",
        hint=f"Compare it (envsnap check --python {shlex.quote(folder)}), "
        "or make it anew with --force",
    )


def _refuse_standing_in(folder: str) -> None:
    """Refuse to empty the folder that the caller stands in, or one that holds it."""
    here, there = os.path.realpath(os.curdir), os.path.realpath(folder)
    if os.path.commonpath([here, there]) == there:
        raise FileError(f"{folder} is the folder you stand in, or holds it", hint="Leave it first")


@contextlib.contextmanager
def _held(folder: str) -> Iterator[None]:
    """The folder, made where it is not there, and no other run's until the block ends."""
    with _writing(folder):
        os.makedirs(folder, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        handle = os.open(os.path.join(folder, _IGNORE), flags, 0o666)
    try:
        # The last file of a folder that another run has just removed has no name any more.
        if hold(handle) is False or not os.fstat(handle).st_nlink:
            raise FileError(
                f"Another run is restoring into {folder}",
                hint="Wait for it, or name another folder",
            )
        # Who ends an installer that outlives us has the lock until nothing of it is left.
        os.set_inheritable(handle, True)  # noqa: FBT003 - it has no other form
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error


def _settle(folder: str, *, force: bool) -> bool:
    """Bring the folder to where `force` lets a new one be begun; whether a half-made one is there.

    An environment that a killed run had put aside comes back where nobody gives it up anew.
    """
    if _is_moving(folder):
        with _writing(folder):
            _put_back(folder)
    waits = _waits(folder)
    if waits and not force:
        with _writing(folder):
            _put_back(folder)
        raise _made_before(folder, ": a run that was to replace it was killed, and it is back")
    mark = _mark_of(folder)
    if mark is not None and mark["state"] == "made":
        _refuse_made(folder, mark, force=force)
    if mark is not None or waits:
        _refuse_standing_in(folder)
    return waits or (mark is not None and mark["state"] != "made")


def _begin(folder: str) -> str:
    """Mark the folder as ours, empty otherwise; the folder in it for what passes by."""
    if _state(folder) == "made":
        _put_aside(folder)
    elif _is_ours(folder):
        _empty(folder)
    _write_mark(folder, "half-made")
    ignore = os.path.join(folder, _IGNORE)
    if not os.path.getsize(ignore):
        with open(ignore, "w", encoding="utf-8") as file:
            file.write(_IGNORED)  # as venv and uv do: no environment belongs into a repository
    work = os.path.join(folder, _WORK)
    os.mkdir(work)
    return work


def _finish(folder: str, environment: str) -> None:
    """Mark the environment as made, and remove what only passed by."""
    shutil.rmtree(os.path.join(folder, _WORK))
    entries = sorted(set(os.listdir(folder)) - {_OLD})
    _write_mark(folder, "made", environment=environment, entries=entries)
    with contextlib.suppress(OSError):  # the next run removes it
        _discard(folder)


def _undo(folder: str, *, existed: bool) -> None:
    """Leave nothing of a half-made environment; what was there before is there again."""
    try:
        if _is_moving(folder) or _waits(folder):
            _put_back(folder)
            return
    except OSError as error:
        raise FileError(
            f"The environment that was in {folder} could not be put back: {error.strerror}",
            hint=f"It waits in {os.path.join(folder, _OLD)}; the next restore puts it back",
        ) from error
    if _state(folder) == "made":  # it could not be put aside, or what came after it failed
        return
    with contextlib.suppress(OSError):  # the mark still says half-made: the next run removes it
        if _state(folder) is not None:
            _empty(folder)
            os.unlink(os.path.join(folder, MARK))
        os.unlink(os.path.join(folder, _IGNORE))  # last: who locks it now, locks nothing
        if not existed:
            os.rmdir(folder)


def _put_aside(folder: str) -> None:
    _discard(folder)
    old = os.path.join(folder, _OLD)
    os.mkdir(old)
    for name in set(os.listdir(folder)) - _STAYS:
        os.rename(os.path.join(folder, name), os.path.join(old, name))
    os.rename(os.path.join(folder, MARK), os.path.join(old, MARK))


def _put_back(folder: str) -> None:
    """By renaming alone: it must work on a disk that is full."""
    old = os.path.join(folder, _OLD)
    if _waits(folder):
        _empty(folder)
        os.replace(os.path.join(old, MARK), os.path.join(folder, MARK))
    for name in os.listdir(old):
        os.rename(os.path.join(old, name), os.path.join(folder, name))
    os.rmdir(old)


def _discard(folder: str) -> None:
    """Remove what waits for a new environment that stands: at once it can no more come back."""
    old, work = os.path.join(folder, _OLD), os.path.join(folder, _WORK)
    if os.path.lexists(work):
        shutil.rmtree(work)
    if os.path.lexists(old):
        os.rename(old, work)
        shutil.rmtree(work)


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.name in _STAYS:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _is_moving(folder: str) -> bool:
    """Whether a part of the environment waits, and not all of it: its mark would be there."""
    old = os.path.join(folder, _OLD)
    is_part = os.path.isdir(old) and not os.path.lexists(os.path.join(old, MARK))
    return is_part and _state(folder) == "made"


def _waits(folder: str) -> bool:
    """Whether a whole environment waits for one that is not made."""
    return _state(folder) != "made" and _state(folder, _OLD) == "made"


def _write_mark(folder: str, state: str, **more: object) -> None:
    text = json.dumps({"about": _ABOUT, "state": state, "folder": _identity(folder), **more})
    path = os.path.join(folder, MARK)
    part = os.path.join(folder, _UNFINISHED)
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(f"{text}\n")
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _identity(folder: str) -> str:
    """Which folder this is on its disk: a copy is another one. The disk's number may change."""
    return str(os.stat(folder).st_ino)


def _state(folder: str, within: str = "") -> str | None:
    mark = _mark_of(folder, within)
    return None if mark is None else str(mark["state"])


def _mark_of(folder: str, within: str = "") -> Mapping[str, object] | None:
    """What the mark says, `state` half-made or made; None where the folder is not ours."""
    try:
        with open(os.path.join(folder, within, MARK), encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST))
        if not isinstance(found, dict) or found.get("about") != _ABOUT:
            return None
        # An earlier version wrote the disk's number before it.
        if str(found.get("folder")).rpartition(":")[2] != _identity(folder):
            return None
    except (OSError, ValueError, RecursionError):
        return None
    return {**found, "state": "made" if found.get("state") == "made" else "half-made"}
