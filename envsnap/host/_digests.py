"""The stated content digests, computed in a second process while the probes go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from envsnap.host._protocol import Host, StatedDigest
from envsnap.sections import Reason, Unknown

_LOST = StatedDigest(Unknown(Reason.CRASHED, "the second process gave no answer"), 0)


_SHARES = 2
"""How many processes share the records: on one core the second costs 10 ms, on two it halves."""
_DEADLINE_S = 120
_FROM_FOLDER = "import sys; sys.path.insert(0, sys.argv.pop(1)); import content; content.main()"
_FEW = 40
"""So few records are read sooner than a second process starts."""


def start(records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
    """Start reading the records; call the result for their digests, in the same order."""
    shares = _SHARES if len(records) > _FEW else 1
    pending = [_start_one(records[number::shares]) for number in range(shares)]

    def answers() -> Sequence[StatedDigest]:
        found: list[StatedDigest] = [_LOST] * len(records)
        for number, each in enumerate(pending):
            found[number::shares] = each()
        return found

    return answers


def _start_one(records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
    if not records:
        return list
    try:
        child = subprocess.Popen(
            _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError):
        return lambda: [_LOST] * len(records)
    question = b"\0".join(path.encode("utf-8", "surrogateescape") for path in records)
    if child.stdin is not None:
        try:
            child.stdin.write(question)
            child.stdin.close()
        except BrokenPipeError:
            pass  # it died at its start; `answers` says so
        child.stdin = None

    def answers() -> Sequence[StatedDigest]:
        try:
            out, _ = child.communicate(timeout=_DEADLINE_S)
            return [_read(row) for row in json.loads(out)["answers"]]
        except (subprocess.TimeoutExpired, ValueError, LookupError):
            child.kill()
            child.wait()
            return [_LOST] * len(records)

    return answers


def _command() -> list[str]:
    """What reads the records: from its folder, where there is one, for its cached bytecode."""
    from envsnap import inside

    folder = inside.__path__[0]
    python = [sys.executable, "-I", "-S", "-c"]
    if os.path.isfile(os.path.join(folder, "content.py")):
        return [*python, _FROM_FOLDER, folder, "digests"]
    return [*python, inside.source("content"), "digests"]


def through(host: Host, records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
    """The digests of RECORD files that only this host can read; computed here, when called."""
    return lambda: [digest_of(host, path) for path in records]


def digest_of(host: Host, path: str) -> StatedDigest:
    """The digest that one RECORD states, its bytes read through the host."""
    from envsnap.inside.content import RECORD_LIMIT, stated

    record = host.read(path, limit=RECORD_LIMIT + 1)
    if record is None:
        return StatedDigest(None, 0)
    if isinstance(record, Unknown):
        return StatedDigest(record, 0)
    found = stated(record, path.split("/")[-2].encode("utf-8", "surrogateescape"))
    refusal = found.refusal and {"code": found.refusal.code, "detail": found.refusal.detail}
    return _read({"content": found.content, "files": found.files, "refusal": refusal})


def _read(row: dict[str, object]) -> StatedDigest:
    """One row of the second process's answer; `envsnap.inside.content` says what is in it."""
    content, refusal, files = row.get("content"), row.get("refusal"), row.get("files")
    count = files if isinstance(files, int) else 0
    if isinstance(content, str):
        return StatedDigest(content, count)
    if not isinstance(refusal, dict) or refusal.get("code") == "absent":
        return StatedDigest(None, 0)
    return StatedDigest(Unknown(Reason(refusal["code"]), refusal["detail"]), count)
