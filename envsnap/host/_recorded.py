"""A machine that is not here: it answers from a recording, or from what a test wrote down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from envsnap.host._answers import Answers, asked_as, not_recorded
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
from envsnap.host._recorded_files import ExactFiles, Files, TreeFiles
from envsnap.host._recorded_made import Made, written
from envsnap.sections import Fact, Reason, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack


class RecordedHost(PlainHost):
    """Answers from a recording; a question that is not in it is `not-recorded`."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._files: Files = TreeFiles(answers) if answers.tree else ExactFiles(answers)

    @classmethod
    def from_path(cls, path: str) -> RecordedHost:
        """The machine that a folder or a .tar file holds.

        Raises:
            ManifestError: It is no recording; the message says which file and where in it.
            FileError: It cannot be read.
        """
        from envsnap.host._recording_file import load

        return cls(load(path))

    @classmethod
    def made(cls, **given: Unpack[Made]) -> RecordedHost:
        """A machine made by hand, with the sense of a real tree.

        A file's parent folders exist and list it; links are followed; a path in `absent` is
        known not to be there, and so is all that is not listed under a folder in `absent_below`.
        With "/" there this is a whole machine: variables and commands not listed are absent too.
        `devices` are neither files nor folders; `owners` are users' numbers by path; `binaries`
        are files, too: what is said of a library without its bytes.
        Any other question is `not-recorded`.
        A command's answer as plain text means status 0; one that ends in "..." may go on.

        >>> host = RecordedHost.made(files={"/etc/os-release": "ID=debian"}, absent=["/proc"])
        >>> host.read("/etc/os-release")
        b'ID=debian'
        >>> host.stat("/proc/driver") is None
        True
        >>> str(host.uname())
        'not-recorded: uname'
        """
        return cls(written(given))

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a regular file; None if there is no such file."""
        return self._files.read(path, limit)

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""
        return self._files.list(path)

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""
        return self._files.stat(path)

    def link(self, path: str) -> Fact[str | None]:
        """Where a symbolic link points, as written; None if it is no link."""
        return self._files.link(path)

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved; None if it leads nowhere."""
        return self._files.real(path)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float = 5.0,  # noqa: ARG002 - a recording answers at once
    ) -> Fact[Ran]:
        """A command's answer. On a machine made by hand, a command off PATH is `tool-missing`."""
        asked = asked_as(argv)
        if asked in self._answers.runs:
            return self._answers.runs[asked]
        for known, said in self._answers.runs.items() if self._answers.tree else ():
            if known[-1] == "..." and asked[: len(known) - 1] == known[:-1]:
                return said
        if self._answers.tree and "/" not in argv[0] and self.which(argv[0]) is None:
            return Unknown(Reason.TOOL_MISSING, argv[0])
        return not_recorded("command " + " ".join(map(self._word, asked)))

    def _word(self, part: str) -> str:
        """A part of a command, without the folders of the paths in it."""
        before, slash, after = part.partition("/")
        return before + self._answers.told(slash + after) if slash else part

    def which(self, name: str) -> Fact[str | None]:
        """Where PATH has the command; None if nowhere."""
        if name in self._answers.which:
            return self._answers.which[name]
        if not self._answers.tree:
            return not_recorded(f"which {self._word(name)}")
        found = super().which(name)
        if not isinstance(found, str) and any(argv[0] == name for argv in self._answers.runs):
            return f"/usr/bin/{name}"  # a command that answers is on PATH
        return found

    def environ(self, name: str) -> Fact[str | None]:
        """One environment variable; None if it is not set."""
        if name in self._answers.environ:
            return self._answers.environ[name]
        return None if self._answers.is_whole() else not_recorded(f"environment variable {name}")

    def uname(self) -> Fact[Uname]:
        """The kernel's own words."""
        return self._answers.uname

    def user(self) -> Fact[tuple[str, int]]:
        """The user's name and number."""
        return self._answers.user

    def home(self) -> Fact[str | None]:
        """The user's home folder."""
        return self._answers.home

    def cwd(self) -> Fact[str]:
        """The folder that the user stood in."""
        return self._answers.cwd

    def capacity_mib(self, path: str) -> Fact[int | None]:
        """The size of the file system that holds a folder, MiB; None if there is no such folder."""
        if path in self._answers.capacities:
            return self._answers.capacities[path]
        return None if self.stat(path) is None else self._answers.lacks("capacity of", path)

    def nvml(self) -> Fact[NvmlAnswer]:
        """What NVIDIA's management library said."""
        return self._answers.nvml

    def stated_digests(self, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
        """The digests as recorded, else computed from the RECORD files in the recording."""
        from envsnap.host._digests import digest_of

        return lambda: [
            self._answers.digests.get(path) or digest_of(self, path) for path in records
        ]

    def verified(
        self,
        asked: Sequence[ToVerify],
        listen: Listen,  # noqa: ARG002 - a recording answers at once
    ) -> Callable[[], Sequence[Fact[Verified]]]:
        """Nothing: a recording has no package's files."""
        return lambda: [not_recorded("the files of packages")] * len(asked)

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """What each ELF file says of itself as recorded; None where it is known to be none."""
        return [self._binary(path) for path in paths]

    def _binary(self, path: str) -> Fact[Binary | None]:
        place = self._place(path, self._answers.binaries)
        if place in self._answers.binaries:
            return self._answers.binaries[place]
        start = self._files.read(path, 4)
        if start is None or (isinstance(start, bytes) and start != b"\x7fELF"):
            return None
        return self._answers.lacks("binary", path)

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """The digests as recorded, else of the bytes that are in the recording."""
        return [self._content(path) for path in paths]

    def _content(self, path: str) -> Fact[str | None]:
        place = self._place(path, self._answers.contents)
        if place in self._answers.contents:
            return self._answers.contents[place]
        if self._files.stat(path) is None:
            return None
        found = self._files.read(path, FILE_LIMIT_BYTES)
        if not isinstance(found, bytes) or place in self._answers.cut:
            return self._answers.lacks("content", path)
        import hashlib  # start-up: few recordings are asked for it

        return hashlib.sha256(found).hexdigest()

    def _place(self, path: str, table: Mapping[str, object]) -> str:
        """The path, or on a machine made by hand the one that it leads to."""
        real = self._files.real(path) if self._answers.tree and path not in table else path
        return real if isinstance(real, str) else path
