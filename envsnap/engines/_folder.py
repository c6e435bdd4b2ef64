"""The folder that an environment is restored into. One that is not ours is never touched."""

from __future__ import annotations

import json
import os
import shlex
import shutil

from envsnap.errors import FileError

MARK = "envsnap-restore.json"
"""Says that the folder is ours, and whether it was finished."""
_ABOUT = "restored by envsnap; the folder can be deleted and made again"
_WORK = ".envsnap-work"
_LONGEST = 65536


def claim(folder: str, *, force: bool) -> bool:
    """Make sure that an environment may be made there; whether a half-made one lies there.

    Raises:
        FileError: It holds somebody else's files, or an environment that was finished.
    """
    if not os.path.lexists(folder):
        return False
    if not os.path.isdir(folder):
        raise FileError(f"{folder} is no folder", hint="Name another one")
    try:
        is_empty = not os.listdir(folder)
    except OSError as error:
        raise FileError(f"Cannot look into {folder}: {error.strerror}") from error
    if is_empty:
        return False
    state = _state(folder)
    if state is None:
        raise FileError(
            f"{folder} holds files that envsnap did not write",
            hint="Name a folder that is empty or not there",
        )
    if state == "made" and not force:
        raise FileError(
            f"{folder} holds an environment that was restored before",
            hint=f"Compare it (envsnap check --python {shlex.quote(folder)}), "
            "or make it anew with --force",
        )
    return state != "made"


def begin(folder: str) -> str:
    """Mark the folder as ours, empty otherwise; the folder in it for what passes by.

    Raises:
        FileError: It cannot be made or emptied.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        if _state(folder) is not None:
            _empty(folder)
        _mark(folder, "half-made", None)
        work = os.path.join(folder, _WORK)
        os.mkdir(work)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error
    return work


def finish(folder: str, environment: str) -> None:
    """Mark the environment as made, and remove what only passed by."""
    try:
        shutil.rmtree(os.path.join(folder, _WORK))
        _mark(folder, "made", environment)
    except OSError as error:
        raise FileError(f"Cannot write into {folder}: {error.strerror}") from error


def undo(folder: str, *, existed: bool) -> None:
    """Leave nothing of a half-made environment; the folder itself where it was there before."""
    if _state(folder) is None:
        return
    try:
        _empty(folder)
        os.unlink(os.path.join(folder, MARK))  # last of all: as long as it is there, it is ours
        if not existed:
            os.rmdir(folder)
    except OSError:
        return  # the mark still says half-made: the next restore removes the rest


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.name == MARK:
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _mark(folder: str, state: str, environment: str | None) -> None:
    text = json.dumps({"about": _ABOUT, "environment": environment, "state": state}, indent=2)
    path = os.path.join(folder, MARK)
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
    os.replace(f"{path}.tmp", path)


def _state(folder: str) -> str | None:
    """half-made or made; None where the folder is not ours."""
    try:
        with open(os.path.join(folder, MARK), encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("about") != _ABOUT:
        return None
    return "made" if found.get("state") == "made" else "half-made"
