"""What goes into a wheel that is made again, and the guard at the folder's edge."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from typing import NamedTuple

_SITE = re.compile(
    r"\A(?P<prefix>.*?)/(?:local/)?lib(?:32|64)?/"
    r"(?:python[23](?:\.\d+t?)?|pypy\d+\.\d+)/(?:site|dist)-packages\Z"
)
FILE_LIMIT_BYTES = 16 * 1024**3
"""The largest file that is packed; the largest known library has two gigabytes."""


class Member(NamedTuple):
    """One file of a wheel."""

    name: str
    """Its path in the wheel."""
    source: str = ""
    """Where it is on this machine; empty where `data` is all of it."""
    data: bytes = b""
    stated: str | None = None
    """The SHA-256 that RECORD states of the installed file, hex."""
    inner: str = ""
    """Its name in `source` where that is a zip."""


class Home(NamedTuple):
    """The Python that an installation is for."""

    prefix: str
    version: str
    """To the patch, as '3.11.7'."""
    soabi: str | None
    platform: str
    """As a wheel's platform tag, 'linux_x86_64'."""


class Gathered(NamedTuple):
    """Everything of one distribution, before it is packed."""

    stem: str
    """NAME-VERSION, as its dist-info folder is called in the wheel."""
    members: tuple[Member, ...]
    """Without RECORD; WHEEL only where the installation has one."""
    notes: tuple[str, ...] = ()


class Area(NamedTuple):
    """The folders in which an installation's files may lie."""

    folder: str
    """The entry of the search path that holds it: site-packages."""
    prefix: str
    """The environment it belongs to."""

    def why_not(self, path: str) -> str | None:
        """Why a file may not be packed; None if it may. It is not opened.

        Links are followed inside the prefix only: one that leads out could name any file.
        """
        if not (is_below(path, self.folder) or is_below(path, self.prefix)):
            return "it lies outside the environment"
        real = os.path.realpath(path)
        if not any(is_below(real, os.path.realpath(each)) for each in self):
            return "it is a link that leads out of the environment"
        return _why_unreadable(real)


def _why_unreadable(path: str) -> str | None:
    """Why a file cannot be packed whatever its place; None if it can."""
    try:
        status = os.stat(path)
    except OSError as error:
        return "missing" if isinstance(error, FileNotFoundError) else _CANNOT
    if not stat.S_ISREG(status.st_mode):
        return "it is no regular file"
    if not os.access(path, os.R_OK):
        return _CANNOT
    return "it is too large" if status.st_size > FILE_LIMIT_BYTES else None


_CANNOT = "it may not be read"


def area_of(folder: str, fallback: str) -> Area:
    """The folder of packages and the prefix it belongs to.

    A user's own site and a distribution's Python have other prefixes than the environment has;
    a folder that `pip --target` made is its own.

    >>> area_of("/home/u/.local/lib/python3.11/site-packages", "/env")
    Area(folder='/home/u/.local/lib/python3.11/site-packages', prefix='/home/u/.local')
    """
    folder = os.path.normpath(folder)
    found = _SITE.match(folder)
    if found:
        return Area(folder, found["prefix"] or "/")
    return Area(folder, fallback if is_below(folder, fallback) else folder)


def is_below(path: str, folder: str) -> bool:
    """Whether a path lies in a folder; both are absolute."""
    path, folder = os.path.normpath(path), os.path.normpath(folder).rstrip("/")
    return path.startswith(f"{folder}/")


def is_member_name(name: str) -> bool:
    r"""Whether every unpacker takes a name for the same file below its target.

    >>> [is_member_name(each) for each in ("a/b.py", "../b.py", "/b.py", "a//b.py", "a\nb.py")]
    [True, False, False, False, False]
    """
    if not name or not name.isprintable() or "\\" in name or len(name.encode()) > _LONGEST_NAME:
        return False
    return not any(part in {"", ".", ".."} for part in name.split("/"))


_LONGEST_NAME = 4096


def listed(names: Sequence[str], limit: int = 20) -> str:
    """Names for one line, the first few of many.

    >>> listed(["a.py", "b.py", "c.py"], limit=2)
    'a.py, b.py and 1 more'
    """
    shown = ", ".join(ascii(name)[1:-1] for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
