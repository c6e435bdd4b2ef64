"""Whose the files of a folder are: an earlier build's, as its record has them, or somebody's own.

Nothing else decides what a build replaces or removes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
import sys
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from envsnap.engines._archives import file_hash
from envsnap.errors import FileError
from envsnap.formats._context import KEPT, LOG, RECORD, SUMS, read_record, record_of, way_to
from envsnap.manifest._file import whole_of

_SHOWN = 10
_NONE: Mapping[str, str] = MappingProxyType({})


class Standing(NamedTuple):
    """What lies in a folder that is about to be written into; paths are relative to it."""

    written: Mapping[str, str] = _NONE
    """What an earlier build wrote and nobody has changed, by SHA-256."""
    stale: tuple[str, ...] = ()
    """Those of them that are no longer wanted."""
    own: frozenset[str] = frozenset()
    """Somebody's own, with the very bytes that are wanted: neither written nor ever removed."""
    others: tuple[str, ...] = ()
    """Somebody's own, where something else is to be written."""
    edited: tuple[str, ...] = ()
    """No longer wanted, and not known to be as an earlier build wrote it: it stays."""
    unfinished: tuple[str, ...] = ()
    """What a run that was killed has left of files that it was writing."""
    is_older: bool = False
    """Whether the record is of a version that kept no hashes."""

    def refuse_others(self, folder: str, *, force: bool) -> None:
        """Refuse to replace what somebody else wrote.

        Raises:
            FileError: There is such a file, and nobody insists.
        """
        if not self.others or force:
            return
        few = ", ".join(self.others[:_SHOWN])
        more = len(self.others) - _SHOWN
        few += f" and {more} more" if more > 0 else ""
        whose = "holds files that envsnap did not write, or that were edited since"
        if self.is_older:
            whose = (
                "was written by an older envsnap, whose record does not tell if these were edited"
            )
        raise FileError(
            f"{folder} {whose}: {few}",
            hint="Name another folder with -o, or have them replaced: --force",
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What became of files that somebody else wrote or edited, in sentences."""
        replaced = f"Replaced, for --force was given: {', '.join(self.others)}"
        left = "Left in the folder, for nothing shows that an earlier build wrote it so: "
        return (
            *([replaced] if self.others else []),
            *([left + ", ".join(self.edited)] if self.edited else []),
        )


def look(folder: str, wanted: Mapping[str, str], manifest: str | None = None) -> Standing:
    """What lies there, beside what is `wanted`, by SHA-256; empty for bytes that are yet to come.

    `manifest` is the file that the build reads: it is its user's own, whoever wrote it.

    Raises:
        FileError: The manifest would be changed, a link leads to where a file goes, or one cannot
            be read.
    """
    for path in wanted:
        way_to(folder, path)
    known = _recorded(folder)
    here = _digests(folder, {*known, *wanted})
    paths = (*here, RECORD)
    read = {each for each in paths if is_same(os.path.join(folder, *each.split("/")), manifest)}
    alike = {path for path, digest in here.items() if digest and digest == wanted.get(path)}
    _refuse_other_manifest(folder, (read & {RECORD, *wanted}) - alike, manifest)
    written = {
        path: digest
        for path, digest in here.items()
        if path not in read
        and path in known
        and digest
        and (digest in known[path] or path in alike)
    }
    left = [path for path in here if path not in written and path not in read]
    is_foreign = os.path.lexists(os.path.join(folder, RECORD)) and read_record(folder) is None
    return Standing(
        written=written,
        stale=tuple(path for path in written if path not in wanted),
        own=frozenset((alike - written.keys()) | (read & wanted.keys())),
        others=(*([RECORD] if is_foreign else []),
                *(each for each in left if each in wanted and each not in alike)),
        edited=tuple(each for each in left if each not in wanted),
        unfinished=_unfinished(folder, {*known, *wanted, RECORD, SUMS}, manifest),
        is_older=isinstance((record_of(folder) or {}).get("files"), list),
    )  # fmt: skip


def _unfinished(folder: str, paths: Collection[str], manifest: str | None) -> tuple[str, ...]:
    """What is left of these files where a run was killed that wrote them."""
    found = []
    for place in sorted({posixpath.dirname(path) for path in paths}):
        with contextlib.suppress(OSError), os.scandir(os.path.join(folder, place)) as entries:
            parts = [each.name for each in entries if each.is_file(follow_symlinks=False)]
            found += [posixpath.join(place, each) for each in sorted(parts)]
    return tuple(
        path
        for path in found
        if whole_of(path) in paths and not is_same(os.path.join(folder, path), manifest)
    )


def _recorded(folder: str) -> Mapping[str, frozenset[str]]:
    """What earlier builds wrote, by path: the bytes that it may have, none where nothing says it.

    A record can be edited: no path of it leads out of the folder, or through a link.
    """
    record = record_of(folder) or {}
    files, before = record.get("files"), record.get("before")
    if isinstance(files, list):  # of an older version, which kept no digest
        known = _of_an_older(folder, [each for each in files if isinstance(each, str)])
    else:
        rows = [each for rows in (files, before) if isinstance(rows, dict) for each in rows.items()]
        known = {}
        for path, digest in rows:
            known[path] = known.get(path, frozenset()) | {str(digest)}
    return {path: digests for path, digests in known.items() if _is_inside(folder, path)}


def _of_an_older(folder: str, files: list[str]) -> dict[str, frozenset[str]]:
    """What an older version wrote; of a folder that it fetched whole, SHA256SUMS has the bytes."""
    known: dict[str, frozenset[str]] = {path: frozenset() for path in files}
    if LOG in known:  # nobody edits what an engine said
        known[LOG] = frozenset({_digest(os.path.join(folder, LOG)) or ""})
    place = os.path.join(folder, SUMS)
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.rstrip("\n").split("  ", 1) for line in file]
    except OSError:
        return known
    sums = {row[1]: row[0] for row in rows if len(row) > 1}
    if sorted(sums) != sorted(files):  # somebody's own
        return known
    found = {path: frozenset({digest}) for path, digest in sums.items()}
    return {**found, SUMS: frozenset({_digest(place) or ""})}


def _is_inside(folder: str, path: str) -> bool:
    plain = path == posixpath.normpath(path) and not path.startswith(("/", "../"))
    if not plain or path in {"..", ".", RECORD} or "\0" in path:
        return False
    try:
        path.encode(sys.getfilesystemencoding())  # strictly: JSON can hold what no name has
        way_to(folder, path)
    except (FileError, UnicodeEncodeError):
        return False
    return True


def _digests(folder: str, paths: Collection[str]) -> dict[str, str]:
    """As `_digest`, by path, of those that are there."""
    found = {path: _digest(os.path.join(folder, *path.split("/"))) for path in sorted(paths)}
    return {path: digest for path, digest in found.items() if digest is not None}


def _digest(path: str) -> str | None:
    """The SHA-256 of a file; None where nothing lies there, empty for what is no file.

    Raises:
        FileError: It cannot be read.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return ""
        return file_hash(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # nothing can lie there
            return None
        raise FileError(f"Cannot read {path}: {error.strerror}") from error


def is_same(path: str, manifest: str | None) -> bool:
    """Whether the manifest that is read is reached by this path."""
    try:
        return manifest is not None and os.path.samefile(path, manifest)
    except OSError:  # a link that leads nowhere, or a manifest that is gone
        return False


def _refuse_other_manifest(folder: str, changed: Collection[str], manifest: str | None) -> None:
    """Refuse to change the manifest that the build reads, whoever insists.

    Raises:
        FileError: The build has another file of that name, or a fetch removes it.
    """
    if changed:
        place = os.path.join(folder, min(changed))
        raise FileError(
            f"{place} is the manifest that is read, and the recipes have another file of that name",
            hint="Name another folder with -o",
        )
    kept = os.path.join(folder, KEPT)
    if manifest is not None and _is_below(kept, manifest):
        raise FileError(
            f"{manifest} is the manifest that is read, and a fetch removes {kept} when it ends",
            hint="Move the manifest, or name another folder with -o",
        )


def _is_below(folder: str, path: str) -> bool:
    """Whether the file, or a link that leads to it, lies in the folder."""
    above = os.path.realpath(folder)
    link = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    return any(
        os.path.commonpath([above, place]) == above for place in (link, os.path.realpath(path))
    )


__all__ = ["Standing", "is_same", "look"]
