"""What an image installs with, as files of this machine: for builds that have no network."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import NamedTuple

from envsnap.lock import LockOptions
from envsnap.lock._trust import Trust, host_of, own_of
from envsnap.manifest import Manifest, canonical_name
from envsnap.plan import BuildPlan, PlanOptions, plan
from envsnap.plan._layers import Travels, travelling_tools
from envsnap.plan._model import WHEELS
from envsnap.sections import Reason, Unknown
from envsnap.wheelhouse._fetch import Source
from envsnap.wheelhouse._store import sha256_of
from envsnap.wheelhouse._tools import Needed, Tool, bring_files, offered, trust_of

Listener = Callable[[str], None]
_MIRROR = "UV_PYTHON_INSTALL_MIRROR"


class Brought(NamedTuple):
    """One file that travels with the recipe, its bytes proved."""

    path: str
    """Below the folder of the recipe, with `/`."""
    sha256: str
    source: str
    """Where it lies now."""
    base: str | None = None
    """The name of the image in it, where it is an archive of one; None of every other file."""


class By(NamedTuple):
    """Who asks, and where what has come waits."""

    lock: LockOptions
    allowed: frozenset[str]
    """Hosts allowed by name."""
    folder: str
    listen: Listener


def early_plan(manifest: Manifest, options: PlanOptions) -> BuildPlan:
    """The plan of an image without a network, as far as it can be told before anybody is asked.

    Every file that the lock names is taken to be there.

    Raises:
        PlanError: No image can be planned from this manifest.
    """
    lock = manifest.lock
    known = frozenset(each.sha256 for each in lock.artifacts) if lock is not None else frozenset()
    archives = lock.conda if lock is not None else ()
    known |= {each.sha256 for each in archives if isinstance(each.sha256, str)}
    asked = dataclasses.replace(
        options, allow_missing=True, offline=True, stored=known, alone=known
    )  # fmt: skip
    return plan(manifest, asked, lambda _: Unknown(Reason.NOT_RECORDED, "nobody was asked"))


def installing(planned: BuildPlan) -> tuple[Travels, ...]:
    """What the plan installs with: programs, and the interpreter where its base image has none."""
    alone = dataclasses.replace(planned.interpreter, url=None)
    return travelling_tools(dataclasses.replace(planned, interpreter=alone, offline=True))


def interpreter_host(planned: BuildPlan) -> str | None:
    """Where the interpreter's archive is fetched; None where the base image has it."""
    return host_of(_mirrored(planned.interpreter.url or "", os.environ.get(_MIRROR)))


def is_there(file: Travels, folder: str) -> bool:
    """Whether a folder has the very file.

    Raises:
        FileError: It cannot be read.
    """
    return sha256_of(os.path.join(folder, file.filename)) == file.sha256


def bring_programs(planned: BuildPlan, manifest: Manifest, by: By) -> tuple[Brought, ...]:
    """The programs that install the packages, from the user's own index.

    Raises:
        ToolError: One could not be fetched, or the index does not have it.
        FileError: One could not be written.
    """
    found = []
    for each in travelling_tools(planned):
        if not each.tool:
            continue
        target = os.path.join(by.folder, each.filename)
        if not is_there(each, by.folder):
            _bring_program(each, target, manifest, by)
        found.append(Brought(f"{WHEELS}/{each.filename}", each.sha256, target))
    return tuple(found)


def _bring_program(file: Travels, target: str, manifest: Manifest, by: By) -> None:
    name, version = file.filename.split("-")[:2]
    tool = Tool(canonical_name(name), version, frozenset({file.sha256}))
    by.listen(f"Fetching {file.filename}")
    found = offered(tool, manifest, by.lock)
    source = Source(found.url, found.sha256, found.size)
    bring_files([Needed(source, target)], trust_of([found.url], by.lock, by.allowed), _nobody)


def _nobody(count: int, /) -> None:
    """Nobody hears of a file that is small."""


def bring_interpreter(planned: BuildPlan, by: By) -> tuple[Brought, ...]:
    """The archive of the exact Python, where the base image has another one or none.

    Raises:
        ToolError: It could not be fetched.
        FileError: It could not be written.
    """
    wanted = planned.interpreter
    if wanted.url is None or wanted.sha256 is None or wanted.filename is None:
        return ()
    url = _mirrored(wanted.url, os.environ.get(_MIRROR))
    target = os.path.join(by.folder, wanted.filename)
    # The address is of a table of ours, or of the user's own setting; its host leads to the files.
    trust = Trust(own=own_of([url]), allowed=by.allowed)

    def hear(count: int) -> None:
        by.listen(f"Fetching Python {planned.python}: {count / 1e6:.0f} MB")

    bring_files([Needed(Source(url, wanted.sha256), target)], trust, hear)
    return (Brought(f"{WHEELS}/{wanted.filename}", wanted.sha256, target),)


def _mirrored(url: str, mirror: str | None) -> str:
    """The address of an archive in the mirror of a site, by the variable that uv reads, too.

    >>> _mirrored("https://files.example/releases/download/2024/a.tgz", "https://m.example/py")
    'https://m.example/py/2024/a.tgz'
    """
    _, known, rest = url.partition("/releases/download/")
    return f"{mirror.rstrip('/')}/{rest}" if mirror and known else url
