"""Brings the files of a lock that no wheelhouse has, once every address of them was judged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from envsnap.engines.conda import archive_path
from envsnap.errors import ToolError
from envsnap.lock import LockOptions
from envsnap.lock._conda_hosts import conda_hosts
from envsnap.lock._locate import locate
from envsnap.lock._trust import RefusedError, Trust, refuse_strangers
from envsnap.manifest import Manifest, canonical_name
from envsnap.sections import Artifact, CondaArtifact, Fact
from envsnap.wheelhouse._bring import Errand, bring
from envsnap.wheelhouse._conda import fill_conda
from envsnap.wheelhouse._conda_fill import archive_source
from envsnap.wheelhouse._fetch import Source, fetch

_SHOWN = 5
Listener = Callable[[str], None]
"""Gets one line of what is going on."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where each file is fetched, every address judged. Of the files nothing was asked yet."""

    sources: Mapping[str, Source]
    """By canonical name."""
    trust: Trust
    conda_trust: Trust


def places_of(
    manifest: Manifest,
    artifacts: Sequence[Artifact],
    archives: Sequence[CondaArtifact],
    *,
    options: LockOptions,
    allow_host: frozenset[str],
) -> Places:
    """Where the files are today. The manifest says which bytes; the user's indexes, from where.

    Raises:
        ToolError: The index cannot be asked, or a host is neither the user's own nor allowed.
    """
    conda_trust = Trust(own=conda_hosts(os.environ), allowed=allow_host)
    refuse_strangers([each.url for each in archives if each.url], frozenset(), conda_trust)
    if not artifacts:
        return Places(sources={}, trust=Trust(allowed=allow_host), conda_trust=conda_trust)
    try:
        offered = locate(manifest, options)
    except ToolError as error:
        raise with_wheelhouse(error) from error
    sources = {}
    for each in artifacts:
        here = offered.by_sha256.get(each.sha256)
        source = Source(here.url if here else each.url or "", each.sha256, _size(each.size))
        sources[canonical_name(each.name)] = source
    trust = Trust(own=offered.own, allowed=allow_host)
    own_files = {file.url for file in offered.by_sha256.values() if file.url.startswith("file:")}
    refuse_strangers([each.url for each in sources.values()], own_files, trust)
    return Places(sources=sources, trust=trust, conda_trust=conda_trust)


def with_wheelhouse(error: ToolError) -> ToolError:
    """The error of an index, its hint naming what needs none."""
    first = f"{error.hint}; or take" if error.hint else "Take"
    hint = f"{first} the files from a folder that has them: --wheelhouse DIR"
    return ToolError(error.message, hint=hint)


def bring_files(
    artifacts: Sequence[Artifact], places: Places, folder: str, listen: Listener
) -> Mapping[str, str]:
    """The paths of the files in a new folder, by canonical name.

    Raises:
        ToolError: One could not be had.
    """
    os.makedirs(folder)
    errands = {}
    for each in artifacts:
        name, target = canonical_name(each.name), os.path.join(folder, each.filename)
        errands[name] = Errand(f"{each.name} {each.version}", places.sources[name], target)
    whole = sum(_size(each.size) or 0 for each in artifacts)

    def hear(count: int) -> None:
        listen(f"Fetching {len(errands)} files: {count >> 20} of {whole >> 20} MiB ...")

    failed = bring(list(errands.values()), places.trust, hear)
    if failed:
        first = failed[0].error  # of others the hint is for a folder that stays
        hint = first.hint if isinstance(first, RefusedError) else None
        _say_gone([(each.name, each.error.message) for each in failed], hint)
    return {name: each.target for name, each in errands.items()}


def bring_archives(
    artifacts: Sequence[CondaArtifact],
    places: Places,
    folder: str,
    listen: Listener,
    *,
    wheelhouses: Sequence[str],
) -> None:
    """Put every conda archive into the folder, as a wheelhouse has them.

    Raises:
        ToolError: One could not be had.
    """
    for each in artifacts:
        target, here = archive_path(folder, each), kept(each, wheelhouses)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if here is not None:
            os.symlink(os.path.abspath(here), target)

    def get(artifact: CondaArtifact, path: str) -> None:
        fetch(archive_source(artifact), path, places.conda_trust)

    filled = fill_conda(artifacts, folder, get, listen)
    if filled.failed:
        _say_gone([(f"{each.name} {each.version}", each.why) for each in filled.failed], None)


def kept(artifact: CondaArtifact, wheelhouses: Sequence[str]) -> str | None:
    """Where a wheelhouse has a conda archive, in the first that has one."""
    paths = [archive_path(each, artifact) for each in wheelhouses]
    return next((path for path in paths if os.path.isfile(path)), None)


def _size(said: Fact[int]) -> int | None:
    return said if isinstance(said, int) else None


def _say_gone(gone: Sequence[tuple[str, str]], hint: str | None) -> NoReturn:
    """Say which files cannot be had any more, and what can be done.

    Raises:
        ToolError: Always.
    """
    lines = [f"\n  {name}: {why}" for name, why in gone[:_SHOWN]]
    more = f"\n  and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    noun = "file" if len(gone) == 1 else "files"
    raise ToolError(
        f"{len(gone)} {noun} could not be had:{''.join(lines)}{more}",
        hint=hint
        or "Name another place that has it (--find-links URL); or, where the environment "
        "still is, keep every file: envsnap lock --wheelhouse DIR, then restore with --wheelhouse",
    )
