"""What stands in the way of a capture: the manifest that is at its place already.

`capture` never destroys somebody's manifest: what the old one knows and the new one would not is
told, and nothing is written.
"""

from __future__ import annotations

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
