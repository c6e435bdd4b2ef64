"""The stated content digests, computed in a second process while the probes go on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

from envsnap.host._protocol import Host, StatedDigest
from envsnap.sections import Reason, Unknown


def start(records: Sequence[str]) -> Callable[[], Sequence[StatedDigest]]:
    """Start the second process; call the result for the digests, in the order of the records."""
    from envsnap.inside import source

    command = [sys.executable, "-I", "-S", "-c", source("content"), "digests"]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        lost = StatedDigest(Unknown(Reason.CRASHED, f"no second process: {error}"), 0)
        return lambda: [lost] * len(records)
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
            out, _ = child.communicate(timeout=120)
            return [_read(row) for row in json.loads(out)["answers"]]
        except (subprocess.TimeoutExpired, ValueError, LookupError):
            child.kill()
            child.wait()
            lost = StatedDigest(Unknown(Reason.CRASHED, "the second process gave no answer"), 0)
            return [lost] * len(records)

    return answers


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
