"""Programs for other people's interpreters: standard library only, in syntax that is old enough.

Each module is also a text that is handed to an interpreter. This is the only place that knows how
to get that text, and how to find the paths script's answer in what was printed.
"""

from __future__ import annotations

from collections.abc import Mapping

from envsnap._typing import Any

VERIFIER = (
    "verify.py", "around.py", "compared.py", "conda_files.py", "content.py", "entry_points.py",
    "hashed.py", "named.py", "outside.py",
)  # fmt: skip
"""The files of the verifier that images carry: the program, and what it imports from beside it."""


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
