"""What a recording holds: every question that was asked of a host, and its answer.

`None` and `Unknown` are answers like any other. What is not in here was never asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from envsnap.host._protocol import Binary, NvmlAnswer, Ran, Stat, StatedDigest, Uname
from envsnap.sections import Fact, Reason, Unknown

_OF_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/")
FORMAT = "envsnap-recording-1"
"""Stands in host.json; another number is another format."""


def not_recorded(question: str) -> Unknown:
    """The answer to a question that was not asked when the recording was made."""
    return Unknown(Reason.NOT_RECORDED, question)


def asked_as(argv: Sequence[str]) -> tuple[str, ...]:
    """A command as it is recorded: the text of a script is left out.

    Else a recording would be lost with the next change of the script that interpreters are asked
    with; the marker that follows it says which answer is expected.
    """
    return tuple("{script}" if "\n" in part else part for part in argv)


@dataclass
class Answers:
    """One table for each kind of question."""

    tree: bool = False
    """Whether this is a machine made by hand: folders, links and `stat` follow from the files."""
    absent_below: tuple[str, ...] = ()
    """In a tree: folders under which whatever is not listed is known absent."""
    denied: set[str] = field(default_factory=set)
    """In a tree: files and folders that this user may not open."""

    reads: dict[str, Fact[bytes | None]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    """Files that may go on after the bytes in `reads`."""
    lists: dict[str, Fact[tuple[str, ...] | None]] = field(default_factory=dict)
    stats: dict[str, Fact[Stat | None]] = field(default_factory=dict)
    links: dict[str, Fact[str | None]] = field(default_factory=dict)
    reals: dict[str, Fact[str | None]] = field(default_factory=dict)

    runs: dict[tuple[str, ...], Fact[Ran]] = field(default_factory=dict)
    """By the command as `asked_as` writes it."""
    which: dict[str, Fact[str | None]] = field(default_factory=dict)
    environ: dict[str, Fact[str | None]] = field(default_factory=dict)
    capacities: dict[str, Fact[int | None]] = field(default_factory=dict)
    digests: dict[str, StatedDigest] = field(default_factory=dict)
    binaries: dict[str, Fact[Binary | None]] = field(default_factory=dict)
    contents: dict[str, Fact[str | None]] = field(default_factory=dict)

    uname: Fact[Uname] = field(default_factory=lambda: not_recorded("uname"))
    user: Fact[tuple[str, int]] = field(default_factory=lambda: not_recorded("user"))
    home: Fact[str | None] = field(default_factory=lambda: not_recorded("home"))
    cwd: Fact[str] = field(default_factory=lambda: not_recorded("cwd"))
    nvml: Fact[NvmlAnswer] = field(default_factory=lambda: not_recorded("nvml"))

    def paths(self) -> list[str]:
        """Every path that something is known of, sorted."""
        tables = (self.reads, self.lists, self.stats, self.links, self.reals)
        return sorted(self.denied.union(*tables))

    def lacks(self, question: str, path: str, more: str = "") -> Unknown:
        """The answer to a question about a path that was not asked when this was recorded."""
        return not_recorded(f"{question} {self.told(path)}{more}")

    def told(self, path: str) -> str:
        """A path as a manifest may say it: whole where it is the system's, else its last part.

        The user's own folder and those that lead to where they stood have no last part to tell.
        """
        if path == "/" or f"{path}/".startswith(_OF_SYSTEM):
            return path
        mine = [each for each in (self.home, self.cwd) if isinstance(each, str)]
        if any(f"{each}/".startswith(f"{path.rstrip('/')}/") for each in mine):
            return "{other}"
        return "{other}/" + path.rstrip("/").rpartition("/")[2]

    def is_whole(self) -> bool:
        """Whether this is a machine made by hand on which what is not listed is absent."""
        return self.tree and "/" in self.absent_below
