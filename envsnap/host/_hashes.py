"""Every file that RECORDs name, hashed in two processes beside this one."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
from collections.abc import Callable, Sequence

from envsnap._typing import Any
from envsnap.host._children import Children, kill_group
from envsnap.host._protocol import Hashed, Listen, ToVerify, Verified
from envsnap.sections import Fact, Reason, Unknown

SILENCE_S = 120.0
"""How long the processes may say nothing: a network's disk can hang."""
_LONGEST_ANSWER = 512 * 1024 * 1024

Answers = Sequence[Fact[Verified]]


def start(asked: Sequence[ToVerify], children: Children, listen: Listen) -> Callable[[], Answers]:
    """Start hashing; call the result for the answers, in the same order."""
    if not asked:
        return list
    if not hasattr(os, "fork"):
        return _lost(asked, Unknown(Reason.NOT_SUPPORTED, "--verify needs Linux or macOS"))
    from envsnap import inside

    command = inside.command("content", "outside", "named", "hashed")
    try:
        child = children.start(
            command, dict(os.environ), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        return _lost(asked, Unknown(Reason.CRASHED, f"it could not be started: {error}"))
    question = "\0".join(part for each in asked for part in each)
    _ask(child, question.encode("utf-8", "surrogateescape"))

    def answers() -> Answers:
        said: Answers | Unknown = _NO_ANSWER
        try:
            said = _answer(child, listen)
        finally:
            if isinstance(said, Unknown):
                kill_group(child)
            child.wait()
        if isinstance(said, Unknown) or len(said) != len(asked):
            return [said if isinstance(said, Unknown) else _NO_ANSWER] * len(asked)
        return said

    return answers


_NO_ANSWER = Unknown(Reason.CRASHED, "the processes that hash gave no answer")


def _lost(asked: Sequence[ToVerify], why: Unknown) -> Callable[[], Answers]:
    return lambda: [why] * len(asked)


def _ask(child: subprocess.Popen[bytes], question: bytes) -> None:
    if child.stdin is not None:
        try:
            child.stdin.write(question)
            child.stdin.close()
        except BrokenPipeError:
            pass  # it died at its start; its answer says so
        child.stdin = None


def _answer(child: subprocess.Popen[bytes], listen: Listen) -> Answers | Unknown:
    """The last line of what the processes write; the others tell how far they are."""
    if child.stdout is None:
        return _NO_ANSWER
    done = Hashed(0, 0, 0, 0)
    left = b""
    with child.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(SILENCE_S):
            piece = os.read(pipe.fileno(), 1 << 20)
            if not piece:
                return _read(left)
            left += piece
            while not left.startswith(b"{") and b"\n" in left:
                line, _, left = left.partition(b"\n")
                done = _further(done, line)
                listen(done)
            if len(left) > _LONGEST_ANSWER:
                return Unknown(Reason.NOT_SUPPORTED, "the list of changed files is too long")
    return Unknown(Reason.TIMED_OUT, f"the disk gave nothing for {SILENCE_S:g} s")


def _further(done: Hashed, line: bytes) -> Hashed:
    """How far they are, after one more line: `total FILES BYTES` or `done FILES BYTES`."""
    word, files, size = line.split()
    if word == b"total":
        return done._replace(of_files=int(files), of_bytes=int(size))
    return done._replace(files=done.files + int(files), bytes=done.bytes + int(size))


def _read(text: bytes) -> Answers | Unknown:
    try:
        return [_verified(row) for row in json.loads(text)["answers"]]
    except (ValueError, LookupError):
        return _NO_ANSWER


def _verified(row: dict[str, Any]) -> Fact[Verified]:
    """One answer of the processes; `envsnap.inside.hashed` says what is in it."""
    if "refusal" in row:
        code, detail = row["refusal"]
        if code == "absent":  # it was there when the folder was listed
            return Unknown(Reason.NOT_SUPPORTED, detail)
        return Unknown(Reason(code), detail)
    kinds = ("edited", "missing", "extra", "unchecked")
    return Verified(
        content=_digest(row["content"]),
        outside=_digest(row["outside"]),
        files=row["files"],
        **{kind: tuple(row[kind]) for kind in kinds},
        more={kind: row[f"more_{kind}"] for kind in kinds},
    )


def _digest(told: Sequence[str]) -> Fact[str | None]:
    """A digest of one answer; or why there is none."""
    digest, code, detail = told
    return Unknown(Reason(code), detail) if code else digest
