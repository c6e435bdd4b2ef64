"""A host that is looked at while every question and its answer is written down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from envsnap._typing import TypeVar
from envsnap.host._answers import Answers, asked_as
from envsnap.host._protocol import (
    FILE_LIMIT_BYTES,
    Binary,
    Host,
    Listen,
    NvmlAnswer,
    Ran,
    Stat,
    StatedDigest,
    ToVerify,
    Uname,
    Verified,
)
from envsnap.sections import Fact

K = TypeVar("K")
V = TypeVar("V")


class RecordingHost:
    """Passes every question on, and remembers it with its answer: misses and refusals, too.

    Whoever asks again is told the same again: what is made from a recording is then what was made
    from the machine. Probes ask from several threads; an answer is one assignment into a dict,
    which Python itself keeps whole. Only a file can be asked for by halves: that has a lock.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._answers = Answers()
        self._reading = threading.Lock()

    def stop(self) -> None:
        """End what still runs for the host behind."""
        self._host.stop()

    def save(self, path: str) -> str:
        """Write the recording as a folder, or as one file where the name ends in .tar.

        The answer is one line that says what is in it.

        Raises:
            FileError: It cannot be written.
        """
        from envsnap.host._recording_file import describe, save

        save(self._answers, path)
        return describe(self._answers)

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a regular file; None if there is no such file."""
        with self._reading:
            known = self._answers.reads.get(path, b"")
            if isinstance(known, bytes) and len(known) < limit and not self._is_complete(path):
                known = self._host.read(path, limit=limit)
                self._answers.reads[path] = known
                if isinstance(known, bytes) and len(known) >= limit:
                    self._answers.cut.add(path)
                else:
                    self._answers.cut.discard(path)
        return known[:limit] if isinstance(known, bytes) else known

    def _is_complete(self, path: str) -> bool:
        return path in self._answers.reads and path not in self._answers.cut

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""
        return _once(self._answers.lists, path, self._host.list)

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""
        return _once(self._answers.stats, path, self._host.stat)

    def link(self, path: str) -> Fact[str | None]:
        """Where a symbolic link points, as written; None if it is no link."""
        return _once(self._answers.links, path, self._host.link)

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved; None if it leads nowhere."""
        return _once(self._answers.reals, path, self._host.real)

    def run(self, argv: Sequence[str], *, timeout_s: float = 5.0) -> Fact[Ran]:
        """A command's answer in the C locale; `tool-missing` when it is not on PATH."""
        return _once(
            self._answers.runs, asked_as(argv), lambda _: self._host.run(argv, timeout_s=timeout_s)
        )

    def which(self, name: str) -> Fact[str | None]:
        """Where PATH has the command; None if nowhere."""
        return _once(self._answers.which, name, self._host.which)

    def environ(self, name: str) -> Fact[str | None]:
        """One environment variable; None if it is not set."""
        return _once(self._answers.environ, name, self._host.environ)

    def uname(self) -> Fact[Uname]:
        """The kernel's own words."""
        found = self._answers.uname = self._host.uname()
        return found

    def user(self) -> Fact[tuple[str, int]]:
        """The user's name and number."""
        found = self._answers.user = self._host.user()
        return found

    def home(self) -> Fact[str | None]:
        """The user's home folder."""
        found = self._answers.home = self._host.home()
        return found

    def cwd(self) -> Fact[str]:
        """The folder that the user stands in."""
        found = self._answers.cwd = self._host.cwd()
        return found

    def capacity_mib(self, path: str) -> Fact[int | None]:
        """The size of the file system that holds a folder, MiB; None if there is no such folder."""
        return _once(self._answers.capacities, path, self._host.capacity_mib)

    def nvml(self) -> Fact[NvmlAnswer]:
        """What NVIDIA's management library says."""
        found = self._answers.nvml = self._host.nvml()
        return found

    def stated_digests(self, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
        """Start reading RECORD files; call the result for their digests, in the same order."""
        pending = self._host.stated_digests(records)

        def answers() -> Sequence[StatedDigest]:
            found = pending()
            self._answers.digests.update(zip(records, found, strict=True))
            return found

        return answers

    def verified(
        self, asked: Sequence[ToVerify], listen: Listen
    ) -> Callable[[], Sequence[Fact[Verified]]]:
        """What hashing all files of these finds. It is not kept: files are not recorded."""
        return self._host.verified(asked, listen)

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """What each ELF file says of itself, in their order; None where it is no ELF file."""
        return _each_once(self._answers.binaries, paths, self._host.binaries)

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """The SHA-256 of each file, hex, in their order; None where there is no such file."""
        return _each_once(self._answers.contents, paths, self._host.contents)


def _once(table: dict[K, V], key: K, ask: Callable[[K], V]) -> V:
    """The answer in the table; asked for where there is none. The first of two threads wins."""
    return table[key] if key in table else table.setdefault(key, ask(key))


def _each_once(
    table: dict[str, V], paths: Sequence[str], ask: Callable[[Sequence[str]], Sequence[V]]
) -> Sequence[V]:
    """The answers in the table; asked together for those that are not in it."""
    new = [path for path in dict.fromkeys(paths) if path not in table]
    for path, said in zip(new, ask(new), strict=True):
        table.setdefault(path, said)
    return [table[path] for path in paths]
