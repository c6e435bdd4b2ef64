"""What stands in the way of a file that is to be written: what is at its place already.

`capture` never destroys somebody's manifest: what the old one knows and the new one would not is
told, and nothing is written. A recording replaces a recording alone, and a report whatever is
none of the records that envsnap makes.
"""

from __future__ import annotations

import os

from envsnap.errors import FileError, ManifestError
from envsnap.manifest import Manifest

_COMPARE = "Compare with: envsnap check PATH"


def existing(path: str) -> Manifest:
    """The manifest that is in a file already.

    Raises:
        FileError: The file is no manifest: somebody needs it for something else.
    """
    from envsnap.manifest import load

    try:
        return load(path)
    except ManifestError as error:
        raise FileError(
            f"{path} is there already and is no manifest that can be read: {error.message}",
            hint="Write elsewhere with -o, or move it away",
        ) from error


def why_not_over(now: Manifest, before: Manifest, *, anonymous: bool) -> tuple[str, str] | None:
    """What speaks against replacing the old file, and the first part of the hint."""
    from envsnap.cli._manifest import is_newer
    from envsnap.manifest import machine_id

    names_author = anonymous and not before.captured.anonymous
    if is_same(now, before) and not (names_author and (before.lock or before.requires)):
        return None
    if is_newer(before):
        what = (
            f"was written by a newer envsnap (schema {before.schema}), whose fields would be lost"
        )
        return what, "Capture with that envsnap"
    if now.captured.imported:
        return "is there already, and says something else", _COMPARE
    if not _is_of_the_same(now, before):
        ids = f"{machine_id(before)}, here is {machine_id(now)}"
        return f"names another machine: {ids}", _COMPARE
    if names_author:
        return "names its author, and --anonymous would replace it", "Keep both"
    lost = [each for each in _known(before) if each not in _known(now)]
    what = f"knows what this capture does not: {', '.join(lost)}"
    return (what, "Capture them too") if lost else None


def _is_of_the_same(now: Manifest, before: Manifest) -> bool:
    """Whether both are of one machine; where that is not known, of one environment."""
    from envsnap.manifest import environment_id, machine_id

    for ident in (machine_id, environment_id):
        ours, theirs = ident(now), ident(before)
        if isinstance(ours, str) and isinstance(theirs, str):
            return ours == theirs
    return False


def _known(manifest: Manifest) -> list[str]:
    """The sections that a manifest knows, and the lists that are the point of two of them."""
    from envsnap.sections import SECTIONS, Reason, Unknown

    unknown = Unknown(Reason.NOT_RECORDED)
    known = [
        name for name in SECTIONS if not isinstance(manifest.sections.get(name, unknown), Unknown)
    ]
    lists = [(name, part) for name in known for part in ("installed", "devices")]
    return [name for name in known if name != "moment"] + [
        f"{name}.{part}"
        for name, part in lists
        if isinstance(getattr(manifest.sections[name], part, None), tuple)
    ]


def is_same(manifest: Manifest, before: Manifest) -> bool:
    """Whether both have the same facts, whenever they were captured."""
    now, then = ({**each.sections, "moment": None} for each in (manifest, before))
    return now == then and manifest.schema == before.schema


def refuse_recording_over(path: str) -> None:
    """Refuse to put a recording where anything else is.

    Raises:
        FileError: Something is there that is neither empty nor a recording.
    """
    from envsnap.host._recording_file import is_recording

    if not os.path.exists(path):
        return
    try:
        is_empty = not (os.listdir(path) if os.path.isdir(path) else os.path.getsize(path))
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    if not is_empty and not is_recording(path):
        raise FileError(
            f"{path} is there already, and is no recording",
            hint="Name another place with --record, or write into it with --force",
        )


def record_at(path: str) -> str | None:
    """What envsnap recorded in a file, in words; None for anything else, as an older report.

    Raises:
        FileError: It cannot be read.
    """
    from envsnap.cli._lock_files import is_lock
    from envsnap.host._recording_file import is_of_recording

    if not os.path.isfile(path):
        return None
    if _is_manifest(path):
        return "a manifest"
    if is_of_recording(path):
        return "a recording"
    return "a lock" if is_lock(path) else None


def _is_manifest(path: str) -> bool:
    """Whether a file is a manifest of any version, usable or not."""
    from envsnap.manifest._file import parse_json, read_bytes

    try:
        found = parse_json(read_bytes(path))
    except ManifestError:
        return False
    return isinstance(found, dict) and {"schema", "sections"} <= found.keys()
