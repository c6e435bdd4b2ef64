"""The one door through which probes look at a machine.

Every question has three kinds of answer: the thing itself, `None` (looked for and not there),
or `Unknown` (could not be looked at, and why). No question changes the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from envsnap._typing import NamedTuple, Protocol
from envsnap.sections import Fact

FILE_LIMIT_BYTES = 16 * 1024 * 1024
"""How much of a file is read unless the caller says otherwise."""


class Stat(NamedTuple):
    """What kind of thing a path is, links followed."""

    kind: str
    """file, folder or other."""
    size: int
    """Bytes."""
    modified_s: int
    """Seconds since 1970, UTC."""
    owner: int | None = None
    """The number of the user whose it is; None where that was not recorded, and on Windows."""


class Ran(NamedTuple):
    """A command that was started and ended."""

    status: int
    """Its exit status; negative is the signal that ended it."""
    stdout: str
    """Decoded as UTF-8, bytes that are none as surrogate escapes."""
    stderr: str


class Uname(NamedTuple):
    """What the kernel says of itself. The host's name is left out on purpose."""

    system: str
    release: str
    version: str
    machine: str


class Host(Protocol):
    """A machine, or what is left of one: a folder, a recording, an image."""

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a regular file; None if there is no such file."""

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""

    def link(self, path: str) -> Fact[str | None]:
        """Where a symbolic link points, as written; None if it is no link."""

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved; None if it leads nowhere."""

    def run(self, argv: Sequence[str], *, timeout_s: float = 5.0) -> Fact[Ran]:
        """A command's answer in the C locale; `tool-missing` when it is not on PATH."""

    def which(self, name: str) -> Fact[str | None]:
        """Where PATH has the command; None if nowhere."""

    def environ(self, name: str) -> Fact[str | None]:
        """One environment variable; None if it is not set."""

    def uname(self) -> Fact[Uname]:
        """The kernel's own words."""

    def user(self) -> Fact[tuple[str, int]]:
        """The user's name and number. Never recorded in a manifest."""

    def home(self) -> Fact[str | None]:
        """The user's home folder."""

    def cwd(self) -> Fact[str]:
        """The folder that the user stands in."""

    def capacity_mib(self, path: str) -> Fact[int | None]:
        """The size of the folder's file system, MiB; None if there is no such folder."""

    def nvml(self) -> Fact[NvmlAnswer]:
        """What NVIDIA's management library says, asked in a child that can be killed."""

    def stated_digests(self, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
        """Start reading RECORD files; call the result for their digests, in the same order."""

    def verified(
        self, asked: Sequence[ToVerify], listen: Listen
    ) -> Callable[[], Sequence[Fact[Verified]]]:
        """Start hashing all files of these; call the result for what was found, in their order.

        `listen` is told how far it is, in the thread of that call.
        """

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """What each ELF file says of itself, in their order; None where it is no ELF file.

        One that the linker refuses for its headers is none, either.
        """

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """The SHA-256 of each file, hex, in their order; None where there is no such file."""

    def stop(self) -> None:
        """End what still runs for this host: the capture is given up."""


class StatedDigest(NamedTuple):
    """What one RECORD states of its distribution's files."""

    content: Fact[str | None]
    """envsnap-content-1, hex; None where there is no RECORD."""
    files: int
    """How many files it lists."""
    outside: Fact[str | None] = None
    """envsnap-outside-1, hex; None where it names nothing outside of its folder."""


class Binary(NamedTuple):
    """What an ELF file says of itself. Nothing of it was run."""

    machine: str
    """As `uname -m` names it: x86_64, aarch64, ...; em-N for one without a name here."""
    bits: int
    """32 or 64."""
    soname: str | None
    needed: tuple[str, ...]
    """DT_NEEDED, in the file's order."""
    rpath: tuple[str, ...]
    """DT_RPATH's folders as written, $ORIGIN and all; empty where DT_RUNPATH is there too."""
    runpath: tuple[str, ...]
    interpreter: str | None
    """The dynamic linker that a program names."""
    versions: tuple[tuple[str, tuple[str, ...]], ...]
    """The symbol versions that it asks for, by library; both sorted."""
    imports: bool
    """Whether it defines PyInit_ or init functions: it can be imported by Python."""
    sass: tuple[str, ...]
    """Targets of compiled GPU code, as sm_90a; sorted."""
    ptx: tuple[str, ...]
    """Targets of PTX, as compute_90; sorted."""
    amd: tuple[str, ...]
    """AMD's targets, as gfx942; sorted."""
    compat: tuple[str, tuple[int, ...]] | None
    """CUDA version and driver branches of a cuda-compat libcuda's ELF note; None for others."""
    texts: tuple[str, ...]
    """What it is by lines in its data, as 'OpenBLAS 0.3.29'; NumPy's instruction sets; sorted."""


class ToVerify(NamedTuple):
    """A distribution whose files are to be hashed."""

    record: str
    """Its RECORD."""
    prefix: str
    """The folder that its files may lie in beside its own; empty for none."""


class Verified(NamedTuple):
    """How the files of a distribution differ from its RECORD; paths as that writes them."""

    content: Fact[str | None]
    """envsnap-content-1 of the files as they are, hex; of those not checked, as RECORD states."""
    files: int
    """How many have the SHA-256 that RECORD states."""
    edited: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unchecked: tuple[str, ...]
    more: Mapping[str, int]
    """How many of each kind were found beyond those named."""
    outside: Fact[str | None] = None
    """envsnap-outside-1, hex; unknown where one of its files is not the stated one."""


class Hashed(NamedTuple):
    """How far the hashing is."""

    files: int
    bytes: int
    of_files: int
    of_bytes: int
    """As the RECORDs state them."""


Listen = Callable[[Hashed], None]


NvmlAnswer = dict[str, object]
"""NVML's raw answer as JSON: {"driver_version": ..., "cuda_driver_version": ..., "devices": [...]};
each leaf is a value or {"error": "NVML_ERROR_NAME"}. `envsnap.host._nvml` says what is in it."""


class PlainHost:
    """Answers that follow from other answers, the same on every kind of host."""

    def stop(self) -> None:
        """End what still runs for this host; most start nothing."""

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """Nothing, unless a kind of host knows better."""
        from envsnap.sections import Reason, Unknown

        return [Unknown(Reason.NOT_SUPPORTED, "libraries are not read there")] * len(paths)

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """Nothing, unless a kind of host knows better."""
        from envsnap.sections import Reason, Unknown

        return [Unknown(Reason.NOT_SUPPORTED, "files are not hashed there")] * len(paths)

    def verified(
        self,
        asked: Sequence[ToVerify],
        listen: Listen,  # noqa: ARG002 - there is nothing to tell
    ) -> Callable[[], Sequence[Fact[Verified]]]:
        """Nothing, unless a kind of host knows better."""
        from envsnap.sections import Reason, Unknown

        why = Unknown(Reason.NOT_SUPPORTED, "files are hashed on this machine alone")
        return lambda: [why] * len(asked)

    def which(self: Host, name: str) -> Fact[str | None]:
        """Where PATH has the command; None if nowhere."""
        from envsnap.sections import Unknown

        path, uname = self.environ("PATH"), self.uname()
        if isinstance(path, Unknown):
            return path
        is_windows = not isinstance(uname, Unknown) and uname.system == "Windows"
        separator, suffix = (";", ".exe") if is_windows else (":", "")
        for folder in (path or "/usr/bin:/bin").split(separator):
            if not (folder.startswith("/") or (is_windows and folder[1:2] == ":")):
                continue  # a relative entry means another program in every folder
            candidate = f"{folder}/{name}{suffix}"
            found = self.stat(candidate)
            if not isinstance(found, Unknown) and found is not None and found.kind == "file":
                return candidate
        return None
