"""Where tools keep what passes by while an image is built: one folder, never the home folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping

from envsnap._typing import NamedTuple
from envsnap.engines._locks import hold
from envsnap.errors import FileError

_CACHE = "envsnap-cache"
_PASSING = "envsnap-tmp-"
_ON_DISK = "/var/tmp"  # noqa: S108 - a folder of our own is made in it
"""Where container engines keep what passes by, since /tmp may be memory."""
_HELD = ".envsnap-held"
"""The file of such a folder that its process keeps locked while it lives."""
_UNHELD = f"{_HELD}.new"
"""The same before it is locked, and where there are no locks."""
_BOOT = "/proc/sys/kernel/random/boot_id"
_SURELY_OVER_S = 2 * 24 * 3600
"""How long nothing was made in a folder until, where no lock tells, its build counts as over."""


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
    root = _ON_DISK if workdir is None else os.path.abspath(workdir)
    with contextlib.ExitStack() as stack:
        try:
            cache = None if workdir is None else os.path.join(root, _CACHE)
            if cache is not None:
                os.makedirs(cache, mode=0o700, exist_ok=True)
            passing = stack.enter_context(passing_folder(root))
        except OSError as error:
            raise FileError(
                f"Cannot work in {workdir or root}: {error.strerror}",
                hint="Name a folder on a local disk with --workdir DIR",
            ) from error
        variables = {"TMPDIR": passing} if cache is None else _variables(passing, cache)
        yield Places(variables, passing, cache)


@contextlib.contextmanager
def passing_folder(root: str) -> Iterator[str]:
    """A folder for what engines unpack, below `root`, that goes when the block ends."""
    with swept_folder(root, _PASSING) as folder:
        _make_plain(folder)
        yield folder


@contextlib.contextmanager
def swept_folder(root: str, prefix: str) -> Iterator[str]:
    """A folder of our own below `root`, whose name begins so, that goes when the block ends.

    Where every process is killed at once, as a batch system ends a job, nobody is left to remove
    it: so each start removes those that no living process holds.
    """
    _sweep(root, prefix)
    folder = tempfile.mkdtemp(prefix=prefix, dir=root)
    try:
        with _held(folder):
            yield folder
    finally:
        remove_tree(folder)


def is_in_use(root: str, prefix: str) -> bool:
    """Whether a living process has such a folder there, as far as locks tell."""
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        names = [each.path for each in entries if each.name.startswith(prefix)]
        return any(_is_locked(os.path.join(each, _HELD)) for each in names)
    return False


def _is_locked(path: str) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # it is not there, or somebody else's
        return False
    try:
        return hold(handle) is False
    finally:
        os.close(handle)


def remove_tree(path: str) -> None:
    """Remove a folder with all that an engine unpacked there, folders without rights too."""
    for folder, names, _ in os.walk(path):
        for name in names:
            below = os.path.join(folder, name)
            if not os.path.islink(below):
                with contextlib.suppress(OSError):  # rmtree leaves it, too, and goes on
                    os.chmod(below, stat.S_IRWXU)
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each.path, ignore_errors=True)
            elif each.name not in {_HELD, _UNHELD}:  # last: as long as it is there, it is ours
                os.unlink(each.path)
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: str) -> Iterator[None]:
    """Keep a file of the folder locked: it gets its name once it is, so none is found unlocked."""
    name, unheld = (os.path.join(folder, each) for each in (_HELD, _UNHELD))
    handle = os.open(unheld, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with contextlib.suppress(OSError):  # NFS may have no locks: then time alone tells
            os.write(handle, "\n".join(_machine()).encode())
            if hold(handle):
                os.rename(unheld, name)
        yield
    finally:
        os.close(handle)


def _sweep(root: str, prefix: str) -> None:
    """Remove such folders of this user's dead processes."""
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        for each in entries:
            if each.name.startswith(prefix) and _is_left(each):
                remove_tree(each.path)


def _is_left(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is ours and nobody holds it; what cannot be told is not so.

    A name alone does not make it ours: it has our file, or was made just before that was.
    """
    with contextlib.suppress(OSError):
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            inside = set(os.listdir(entry.path))
            if inside and not inside & {_HELD, _UNHELD}:
                return False
            is_old = time.time() - found.st_mtime > _SURELY_OVER_S
            return _is_free(os.path.join(entry.path, _HELD), unless_told=is_old)
    return False


def _is_free(lock: str, *, unless_told: bool) -> bool:
    """Whether no living process holds the lock; what else is known where it does not tell."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # its folder was made just now, or lies where there are no locks
        return unless_told
    try:
        is_ours = hold(handle)
        if not is_ours:
            return unless_told if is_ours is None else False
        holders = os.read(handle, 1024).decode("utf-8", "replace").splitlines()
    except OSError:
        return unless_told
    finally:
        os.close(handle)
    # Another machine's lock may be hidden from us: many shared file systems keep them apart.
    return unless_told or _is_here(holders)


def _is_here(holders: list[str]) -> bool:
    """Whether this machine wrote the lines: by its kernel's start, else by its name.

    Machines of one name are many, and containers of other names share a kernel.
    """
    name, boot = _machine()
    theirs, since = (*holders, "", "")[:2]
    return since == boot if since and boot else theirs == name


def _machine() -> tuple[str, str]:
    """The machine's name, and what its kernel calls this start of it; empty where it does not."""
    boot = ""
    with contextlib.suppress(OSError), open(_BOOT, encoding="ascii") as file:
        boot = file.read().strip()
    return os.uname().nodename, boot


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
