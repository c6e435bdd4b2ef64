"""What library files say of themselves, and their digests: read in processes beside this one."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from envsnap._typing import TypeVar
from envsnap.host._children import Children, kill_group
from envsnap.host._protocol import Binary
from envsnap.host._said import Json, as_fact, as_list, as_text, as_whole
from envsnap.sections import Fact, Reason, Unknown

T = TypeVar("T")

MODULES = ("elf", "unzstd", "gpu_code", "texts", "binary")
"""Of `envsnap.inside`, in the order in which one needs the other."""
CUDA_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
PATTERNS = {
    "sass": re.compile(r"sm_[0-9]{1,4}[af]?"),
    "ptx": re.compile(r"compute_[0-9]{1,4}[af]?"),
    "amd": re.compile(r"gfx[0-9a-z-]{2,24}|amdgcnspirv|compressed"),
    "texts": re.compile(r"[ -~]{1,600}"),
}
"""What these lists of a `Binary` hold: an image or a recording may say anything."""
_WAIT_S = 150.0  # longer than that process waits for its own two
_PIECE = 1 << 20
_FROM_FOLDER = "import sys; sys.path.insert(0, sys.argv.pop(1)); import binary; binary.main()"
_FROM_TEXT = """import sys, types
for name, text in SOURCES:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""
_NO_ANSWER = Unknown(Reason.CRASHED, "the process that reads libraries gave no answer")
_NO_SENSE = Unknown(Reason.UNPARSABLE, "what was said of a library is no answer")


def binaries(paths: Sequence[str], children: Children) -> list[Fact[Binary | None]]:
    """What each ELF file says of itself, in their order; None where it is no ELF file."""
    return _asked("binaries", paths, children, as_binary)


def contents(paths: Sequence[str], children: Children) -> list[Fact[str | None]]:
    """The SHA-256 of each file, hex, in their order; None where there is no such file."""
    return _asked("contents", paths, children, as_text)


def _asked(
    what: str, paths: Sequence[str], children: Children, make: Callable[[Json], T]
) -> list[Fact[T | None]]:
    """The answers of a process that is started for this question."""
    found: list[Fact[T | None]] = [_NO_ANSWER if _is_name(path) else None for path in paths]
    asked = [index for index, path in enumerate(paths) if _is_name(path)]
    if not asked:
        return found
    try:
        child = children.start(
            [*_command(), what], dict(os.environ), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        why = Unknown(Reason.CRASHED, f"it could not be started: {error}")
        return [why if _is_name(path) else None for path in paths]
    try:
        _ask(child, "\0".join(paths[index] for index in asked))
        for line in _lines(child):
            index, _, said = line.partition(b" ")
            found[asked[int(index)]] = told(json.loads(said), make)
    finally:
        kill_group(child)
        child.wait()
    return found


def _is_name(path: str) -> bool:
    return bool(path) and "\0" not in path


def _command() -> list[str]:
    """What reads them: from its folder, where there is one, for its cached bytecode."""
    from envsnap import inside

    folder = inside.__path__[0]
    python = [sys.executable, "-I", "-S", "-c"]
    if os.path.isfile(os.path.join(folder, "binary.py")):
        return [*python, _FROM_FOLDER, folder]
    sources = [(name, inside.source(name)) for name in MODULES]
    return [*python, f"SOURCES = {sources!r}\n{_FROM_TEXT}"]


def _ask(child: subprocess.Popen[bytes], question: str) -> None:
    if child.stdin is not None:
        try:
            child.stdin.write(question.encode("utf-8", "surrogateescape"))
            child.stdin.close()
        except BrokenPipeError:
            pass  # it died at its start; that it says nothing is the answer
        child.stdin = None


def _lines(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """What it says, until it ends or is silent for too long."""
    if child.stdout is None:
        return
    left = b""
    with child.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while selector.select(_WAIT_S) and (piece := os.read(pipe.fileno(), _PIECE)):
            *lines, left = (left + piece).split(b"\n")
            yield from lines


def told(said: Json, make: Callable[[Json], T]) -> Fact[T | None]:
    """One answer of `envsnap.inside.binary`, which may come from inside an image."""
    return as_fact(said, make, _NO_SENSE)


def as_binary(said: Json) -> Binary:
    """What was said of one ELF file, each value held against its type.

    Raises:
        ValueError, TypeError, LookupError: It is something else.
    """
    compat = said["compat"]
    return Binary(
        machine=as_text(said["machine"]),
        bits=as_whole(said["bits"]),
        soname=_maybe_text(said["soname"]),
        interpreter=_maybe_text(said["interpreter"]),
        versions=tuple((as_text(name), _texts(asked)) for name, asked in as_list(said["versions"])),
        imports=said["imports"] is True,
        compat=None if compat is None else (_like(CUDA_VERSION, compat[0]), _wholes(compat[1])),
        needed=_texts(said["needed"]),
        rpath=_texts(said["rpath"]),
        runpath=_texts(said["runpath"]),
        **{
            name: tuple(_like(pattern, each) for each in as_list(said[name]))
            for name, pattern in PATTERNS.items()
        },
    )


def _maybe_text(said: Json) -> str | None:
    return None if said is None else as_text(said)


def _texts(said: Json) -> tuple[str, ...]:
    return tuple(map(as_text, as_list(said)))


def _like(pattern: re.Pattern[str], said: Json) -> str:
    if not pattern.fullmatch(as_text(said)):
        raise ValueError(said)
    return as_text(said)


def _wholes(said: Json) -> tuple[int, ...]:
    return tuple(map(as_whole, as_list(said)))
