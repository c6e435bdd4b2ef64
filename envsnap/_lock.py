"""lock: a manifest gets the address and hash of every package's file."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from envsnap._installers import (
    By,
    bring_interpreter,
    bring_programs,
    early_plan,
    installing,
    interpreter_host,
    is_there,
)
from envsnap.errors import EnvsnapError, FileError
from envsnap.lock import LockOptions, make_lock
from envsnap.manifest import Manifest
from envsnap.plan import BuildPlan, PlanOptions
from envsnap.wheelhouse._claim import claimed
from envsnap.wheelhouse._local_lock import is_whole, local_lock
from envsnap.wheelhouse._store import open_wheelhouse


class Tools(NamedTuple):
    """What an image installs with, as far as a folder has it."""

    files: tuple[str, ...]
    lacking: tuple[str, ...]
    """Why one is not there, in sentences."""


def lock(manifest: Manifest, options: LockOptions = LockOptions()) -> Manifest:  # noqa: B008 - frozen
    """The same manifest with a lock of its environment. Talks to the package index.

    Raises:
        PlanError: The manifest does not say which packages of which Python to ask for.
        ToolError: The locker or the network failed.
    """
    return manifest.with_lock(make_lock(manifest, options))


def lock_offline(manifest: Manifest, wheelhouse: str, *, listed: bool = False) -> Manifest:
    """The same manifest, locked to the files of a folder. Talks to nobody.

    `listed`: no file counts that the folder's own list does not have.

    Raises:
        PlanError: The manifest does not say which packages of which Python it has.
        FileError: The folder cannot be read, or has no list.
    """
    files = open_wheelhouse(wheelhouse).files if listed else None
    only = None if files is None else frozenset(each.filename for each in files)
    return manifest.with_lock(local_lock(manifest, wheelhouse, only))


def locked_whole(manifest: Manifest, wheelhouse: str) -> Manifest | None:
    """The same, where the folder has the file of every package; None where it has not."""
    try:
        found = lock_offline(manifest, wheelhouse, listed=True)
    except FileError:
        return None
    return found if found.lock is not None and is_whole(found.lock, wheelhouse) else None


def image_of(manifest: Manifest) -> BuildPlan | None:
    """The plan of an image without a network; None where no image of this manifest is planned."""
    try:
        return early_plan(manifest, PlanOptions())
    except EnvsnapError:  # a lock serves others than images, too
        return None


def tool_hosts(planned: BuildPlan, folder: str) -> tuple[str, ...]:
    """Whom `keep_tools` talks to beside the package index."""
    host = interpreter_host(planned)
    lacks = any(not each.tool and not is_there(each, folder) for each in installing(planned))
    return (host,) if host is not None and lacks else ()


def keep_tools(planned: BuildPlan, manifest: Manifest, by: By, *, offline: bool) -> Tools:
    """What an image installs with, put beside the packages; why where it could not be had.

    Raises:
        FileError: Another run fills the folder, or a file in it cannot be read.
    """
    why: list[str] = []
    with claimed(by.folder):
        if not offline:
            programs = _fault_of(lambda: bring_programs(planned, manifest, by))
            interpreter = _fault_of(lambda: bring_interpreter(planned, by))
            why = [each for each in (programs, interpreter) if each is not None]
        wanted = installing(planned)
        had = tuple(each.filename for each in wanted if is_there(each, by.folder))
    lost = [each.filename for each in wanted if each.filename not in had]
    return Tools(had, tuple(why or (f"{each} is not there" for each in lost)) if lost else ())


def _fault_of(bring: Callable[[], object]) -> str | None:
    """Why something could not be brought; None where it was."""
    try:
        bring()
    except EnvsnapError as error:
        return error.message
    return None
