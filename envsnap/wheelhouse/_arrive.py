"""Has every file of a wheelhouse that is somewhere come, and looks into each wheel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

from envsnap.errors import EnvsnapError
from envsnap.sections import Artifact
from envsnap.wheelhouse._bring import Errand, bring
from envsnap.wheelhouse._content import content_of
from envsnap.wheelhouse._part import judge_room
from envsnap.wheelhouse._prepare import Job, Prepared

_SILENT_S = 5.0
"""How long nothing may come before it is said who is waited for."""
Listener = Callable[[str], None]


class Arrived(NamedTuple):
    """What has come of the files that are somewhere."""

    failed: Mapping[str, EnvsnapError]
    """Why a file has not come, by canonical name."""
    contents: Mapping[str, str | None]
    """What the wheels that are there install, by their place."""


def arrive(prepared: Prepared, listen: Listener) -> Arrived:
    """Every file fetched that is somewhere, and looked into while others are on their way.

    Raises:
        FileError: The disk has not enough room.
    """
    judge_room(prepared.folder, prepared.known_bytes)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looks: dict[str, Future[str | None]] = {}

        def look(path: str) -> None:
            if path.endswith(".whl"):
                looks[path] = pool.submit(content_of, path)

        try:
            failed = _fetched(prepared, look, listen)
            return Arrived(failed, _contents(prepared, looks, listen))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetched(
    prepared: Prepared, look: Callable[[str], None], listen: Listener
) -> Mapping[str, EnvsnapError]:
    errands = []
    for job in prepared.to_fetch:
        if job.source is not None:
            target = os.path.join(prepared.folder, *job.filename.split("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            errands.append(Errand(job.name, job.source, target))
    if not errands:
        return {}
    errands.sort(key=lambda each: -(each.source.size or 0))  # what takes longest begins first
    is_known = all(each.source.size is not None for each in errands)
    whole = prepared.known_bytes if is_known else 0
    started = last = time.monotonic()
    before = -1

    def hear(count: int) -> None:
        nonlocal before, last
        now = time.monotonic()
        if count != before:
            before, last = count, now
        left = [each for each in errands if not os.path.exists(each.target)]
        files = (len(errands) - len(left), len(errands))
        speed = count / max(now - started, 0.001)
        host = urlsplit(left[0].source.url).hostname if left and now - last > _SILENT_S else None
        waiting = f"; waiting for {host} ..." if host else ""
        listen(progress_line(files, (count, whole), speed) + waiting)

    failed = bring(errands, prepared.trust, hear, look=look)
    return {each.name: each.error for each in failed}


def progress_line(files: tuple[int, int], sizes: tuple[int, int], speed: float) -> str:
    """How far it is, for a terminal.

    >>> progress_line((37, 380), (1_100_000_000, 3_400_000_000), 85e6)
    '37 of 380 files, 1.1 of 3.4 GB, 85 MB/s'
    >>> progress_line((0, 380), (0, 0), 0.0)
    '0 of 380 files, 0.0 GB, 0 MB/s'
    """
    whole = f" of {sizes[1] / 1e9:.1f}" if sizes[1] and sizes[1] >= sizes[0] else ""
    size = f"{sizes[0] / 1e9:.1f}{whole} GB"
    return f"{files[0]} of {files[1]} files, {size}, {speed / 1e6:.0f} MB/s"


def _contents(
    prepared: Prepared, looks: Mapping[str, Future[str | None]], listen: Listener
) -> Mapping[str, str | None]:
    """The content of every wheel that is there, by its place: several are read at a time."""
    jobs = [job for job in prepared.jobs if job.filename.endswith(".whl")]
    places = {job.filename: os.path.join(prepared.folder, job.filename) for job in jobs}
    found: dict[str, str | None] = {}
    for name, path in places.items():
        if path in looks:
            listen(f"Looking into {len(found) + 1} of {len(looks)} wheels that were fetched")
            found[name] = looks[path].result()
    found |= {job.filename: _stated(job) for job in jobs if job.is_there and _stated(job)}
    names = [name for name, path in places.items() if name not in found and os.path.isfile(path)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            answers = pool.map(content_of, [places[name] for name in names])
            for count, (name, content) in enumerate(zip(names, answers, strict=True), 1):
                found[name] = content
                listen(f"Looking into {count} of {len(names)} wheels")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _stated(job: Job) -> str | None:
    """What a wheel installs by the lock, whose bytes it has; None where it has to be read.

    The lock and the content that this is compared with are of one document: who doubts the one has
    no reason to believe the other.
    """
    artifact = job.artifact
    if not isinstance(artifact, Artifact) or artifact.is_installed is not True:
        return None
    same = isinstance(artifact.content, str) and artifact.content == job.package.content
    return artifact.content if same and isinstance(artifact.content, str) else None
