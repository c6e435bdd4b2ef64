"""The stated content digests: a second process reads the first records while the probes go on.

Where the probes wait for it, this one reads the last ones meanwhile. On two cores that takes half
as long, and a second process that dies or hangs costs time alone.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from envsnap.host._protocol import Host, StatedDigest
from envsnap.sections import Fact, Reason, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envsnap.inside.content import Stated

_DEADLINE_S = 120
_PIECE = 1 << 16
_FEW = 40
"""So few records are read sooner than a second process starts."""


def start(records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
    """Start reading the records; call the result for their digests, in the same order."""
    paths = [path.encode("utf-8", "surrogateescape") for path in records]
    second = _Second(paths if len(paths) > _FEW and sys.platform != "win32" else [])

    def answers() -> Sequence[StatedDigest]:
        from envsnap.inside.outside import of_file

        last: list[StatedDigest] = []
        known = 0
        while (left := len(paths) - known - len(last)) > 0:
            first = second.answers(_DEADLINE_S if left == 1 else 0)  # it is at the only one left
            if len(first) == known:
                last.append(_told(of_file(paths[-1 - len(last)])))
            known = len(first)
        second.end()
        return [*second.answers()[: len(paths) - len(last)], *reversed(last)]

    return answers


class _Second:
    """A process that reads records from the first one on; it answers each on a line."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._found: list[StatedDigest] = []
        self._line = b""
        if paths:
            from envsnap import inside

            try:
                self._child = subprocess.Popen(
                    inside.command("content", "outside"),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                self._ask(b"\0".join(paths))
            except (OSError, ValueError):
                self.end()

    def _ask(self, question: bytes) -> None:
        stdin = self._child.stdin if self._child else None
        if stdin is not None:
            stdin.write(question)
            stdin.close()

    def answers(self, wait_s: float = 0) -> list[StatedDigest]:
        """All its answers so far; it is waited for until it says something or ends."""
        out = self._child.stdout if self._child else None
        while out is not None and select.select([out], [], [], wait_s)[0]:
            part = os.read(out.fileno(), _PIECE)
            *lines, self._line = (self._line + part).split(b"\n")
            try:
                self._found += [_read(json.loads(line)) for line in lines]
            except (ValueError, LookupError):
                part = b""
            if not part:
                self.end()
                break
            wait_s = 0
        return self._found

    def end(self) -> None:
        """End it; what it has said stays."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            child.wait()


def through(host: Host, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
    """The digests of RECORD files that only this host can read; computed here, when called."""
    return lambda: [digest_of(host, path) for path in records]


def digest_of(host: Host, path: str) -> StatedDigest:
    """The digests that one RECORD states, its bytes and programs read through the host."""
    from envsnap.inside.content import RECORD_LIMIT, Refusal, scripts_of, stated
    from envsnap.inside.outside import judge

    record = host.read(path, limit=RECORD_LIMIT + 1)
    if record is None:
        return StatedDigest(None, 0)
    if isinstance(record, Unknown):
        return StatedDigest(record, 0, record)
    folder = path.rpartition("/")[0]
    site, _, own = folder.rpartition("/")

    def read(place: bytes, limit: int) -> bytes | Refusal:
        found = host.read(place.decode("utf-8", "surrogateescape"), limit=limit + 1)
        if found is None:
            why = "a program that RECORD names is not there"
            return Refusal("witnesses-disagree", why, is_of_reading=True)
        if isinstance(found, Unknown):
            return Refusal(str(found.reason), found.detail or "", is_of_reading=True)
        return found

    def wrappers() -> Iterator[bytes]:
        points = host.read(f"{folder}/entry_points.txt", limit=RECORD_LIMIT)
        yield from scripts_of(points) if isinstance(points, bytes) else ()

    answer = stated(record, own.encode("utf-8", "surrogateescape"))
    judge(answer, site.encode("utf-8", "surrogateescape"), wrappers(), read)
    return _told(answer)


def _told(found: Stated) -> StatedDigest:
    both = [found.refusal, found.other_refusal]
    refusals = [each and {"code": each.code, "detail": each.detail} for each in both]
    return _read({
        "content": found.content, "files": found.files, "refusal": refusals[0],
        "other": found.other, "other_refusal": refusals[1],
    })  # fmt: skip


def _read(row: dict[str, object]) -> StatedDigest:
    """One row of the second process's answer; `envsnap.inside.outside` says what is in it."""
    files = row.get("files")
    return StatedDigest(
        _fact(row.get("content"), row.get("refusal")),
        files if isinstance(files, int) else 0,
        _fact(row.get("other"), row.get("other_refusal")),
    )


def _fact(digest: object, refusal: object) -> Fact[str | None]:
    """A digest, why there is none, or None where there is nothing to be had."""
    if isinstance(digest, str):
        return digest
    if not isinstance(refusal, dict) or refusal.get("code") == "absent":
        return None
    return Unknown(Reason(refusal["code"]), refusal["detail"])
