"""Fetches many files at a time, all into one folder, and ends at once when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from envsnap.errors import EnvsnapError, FileError
from envsnap.lock._trust import Trust
from envsnap.wheelhouse._fetch import AT_ONCE, Source, Way, fetch, way

_LOOK_UP_S = 0.2


class Errand(NamedTuple):
    """One file to bring."""

    name: str
    """For messages: 'numpy 1.26.4'."""
    source: Source
    target: str


class Failed(NamedTuple):
    """A file that could not be had."""

    name: str
    error: EnvsnapError


class _StoppedError(Exception):
    """Nobody waits for the file any more."""


def _nothing(target: str, /) -> None:
    """Leave a file alone that has come."""


def bring(
    errands: Sequence[Errand],
    trust: Trust,
    listen: Callable[[int], None],
    *,
    look: Callable[[str], None] = _nothing,
) -> tuple[Failed, ...]:
    """Put every file into its place; those that could not be had, in their order.

    `listen` hears how many bytes there are in all, whenever there are more. `look` gets the path of
    each file that has come, in the thread that fetched it, while others are on their way.
    """
    stop, lock, total = threading.Event(), threading.Lock(), [0]

    def hear(count: int, /) -> None:
        if stop.is_set():
            raise _StoppedError
        with lock:
            total[0] += count

    by = way(trust, hear)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(_one, each, by, look) for each in errands]
        try:
            while not all(each.done() for each in running):
                listen(total[0])
                stop.wait(_LOOK_UP_S)
                _ = [each.result() for each in running if each.done()]  # a fault of ours ends all
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return tuple(failed for each in running if (failed := each.result()) is not None)


def _one(errand: Errand, by: Way, look: Callable[[str], None]) -> Failed | None:
    """Put one file into its place; why it could not be had."""
    try:
        fetch(errand.source, errand.target, by)
        look(errand.target)
    except EnvsnapError as error:
        return Failed(errand.name, error)
    except OSError as error:
        why = FileError(f"Cannot write {errand.target}: {error.strerror or error}")
        return Failed(errand.name, why)
    return None
