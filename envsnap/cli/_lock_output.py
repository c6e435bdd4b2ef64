"""Where a lock is written: into the manifest that it is of, or to a file that nothing is lost with.

To lock takes minutes. What another run writes into the manifest meanwhile stays in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from envsnap.cli._rewritten import rewritten
from envsnap.errors import FileError
from envsnap.manifest import Manifest, encode, environment_id, parse, read_bytes, save


def put_lock(locked: Manifest, path: str) -> None:
    """Put a lock into the manifest of a file, as that is by now.

    Raises:
        FileError: It has other facts than were locked, or cannot be written.
    """

    def change(raw: bytes | None) -> bytes:
        now = parse(raw or b"", path)
        if (now.sections, now.captured) != (locked.sections, locked.captured):
            raise FileError(
                f"{path} has other facts now than were locked: its lock is not written",
                hint="Lock it again: run the same command",
            )
        return encode(now.with_lock(locked.lock)).encode()

    rewritten(path, lambda: read_bytes(path), change)


def write_locked(locked: Manifest, path: str, output: str, *, force: bool) -> None:
    """Write a locked manifest back into its file, or to another one that may be replaced.

    Raises:
        FileError: The file has what would be lost, or cannot be written.
    """
    if _is_same_file(path, output):
        put_lock(locked, output)
    elif output == "-" or not _is_file(output):
        save(locked, output)
    else:

        def change(_: bytes | None) -> bytes:
            refuse_output(locked, path, output, force=force)
            return encode(locked).encode()

        rewritten(output, lambda: read_bytes(output), change)


def refuse_output(manifest: Manifest, path: str, output: str, *, force: bool) -> None:
    """Refuse to replace what is no manifest, or one that says what this one does not.

    Raises:
        FileError: The output is such a file.
    """
    if output == "-" or _is_same_file(path, output) or not _is_file(output):
        return
    from envsnap.cli._replaced import existing

    before = existing(output)
    why_not = None if force else _why_not(manifest, before)
    if why_not is not None:
        raise FileError(f"{output} {why_not}", hint="Write elsewhere with -o, or give --force")


def _why_not(now: Manifest, before: Manifest) -> str | None:
    """What speaks against replacing a manifest; None where nothing is lost."""
    from envsnap.cli._replaced import why_not_over

    ours, theirs = environment_id(now), environment_id(before)
    if ours != theirs:
        return f"is the manifest of another environment: {theirs}, here is {ours}"
    why_not = why_not_over(now, before, anonymous=now.captured.anonymous)
    if why_not is not None:
        return why_not[0]
    if not _has_all(now.requires, before.requires):
        return "requires what this manifest does not"
    return None


def _has_all(ours: Mapping[str, object], theirs: Mapping[str, object]) -> bool:
    """Whether everything that the one requires is required by the other."""
    for key, value in theirs.items():
        found = ours.get(key)
        if isinstance(value, (list, tuple)) and isinstance(found, (list, tuple)):
            if any(each not in found for each in value):
                return False
        elif found != value:
            return False
    return True


def _is_same_file(path: str, output: str) -> bool:
    return "-" not in {path, output} and os.path.realpath(path) == os.path.realpath(output)


def _is_file(path: str) -> bool:
    """Whether there is something to lose; a device or a pipe is written into."""
    return os.path.isfile(path)
