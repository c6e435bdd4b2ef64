"""A folder that holds another machine's files: an unpacked image, a mounted disk.

Its links are followed as that machine would follow them, so that nothing of the machine that
looks is ever read. What only a running machine can tell is `no-running-machine`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from envsnap._typing import TypeVar
from envsnap.errors import FileError
from envsnap.host._children import Children
from envsnap.host._digests import through
from envsnap.host._links import follow
from envsnap.host._local import as_stat, read_regular, refused
from envsnap.host._protocol import (
    FILE_LIMIT_BYTES,
    Binary,
    Listen,
    NvmlAnswer,
    PlainHost,
    Ran,
    Stat,
    StatedDigest,
    ToVerify,
    Uname,
    Verified,
)
from envsnap.sections import Fact, Reason, Unknown

T = TypeVar("T")
_NOT_RUNNING = Unknown(Reason.NO_RUNNING_MACHINE)
_OF_A_RUNNING_MACHINE = ("proc", "sys", "dev")


class TreeHost(PlainHost):
    """The files below one folder, every link resolved inside of it."""

    def __init__(self, root: str) -> None:
        """Look below `root`.

        Raises:
            FileError: It is no folder.
        """
        if not os.path.isdir(root):
            raise FileError(f"No folder at {root}")
        self._root = os.path.realpath(root)
        self._children = Children()

    def stop(self) -> None:
        """End what hashes files for it: nothing of the tree is ever started."""
        self._children.stop()

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a regular file; None if there is no such file."""
        found = self.stat(path)
        if not isinstance(found, Stat):
            return found
        if found.kind != "file":  # opening a device can do something
            return Unknown(Reason.NOT_SUPPORTED, "not a regular file")
        place = self._place(path)
        if not isinstance(place, str):
            return place
        return read_regular(place, limit, flags=getattr(os, "O_NOFOLLOW", 0))

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""
        place = self._place(path)
        if not isinstance(place, str):
            return place
        try:
            return tuple(sorted(os.listdir(place)))
        except OSError as error:
            return refused(error)

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""
        place = self._place(path)
        if not isinstance(place, str):
            return place
        try:
            return as_stat(os.lstat(place))
        except OSError as error:
            return refused(error)

    def link(self, path: str) -> Fact[str | None]:
        """Where a symbolic link points, as written; None if it is no link."""
        folder, _, name = path.rpartition("/")
        place = self._place(folder or "/")
        if not isinstance(place, str):
            return place
        if place == self._root and name in _OF_A_RUNNING_MACHINE:
            return _NOT_RUNNING
        found = _link_at(f"{place.rstrip('/')}/{name}")
        return None if found == "" else found

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved, as the tree's own machine would call it."""
        found, place = self.stat(path), self._place(path)
        if not isinstance(found, Stat) or not isinstance(place, str):
            return found if isinstance(found, Unknown) else None
        return place[len(self._root.rstrip("/")) :] or "/"

    def _place(self, path: str) -> Fact[str | None]:
        """Where a path of the tree lies on this machine, without any link in it."""
        if not path.startswith("/"):
            return None
        root = self._root.rstrip("/")

        def link_at(place: str) -> Fact[str | None]:
            return _NOT_RUNNING if place[1:] in _OF_A_RUNNING_MACHINE else _link_at(root + place)

        place = follow(path, link_at)
        if not isinstance(place, str):
            return place
        return (root + place).rstrip("/") or "/"

    def run(
        self,
        argv: Sequence[str],  # noqa: ARG002 - nothing can be started
        *,
        timeout_s: float = 5.0,  # noqa: ARG002 - as above
    ) -> Fact[Ran]:
        """Nothing: no program of the tree is ever started."""
        return _NOT_RUNNING

    def environ(self, name: str) -> Fact[str | None]:  # noqa: ARG002 - there is no environment
        """Nothing: a folder has no environment variables."""
        return _NOT_RUNNING

    def uname(self) -> Fact[Uname]:
        """Nothing: a folder has no kernel."""
        return _NOT_RUNNING

    def user(self) -> Fact[tuple[str, int]]:
        """Nothing: nobody is logged in."""
        return _NOT_RUNNING

    def home(self) -> Fact[str | None]:
        """Nothing: nobody is logged in."""
        return _NOT_RUNNING

    def cwd(self) -> Fact[str]:
        """Nothing: nobody is logged in."""
        return _NOT_RUNNING

    def capacity_mib(self, path: str) -> Fact[int | None]:  # noqa: ARG002 - the disk is another's
        """Nothing: the file system under the folder is this machine's."""
        return _NOT_RUNNING

    def nvml(self) -> Fact[NvmlAnswer]:
        """Nothing: a folder has no driver."""
        return _NOT_RUNNING

    def stated_digests(self, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
        """The digests of RECORD files; call the result for them, in the same order."""
        return through(self, records)

    def verified(
        self, asked: Sequence[ToVerify], listen: Listen
    ) -> Callable[[], Sequence[Fact[Verified]]]:
        """Start hashing all files of these; a link that leads out of its prefix is not followed."""
        from envsnap.host._hashes import start

        return start([self._placed(each) for each in asked], self._children, listen)

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """What each ELF file says of itself, in their order; None where it is no ELF file."""
        from envsnap.host._binaries import binaries

        return self._of_files(paths, binaries)

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """The SHA-256 of each file, hex, in their order; None where there is no such file."""
        from envsnap.host._binaries import contents

        return self._of_files(paths, contents)

    def _of_files(
        self,
        paths: Sequence[str],
        ask: Callable[[Sequence[str], Children], Sequence[Fact[T | None]]],
    ) -> Sequence[Fact[T | None]]:
        """What is asked of those that are regular files: opening a device can do something."""
        places = [self._file(path) for path in paths]
        answers = iter(ask([each for each in places if isinstance(each, str)], self._children))
        return [next(answers) if isinstance(each, str) else each for each in places]

    def _file(self, path: str) -> Fact[str | None]:
        """Where a regular file of the tree lies on this machine."""
        found = self.stat(path)
        if not isinstance(found, Stat):
            return found
        return self._place(path) if found.kind == "file" else None

    def _placed(self, asked: ToVerify) -> ToVerify:
        """The same as it is called on this machine."""
        folder, _, name = asked.record.rpartition("/")
        place, prefix = self._place(folder), self._place(asked.prefix)
        if not isinstance(place, str) or isinstance(self.link(asked.record), str):
            return ToVerify(f"{self._root}/RECORD", "")  # where there is none
        return ToVerify(f"{place}/{name}", prefix if isinstance(prefix, str) else "")


def _link_at(place: str) -> Fact[str | None]:
    """Where the link at a place points; empty if it is no link, None if nothing is there."""
    try:
        return os.readlink(place)
    except OSError as error:
        return "" if error.errno == errno.EINVAL else refused(error)
    except ValueError:
        return None
