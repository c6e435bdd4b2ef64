"""The ground that a build stands on: what a folder, the kernel and the batch system allow.

Here it is tried, not guessed: a file is started in the folder, a user namespace is made.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap._units import size_words
from envsnap.engines._command import run
from envsnap.errors import ToolError
from envsnap.sections import Fact, Reason, Unknown

_TRY_S = 5.0
_ESCAPED = re.compile(r"\\([0-7]{3})")
_QUOTA_ROW = re.compile(r"^\s*(\S+)\s+(\d+)\*?\s+(\d+)\s+(\d+)\s", re.MULTILINE)
_KIB = 1024


class Folder(NamedTuple):
    """A folder that an engine would work in."""

    path: str
    kind: Fact[str]
    """Its file system, as the kernel names it: ext4, xfs, tmpfs, nfs4, lustre."""
    free_bytes: Fact[int]
    starts_programs: Fact[bool]
    """Whether a program that lies there can be started."""
    hands_on: Fact[bool]
    """Whether what is made in it gets its group or its access list."""
    quota_bytes: Fact[int | None]
    """What this user's quota leaves there; None where that file system has none for them."""


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo."""

    point: str
    kind: str
    options: frozenset[str]
    source: str
    """What is mounted, as `quota` names it too: /dev/sdb1, server:/home."""


def parse_mounts(text: str) -> Sequence[Mount]:
    r"""The mounts of /proc/self/mountinfo, in its order.

    >>> parse_mounts("36 35 98:0 / /a\\040b rw,noexec shared:1 - ext4 /dev/sda rw")[0].point
    '/a b'
    """
    found = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        words = before.split(" ")
        if dash and len(words) >= 6:  # noqa: PLR2004 - up to its own options
            kind, source = (*after.split(" "), "")[:2]
            options = frozenset(words[5].split(","))
            found.append(Mount(_unescaped(words[4]), kind, options, _unescaped(source)))
    return found


def _unescaped(word: str) -> str:
    return _ESCAPED.sub(lambda each: chr(int(each[1], 8)), word)


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """The mount that a path lies on: the last of the deepest ones."""
    best = None
    for each in mounts:
        holds = path == each.point or path.startswith(each.point.rstrip("/") + "/")
        if holds and (best is None or len(each.point) >= len(best.point)):
            best = each
    return best


def look_at_folder(path: str, quotas: Fact[Mapping[str, int]]) -> Folder:
    """What a folder is like to build in, with `user_quotas`; it is left as it was."""
    place = os.path.realpath(path)
    why = Unknown(Reason.NOT_RECORDED, "no mount holds it")
    mounts: Sequence[Mount] = ()
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            mounts = parse_mounts(file.read())
    except OSError as error:
        why = Unknown(Reason.NO_PERMISSION, error.strerror)
    mount = mount_of(place, mounts)
    try:
        free: Fact[int] = shutil.disk_usage(place).free
    except OSError as error:
        free = Unknown(Reason.NO_PERMISSION, error.strerror)
    starts, hands_on = _tried(place)
    left = quota_at(mount, mounts, quotas) if mount else why
    return Folder(path, mount.kind if mount else why, free, starts, hands_on, left)


def quota_at(
    mount: Mount, mounts: Sequence[Mount], quotas: Fact[Mapping[str, int]]
) -> Fact[int | None]:
    """What the quotas leave on a mount, bytes; None where they are all for others of the mounts."""
    if isinstance(quotas, Unknown):
        return quotas
    placed = {_device(each.source) for each in mounts}
    left = {_device(source): size for source, size in quotas.items()}
    here = _device(mount.source)
    nowhere = [f"{source} ({size_words(left[source])} left)" for source in sorted({*left} - placed)]
    if here in left or not nowhere:
        return left.get(here)
    told = f"quota tells of {', '.join(nowhere)}, which is mounted nowhere by that name"
    return Unknown(Reason.NOT_RECORDED, told)


def _device(source: str) -> str:
    """The one name of a device that has links; other names as they are."""
    return os.path.realpath(source) if source.startswith("/dev/") else source


def _tried(place: str) -> tuple[Fact[bool], Fact[bool]]:
    """Whether a program can be started there, and whether what is made there inherits."""
    try:
        folder = tempfile.mkdtemp(prefix="envsnap-try-", dir=place)
    except OSError as error:
        why = Unknown(Reason.NO_PERMISSION, f"nothing can be written there: {error.strerror}")
        return why, why
    try:
        found = os.stat(folder)
        inherits = bool(found.st_mode & stat.S_ISGID) or _has_list(folder)
        program = os.path.join(folder, "try")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(program, stat.S_IRWXU)
        return _starts(program), inherits
    except OSError as error:
        why = Unknown(Reason.NO_PERMISSION, f"nothing can be written there: {error.strerror}")
        return why, why
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _starts(program: str) -> bool:
    try:
        return run([program], timeout_s=_TRY_S).status == 0
    except ToolError:
        return False


def _has_list(folder: str) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return any(name.startswith("system.posix_acl") for name in os.listxattr(folder))
    return False


def try_user_namespace() -> Fact[bool]:
    """Whether this user can make a user namespace now: the kernel is asked by making one."""
    try:
        done = run(["unshare", "--user", "--map-root-user", "true"], timeout_s=_TRY_S)
    except ToolError as error:
        return Unknown(Reason.TOOL_MISSING, error.message)
    return done.status == 0


def memory_limit() -> Fact[int | None]:
    """The most memory that this process's control group may have; None where there is no limit."""
    found: list[int] = []
    for path in _limit_files():
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            said = file.read().strip()
            if said != "max":
                found.append(int(said))
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return Unknown(Reason.NOT_SUPPORTED, "this system does not tell its memory")
    least = min(found, default=whole)
    return least if least < whole else None


def _limit_files() -> Sequence[str]:
    """The limits of this process's group and of all above it, of both kinds of groups."""
    with contextlib.suppress(OSError), open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file.read().splitlines():
            number, names, path = (*line.split(":", 2), "", "")[:3]
            if number == "0":
                return _upward("/sys/fs/cgroup", path, "memory.max")
            if "memory" in names.split(","):
                return _upward("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
    return ()


def _upward(root: str, path: str, name: str) -> Sequence[str]:
    parts = [part for part in path.split("/") if part not in {"", ".."}]
    return [os.path.join(root, *parts[:end], name) for end in range(len(parts) + 1)]


def parse_quotas(text: str) -> Mapping[str, int]:
    """The bytes that each file system's quota still leaves, by what `quota` calls it.

    >>> parse_quotas("  /dev/sda1  1048576  2097152  3145728   10  0  0")
    {'/dev/sda1': 1073741824}
    """
    return {
        source: max(0, int(soft or hard) - int(used)) * _KIB
        for source, used, soft, hard in _QUOTA_ROW.findall(text)
        if int(soft) or int(hard)
    }


def user_quotas() -> Fact[Mapping[str, int]]:
    """What this user's quotas still leave, bytes, by what is mounted; empty where none is."""
    try:
        done = run(["quota", "-w", "-p"], timeout_s=_TRY_S)
    except ToolError as error:
        return Unknown(Reason.TOOL_MISSING, error.message)
    return parse_quotas(done.stdout)
