"""The folder that recipes are written into. One that is not ours is never touched."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
from collections.abc import Mapping, Sequence

from envsnap.errors import FileError
from envsnap.manifest import write_whole

RECORD = "build.json"
"""What was built, and the mark of a folder that we wrote."""
_ABOUT = "written by envsnap build; the folder can be deleted and made again"
_EXECUTABLE = (".sh", "postBuild")


def claim(folder: str, *, force: bool) -> None:
    """Make sure that the folder may be written into.

    Raises:
        FileError: It holds somebody else's files.
    """
    if force or not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise FileError(f"{folder} is no folder", hint="Name another with -o")
    if os.listdir(folder) and read_record(folder) is None:
        raise FileError(
            f"{folder} holds files that envsnap did not write",
            hint="Name another folder with -o, or give --force",
        )


def write_context(folder: str, files: Mapping[str, str]) -> None:
    """Write every file whole, and remove those of an earlier build that are no longer wanted.

    Raises:
        FileError: A file cannot be written.
    """
    earlier = (read_record(folder) or {}).get("files", [])
    for path in sorted(files):
        target = os.path.join(folder, *path.split("/"))
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
        except OSError as error:
            raise FileError(f"Cannot make the folder of {target}: {error.strerror}") from error
        write_whole(
            target, files[path].encode(), mode=0o755 if path.endswith(_EXECUTABLE) else 0o644
        )
    for path in _stale(earlier, files):
        with contextlib.suppress(OSError):  # it is gone already, or somebody made it their own
            os.unlink(os.path.join(folder, *path.split("/")))


def write_record(folder: str, record: Mapping[str, object], files: Sequence[str]) -> None:
    """Write build.json: no path of this machine, and no time but the capture's."""
    document = {"about": _ABOUT, "build": "1.0", "files": sorted(files), **record}
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    write_whole(os.path.join(folder, RECORD), f"{text}\n".encode())


def read_record(folder: str) -> Mapping[str, object] | None:
    """The folder's build.json; None where there is none of ours."""
    try:
        with open(os.path.join(folder, RECORD), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("about") == _ABOUT else None


def _stale(earlier: object, files: Mapping[str, str]) -> list[str]:
    """Files of an earlier build inside the folder. A record can be edited: none leads out of it."""
    named = [each for each in earlier if isinstance(each, str)] if isinstance(earlier, list) else []
    return [
        path
        for path in named
        if path not in files
        and path == posixpath.normpath(path)
        and not path.startswith(("/", "../"))
        and path != ".."
    ]
