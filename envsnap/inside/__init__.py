"""Programs for other people's interpreters: standard library only, in syntax that is old enough.

Each module is also a text that is handed to an interpreter. This is the only place that knows how
to get that text, and how to find the paths script's answer in what was printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from envsnap._typing import Any

VERIFIER = (
    "verify.py", "around.py", "compared.py", "conda_files.py", "content.py", "entry_points.py",
    "hashed.py", "named.py", "outside.py",
)  # fmt: skip
"""The files of the verifier that images carry: the program, and what it imports from beside it."""


_FROM_FOLDER = "import sys; sys.path.insert(0, sys.argv.pop(1)); import {0}; {0}.main()"
_FROM_TEXT = """import sys, types
for name in SOURCES:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(SOURCES[name], name, "exec"), module.__dict__)
module.main()
"""


def command(*names: str) -> list[str]:
    """The command that runs `main` of the last of these modules, which needs those before it.

    From their folder, where there is one, for its cached bytecode; else from their texts.
    """
    python = [sys.executable, "-I", "-S", "-c"]
    if os.path.isfile(os.path.join(__path__[0], f"{names[-1]}.py")):
        return [*python, _FROM_FOLDER.format(names[-1]), __path__[0]]
    sources = {name: source(name) for name in names}
    return [*python, f"SOURCES = {sources!r}\n{_FROM_TEXT}"]


def source(name: str) -> str:
    """The text of `envsnap.inside.NAME`, from a folder, a wheel and a zip alike.

    >>> source("paths").startswith("# ruff")
    True
    """
    loader: Any = __spec__.loader
    data: bytes = loader.get_data(f"{__path__[0]}/{name}.py")
    return data.decode("utf-8")


def answer(output: bytes, marker: str) -> Mapping[str, object] | None:
    """What the paths script answered, among whatever else was printed; None if it did not.

    >>> answer(b"hello", "MARK") is None
    True
    >>> answer(bytes("hello" + chr(10) + "MARK7b7d", "ascii"), "MARK")
    {}
    """
    import json

    start = marker.encode("ascii")
    for line in output.split(b"\n"):
        if line.startswith(start):
            try:
                found = json.loads(bytes.fromhex(line[len(start) :].decode("ascii")))
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return None
