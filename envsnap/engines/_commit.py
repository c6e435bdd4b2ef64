"""The files of one commit, read from a repository without checking anything out.

No filter, hook or attribute of the repository's own runs: what comes is what was committed.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from typing import IO

from envsnap._typing import NamedTuple
from envsnap.errors import ToolError

_GIT = (
    "git", "--no-optional-locks", "--no-replace-objects", "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never",
)  # fmt: skip
_ROW = re.compile(rb"\A([0-9]{6}) (blob|commit) ([0-9a-f]{40,64}) +([0-9]+|-)\t(.+)\Z", re.DOTALL)
_DEADLINE_S = 60.0
_SUBMODULE = "160000"


class NoGitError(ToolError):
    """There is no git here, or it does not answer: nothing is known of the repository."""


class Entry(NamedTuple):
    """One file, link or submodule of a commit."""

    path: str
    """Relative, with `/`; bytes that are no UTF-8 as surrogates."""
    mode: str
    """As git writes it: 100644, 100755, 120000 (a link), 160000 (a submodule)."""
    size: int
    name: str
    """The blob's id."""

    @property
    def is_submodule(self) -> bool:
        """Whether it is another repository, which this one only names."""
        return self.mode == _SUBMODULE


def entries(folder: str, commit: str) -> tuple[Entry, ...] | None:
    """Everything in a commit, in git's own order; None where the repository does not have it.

    Raises:
        NoGitError: There is no git, or it does not answer.
        ToolError: It answers what it never should.
    """
    known = _git(folder, "cat-file", "-t", commit)
    if known is None or known.strip() != b"commit":
        return None
    listed = _git(folder, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    if listed is None:
        return None  # a clone that has commits and not their files
    found = []
    for row in listed.split(b"\0")[:-1]:
        match = _ROW.match(row)
        if match is None:
            raise ToolError(f"git lists the files of {commit[:12]} in a way that is not known")
        mode, _, name, size, path = match.groups()
        text = os.fsdecode(path)
        if text.startswith("/") or ".." in text.split("/"):
            raise ToolError(f"The commit {commit[:12]} has a file outside of it: {text[:80]!a}")
        found.append(Entry(text, mode.decode(), int(size.replace(b"-", b"0")), name.decode()))
    return tuple(found)


def committed(folder: str, commit: str) -> int:
    """When a commit was made, seconds since 1970, UTC."""
    said = _git(folder, "log", "-1", "--no-show-signature", "--format=%ct", commit) or b""
    if not said.strip().isdigit():
        raise ToolError(f"git does not say when {commit[:12]} was made")
    return int(said)


@contextlib.contextmanager
def contents(folder: str) -> Iterator[Contents]:
    """What answers with the bytes of one blob after the other."""
    argv = [*_GIT, "-C", folder, "cat-file", "--batch"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            if child.stdin is not None and child.stdout is not None:
                yield Contents(child.stdin, child.stdout)
        finally:
            child.kill()


class Contents:
    """The bytes of blobs, each read to its end before the next is asked for."""

    def __init__(self, asks: IO[bytes], answers: IO[bytes]) -> None:
        self._asks, self._answers = asks, answers
        self._left = 0

    def open(self, entry: Entry) -> Contents:
        """Begin with this entry.

        Raises:
            ToolError: The repository does not have it, as a partial clone.
        """
        self._asks.write(f"{entry.name}\n".encode())
        self._asks.flush()
        said = self._answers.readline().split()
        if said[1:] != [b"blob", str(entry.size).encode()]:
            raise ToolError(
                f"The repository lacks {entry.path[:120]!a} of the commit",
                hint="Fetch it whole: git fetch --refetch",
            )
        self._left = entry.size
        if not entry.size:
            self._answers.read(1)  # the line end after each
        return self

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes of the blob, or all that are left; none at its end."""
        piece = self._answers.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(piece)
        if not self._left and piece:
            self._answers.read(1)
        return piece


def _git(folder: str, *words: str) -> bytes | None:
    """What git prints; None where it ends with a fault."""
    try:
        done = subprocess.run(
            [*_GIT, "-C", folder, *words],
            capture_output=True, timeout=_DEADLINE_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise NoGitError("git is not on PATH") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoGitError(f"git does not answer: {error}") from error
    return done.stdout if done.returncode == 0 else None
