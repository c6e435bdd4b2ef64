"""What an engine says that it built: the name asked for may still be an older image's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from envsnap.errors import ToolError

_NAME = ".envsnap-image-id"


@contextlib.contextmanager
def id_file(folder: str) -> Iterator[str]:
    """Where a program notes the id of what it built (its --iidfile): nothing is there yet.

    In a folder that the program surely sees, and may write to: snap's Docker has a /tmp of its own.
    """
    path = os.path.join(os.path.abspath(folder), _NAME)  # the program runs in another folder
    with contextlib.suppress(FileNotFoundError):  # of a build that was killed
        os.unlink(path)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def noted_id(path: str, program: str) -> str:
    """What a program noted there, as 'sha256:' and 64 hex digits.

    Raises:
        ToolError: It noted none.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            found = file.read().strip()
    except OSError:
        found = ""
    if not found.removeprefix("sha256:"):  # as Buildah 1.24 writes where it has none
        raise ToolError(f"{program} ended without an error, and made no image")
    return found if ":" in found else f"sha256:{found}"
