"""The lines that run Python in an image: they see this folder, and write into it as this user."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_HERE = '-v "$PWD":/work -w /work'
_AS_CALLER = {
    "docker": '--user "$(id -u):$(id -g)" -e HOME=/tmp',
    # In the user namespace of a plain user, this number is the user's own.
    "podman": "--user 0",
}
"""The image's own user may write nowhere in a folder of ours: what it made would be lost."""


def container_line(program: str, store: Sequence[str], options: Sequence[str], image: str) -> str:
    """For Docker and Podman; `store` stands before the command.

    >>> container_line("podman", [], ["--shm-size", "8g"], "lab/paper:1")
    'podman run --rm --shm-size 8g --user 0 -v "$PWD":/work -w /work lab/paper:1 python'
    """
    begun = shlex.join([program, *store, "run", "--rm", *options])
    return f"{begun} {_AS_CALLER[program]} {_HERE} {shlex.join([image, 'python'])}"
