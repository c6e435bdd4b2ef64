"""An image, looked at from inside: one child in it answers every question over a pipe."""

from __future__ import annotations

import base64
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, final

from envsnap.errors import ToolError, UsageError
from envsnap.host._agent import Agent
from envsnap.host._binaries import MODULES, as_binary, told
from envsnap.host._digests import through
from envsnap.host._protocol import (
    FILE_LIMIT_BYTES,
    Binary,
    NvmlAnswer,
    PlainHost,
    Ran,
    Stat,
    StatedDigest,
    Uname,
)
from envsnap.host._said import Json, as_fact, as_list, as_text, as_whole
from envsnap.inside import source
from envsnap.sections import Fact, Reason, Unknown

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

ANSWER_S = 60.0
"""How long an answer may take beyond what the question itself allows."""
FILES_S = 120.0
"""How long some libraries may take beyond that: as long as `envsnap.inside.binary` is silent."""
ALL_FILES_S = 900.0
"""How long all of one question may: what was not read by then stays unknown."""
_FILES_AT_ONCE = 16
_LATE = Unknown(Reason.TIMED_OUT, f"the image's libraries took more than {ALL_FILES_S:g} s")

_DOCKER = (
    "run", "--rm", "--interactive", "--pull", "never", "--network", "none", "--entrypoint", "",
)  # fmt: skip
_APPTAINER = ("exec", "--cleanenv", "--contain", "--no-home", "--pwd", "/")


def image_host(reference: str) -> ImageHost:
    """The image behind `docker-daemon:NAME`, `containers-storage:NAME` or `FILE.sif`, started.

    Raises:
        UsageError: The reference names no image that can be started here.
        ToolError: The engine is not installed, or the image does not start.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "docker-daemon" and name and not name.startswith("-"):
        return ImageHost([_engine("docker", reference), *_DOCKER, name], reference)
    if scheme == "containers-storage" and name and not name.startswith("-"):
        store, image = _store(name, reference)
        return ImageHost([_engine("podman", reference), *store, *_DOCKER, image], reference)
    if reference.endswith(".sif"):
        if not os.path.isfile(reference):
            raise UsageError(f"No image at {reference}")
        engine = _engine("apptainer", reference, "singularity")
        return ImageHost([engine, *_APPTAINER, os.path.abspath(reference)], reference)
    raise UsageError(
        f"No image can be started from {reference!r}",
        hint="Name it as docker-daemon:NAME[:TAG] (docker pull or docker load first), "
        "containers-storage:NAME[:TAG] (podman pull) or FILE.sif",
    )


def _store(name: str, reference: str) -> tuple[tuple[str, ...], str]:
    """What tells Podman of the store in `[ROOT+RUNNING]NAME`, and the image in it."""
    if not name.startswith("["):
        return (), name
    places, closed, image = name[1:].rpartition("]")
    root, _, running = places.rpartition("@")[2].partition("+")
    if (
        not closed
        or not os.path.isabs(root)
        or not os.path.isabs(running)
        or not image[:1].isalnum()
    ):
        raise UsageError(
            f"No image can be started from {reference!r}",
            hint="Name a store of its own as containers-storage:[/ROOT+/RUNNING]NAME",
        )
    return ("--root", root, "--runroot", running), image


def _engine(name: str, reference: str, *others: str) -> str:
    for each in (name, *others):
        found = shutil.which(each)
        if found:
            return found
    raise ToolError(
        f"Cannot look into {reference}: {name} is not on PATH",
        hint=f"Install {name}, or do this where it is installed",
    )


@final
class ImageHost(PlainHost):
    """A machine behind a command prefix, as `docker run -i IMAGE`; close it when done.

    The kernel is that of the machine that runs the engine; so are /proc and /sys.
    """

    def __init__(self, prefix: Sequence[str], name: str) -> None:
        """Start the agent behind the prefix.

        Raises:
            ToolError: It does not start; the message has the engine's last words.
        """
        self._asking = threading.Lock()
        self._agent = Agent(prefix, name)
        self._can_read_binaries = False

    def __enter__(self) -> ImageHost:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the agent; the engine removes the container."""
        self._agent.close()

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a regular file; None if there is no such file."""
        return self._maybe(_bytes, ask="read", path=path, limit=limit)

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""
        return self._maybe(_names, ask="list", path=path)

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""
        return self._maybe(_stat, ask="stat", path=path)

    def link(self, path: str) -> Fact[str | None]:
        """Where a symbolic link points, as written; None if it is no link."""
        return self._maybe(as_text, ask="link", path=path)

    def real(self, path: str) -> Fact[str | None]:
        """The path with all links resolved; None if it leads nowhere."""
        return self._maybe(as_text, ask="real", path=path)

    def run(self, argv: Sequence[str], *, timeout_s: float = 5.0) -> Fact[Ran]:
        """A command's answer in the C locale; `tool-missing` when it is not on PATH."""
        return self._surely(
            _ran, ask="run", argv=[*argv], timeout_s=timeout_s, within_s=ANSWER_S + timeout_s
        )

    def environ(self, name: str) -> Fact[str | None]:
        """One environment variable, as the image and its engine set it; None if it is not set."""
        return self._maybe(as_text, ask="environ", name=name)

    def uname(self) -> Fact[Uname]:
        """The kernel's own words."""
        return self._surely(_uname, ask="uname")

    def user(self) -> Fact[tuple[str, int]]:
        """The user's name and number inside."""
        return self._surely(_user, ask="user")

    def home(self) -> Fact[str | None]:
        """The user's home folder inside."""
        return self._maybe(as_text, ask="home")

    def cwd(self) -> Fact[str]:
        """The image's working folder."""
        return self._surely(as_text, ask="cwd")

    def capacity_mib(self, path: str) -> Fact[int | None]:
        """The size of the file system that holds a folder, MiB; None if there is no such folder."""
        return self._maybe(as_whole, ask="capacity", path=path)

    def nvml(self) -> Fact[NvmlAnswer]:
        """Nothing: an image has no driver, and a container only borrows its host's."""
        return Unknown(Reason.NOT_ASKED, "an image has no driver: the driver is the host's")

    def stated_digests(self, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
        """The digests of RECORD files; call the result for them, in the same order."""
        return through(self, records)

    def binaries(self, paths: Sequence[str]) -> Sequence[Fact[Binary | None]]:
        """What each ELF file says of itself, in their order; None where it is no ELF file."""
        return self._of_files("binaries", paths, as_binary)

    def contents(self, paths: Sequence[str]) -> Sequence[Fact[str | None]]:
        """The SHA-256 of each file, hex, in their order; None where there is no such file."""
        return self._of_files("contents", paths, as_text)

    def _of_files(
        self, asked: str, paths: Sequence[str], make: Callable[[Json], T]
    ) -> Sequence[Fact[T | None]]:
        """The answers for some files at a time: an answer is a line, and waited for as one."""
        starts = range(0, len(paths), _FILES_AT_ONCE)
        parts = [paths[start : start + _FILES_AT_ONCE] for start in starts]
        end = time.monotonic() + ALL_FILES_S
        return [
            told(each, make) for part in parts for each in self._part_of_files(asked, part, end)
        ]

    def _part_of_files(self, asked: str, part: Sequence[str], end: float) -> Sequence[Json]:
        """What the agent says of each; the first time it is given what it reads them with."""
        if time.monotonic() > end:
            return [_unknown(_LATE)] * len(part)
        sources = [] if self._can_read_binaries else [(name, source(name)) for name in MODULES]
        said = self._surely(
            as_list, ask="files", asked=asked, paths=[*part], sources=sources,
            within_s=ANSWER_S + FILES_S,
        )  # fmt: skip
        if isinstance(said, Unknown):
            return [_unknown(said)] * len(part)
        self._can_read_binaries = True
        return [*said[: len(part)], *[None] * (len(part) - len(said))]

    def _maybe(
        self, make: Callable[[Json], T], *, within_s: float = ANSWER_S, **question: object
    ) -> Fact[T | None]:
        """The answer to one question. Nothing that comes out of an image is taken on trust."""
        with self._asking:
            said = self._agent.ask(question, within_s)
        if isinstance(said, Unknown):
            return said
        nonsense = f"the image's answer to {question['ask']!r} is none"
        return as_fact(said, make, Unknown(Reason.UNPARSABLE, nonsense))

    def _surely(
        self, make: Callable[[Json], T], *, within_s: float = ANSWER_S, **question: object
    ) -> Fact[T]:
        """The answer to a question that cannot be answered by absence."""
        found = self._maybe(make, within_s=within_s, **question)
        if found is None:
            return Unknown(Reason.UNPARSABLE, f"the image's answer to {question['ask']!r} is none")
        return found


def _unknown(why: Unknown) -> Json:
    return {"unknown": why.reason.value, "detail": why.detail}


def _bytes(said: Json) -> bytes:
    return base64.b64decode(as_text(said), validate=True)


def _names(said: Json) -> tuple[str, ...]:
    return tuple(sorted(as_text(name) for name in as_list(said)))


def _stat(said: Json) -> Stat:
    kind, size, modified_s, owner = said
    if kind not in {"file", "folder", "other"}:
        raise ValueError(kind)
    return Stat(kind, as_whole(size), as_whole(modified_s), as_whole(owner))


def _ran(said: Json) -> Ran:
    status, out, err = said
    return Ran(as_whole(status), as_text(out), as_text(err))


def _uname(said: Json) -> Uname:
    system, release, version, machine = said
    return Uname(as_text(system), as_text(release), as_text(version), as_text(machine))


def _user(said: Json) -> tuple[str, int]:
    name, number = said
    return as_text(name), as_whole(number)
