"""Where tools keep what passes by while an image is built: one folder, never the home folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.errors import FileError

_CACHE = "envsnap-cache"
_PASSING = "envsnap-tmp-"
_ON_DISK = "/var/tmp"  # noqa: S108 - a folder of our own is made in it
"""Where container engines keep what passes by, since /tmp may be memory."""


class Places(NamedTuple):
    """The folders of one build."""

    variables: Mapping[str, str]
    """What tells every tool of them."""
    passing: str | None
    """What goes when the build ends; None for the system's own temporary folder."""
    cache: str | None
    """What stays for the next build; None for each tool's own cache."""


NOWHERE = Places({}, None, None)


def choose_workdir(asked: str | None, environ: Mapping[str, str]) -> str | None:
    """The folder asked for, else $SCRATCH, else $TMPDIR; None where the system's own serve.

    >>> choose_workdir(None, {"SCRATCH": "/scratch/anna", "TMPDIR": "/tmp/job"})
    '/scratch/anna'
    """
    return asked or environ.get("SCRATCH") or environ.get("TMPDIR") or None


@contextlib.contextmanager
def places(workdir: str | None, *, always: bool = False) -> Iterator[Places]:
    """A build's folders below the working folder, and the variables that name them.

    Where there is none and `always`, what goes with the build has its own folder all the same.

    Raises:
        FileError: They cannot be made there.
    """
    if workdir is None and not always:
        yield NOWHERE
        return
    if workdir is None:
        with tempfile.TemporaryDirectory(prefix=_PASSING, dir=_ON_DISK) as own:
            yield Places({"TMPDIR": own}, own, None)
        return
    root = os.path.abspath(workdir)
    try:
        cache = os.path.join(root, _CACHE)
        os.makedirs(cache, mode=0o700, exist_ok=True)
        passing = tempfile.mkdtemp(prefix=_PASSING, dir=root)
        _make_plain(passing)
    except OSError as error:
        raise FileError(
            f"Cannot work in {workdir}: {error.strerror}",
            hint="Name a folder on a local disk with --workdir DIR",
        ) from error
    try:
        yield Places(_variables(passing, cache), passing, cache)
    finally:
        remove_tree(passing)


def remove_tree(path: str) -> None:
    """Remove a folder with all that an engine unpacked there, folders without rights too."""
    for folder, names, _ in os.walk(path):
        for name in names:
            below = os.path.join(folder, name)
            if not os.path.islink(below):
                with contextlib.suppress(OSError):  # rmtree leaves it, too, and goes on
                    os.chmod(below, stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=True)


def _make_plain(folder: str) -> None:
    """Take off what a parent folder hands on: a set-group-id bit keeps engines from unpacking."""
    os.chown(folder, -1, os.getegid())
    os.chmod(folder, stat.S_IRWXU)


def _variables(passing: str, cache: str) -> Mapping[str, str]:
    kept = {
        "APPTAINER_CACHEDIR": "apptainer", "SINGULARITY_CACHEDIR": "apptainer",
        "PIP_CACHE_DIR": "pip", "UV_CACHE_DIR": "uv", "XDG_CACHE_HOME": "cache",
    }  # fmt: skip
    names = ("TMPDIR", "APPTAINER_TMPDIR", "SINGULARITY_TMPDIR")
    return {
        **{name: os.path.join(cache, folder) for name, folder in kept.items()},
        **dict.fromkeys(names, passing),
    }
