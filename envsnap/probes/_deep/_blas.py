"""Asking one BLAS library or OpenMP runtime what it is, in a child that may crash or hang."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envsnap._typing import NamedTuple
from envsnap.host import Ran
from envsnap.inside import answer, source
from envsnap.probes._interpreter import Interpreter
from envsnap.probes._registry import Look
from envsnap.sections import Fact, Reason, Unknown

DEADLINE_S = 10.0
"""How long a library may take to open: MKL reads some hundred MiB from a cold disk."""
_MARKER = "envsnap-blas-1:"
_TEXTS = ("version", "build", "threading", "kernel")
_LONGEST = 400
_FOLDER = re.compile(r"/[^:'\"]*/")
"""What is left out of a message: the folders of a path may name a person or a project."""

_KINDS = (
    ("libopenblas", "openblas"), ("libscipy_openblas", "openblas"), ("libmkl_rt.", "mkl"),
    ("libblis.", "blis"), ("libblis-", "blis"), ("libflexiblas.", "flexiblas"),
    ("libiomp5.", "libiomp"), ("libiomp5-", "libiomp"), ("libgomp.", "libgomp"),
    ("libgomp-", "libgomp"), ("libomp.", "libomp"), ("libomp-", "libomp"), ("libatlas", "atlas"),
    ("libsatlas", "atlas"), ("libtatlas", "atlas"), ("libblas.", ""), ("libblas-", ""),
    ("libcblas.", ""), ("libcblas-", ""),
)  # fmt: skip
"""What a file is by its name; '' for a name that several go by."""


class Said(NamedTuple):
    """What a library said of itself, as `sections.MathLibrary` has it."""

    kind: str | None
    """None where it is none of those that are known, or passes on to another file."""
    version: Fact[str | None]
    build: Fact[str | None]
    threading: Fact[str | None]
    kernel: Fact[str | None]
    threads: Fact[int | None]


def kind_of(name: str) -> str | None:
    """The kind that a file's name tells; '' where it can be several; None for any other file.

    >>> kind_of("libscipy_openblas64_-32a4b2a6.so"), kind_of("libblas.so.3"), kind_of("libm.so.6")
    ('openblas', '', None)
    """
    return next((kind for begin, kind in _KINDS if name.startswith(begin)), None)


def ask(look: Look, interpreter: Interpreter, path: str, needs: Sequence[str] = ()) -> Said:
    """What the library at this path says, opened by the environment's own interpreter.

    `needs` are files that it needs, each behind those that it needs itself.
    """
    kind = kind_of(path.rpartition("/")[2]) or None
    if kind == "atlas":  # it has no function that would tell
        return Said(kind, None, None, None, None, None)
    if not look.options.site:
        return _silent(kind, Unknown(Reason.NOT_ASKED, "to open a library is to run its code"))
    alone = ["-E", "-s", "-S"] if interpreter.version.startswith("2.") else ["-I", "-S"]
    command = [interpreter.executable, *alone, "-c", source("blas"), _MARKER, path, *needs]
    ran = look.host.run(command, timeout_s=DEADLINE_S)
    return _silent(kind, ran) if isinstance(ran, Unknown) else parse(ran, kind)


def parse(ran: Ran, kind: str | None) -> Said:
    """The last of the script's lines: what it answered before it ended, well or not."""
    lines = reversed(ran.stdout.encode("utf-8", "surrogateescape").split(b"\n"))
    told = answer(b"\n".join(lines), _MARKER) or {}
    if isinstance(fault := told.get("error"), str):
        return _silent(
            kind, Unknown(Reason.CRASHED, _short(f"it cannot be opened: {_FOLDER.sub('', fault)}"))
        )
    if not told and not ran.status:
        return _silent(kind, Unknown(Reason.UNPARSABLE, "it was opened and nothing was answered"))
    if "kind" in told and not isinstance(told["kind"], str):
        return _silent(None, Unknown(Reason.NOT_SUPPORTED, "it has none of the known functions"))
    why = Unknown(Reason.CRASHED, _short(_end(ran)))
    version, build, threading, kernel = (_text(told, key, why) for key in _TEXTS)
    known = str(told["kind"]) if "kind" in told else kind
    return Said(known, version, build, threading, kernel, _threads(told.get("threads", why), why))


def _threads(found: object, why: Unknown) -> Fact[int | None]:
    return found if found is None or (isinstance(found, int) and found > 0) else why


def _text(told: Mapping[str, object], key: str, why: Unknown) -> Fact[str | None]:
    found = told.get(key, why)
    return _short(found) or None if isinstance(found, str) else None if found is None else why


def _silent(kind: str | None, why: Unknown) -> Said:
    return Said(kind, why, why, why, why, why)


def _end(ran: Ran) -> str:
    """How the child ended."""
    last = (ran.stderr.strip().splitlines() or ["it said no more"])[-1]
    how = f"signal {-ran.status}" if ran.status < 0 else f"status {ran.status}"
    return f"it ended with {how} when it was asked: {_FOLDER.sub('', last)}"


def _short(text: str) -> str:
    """A line that is fit to be shown: it comes out of the library."""
    return "".join(char if char.isprintable() else " " for char in text)[:_LONGEST].strip()
