"""The programs that unpack packages inside an image: one version of each, file by file."""

from __future__ import annotations

from envsnap._typing import NamedTuple
from envsnap.facts._table import Answer, parse_dotted, table


class Wheel(NamedTuple):
    """One wheel of such a program, as the package index has it."""

    version: str
    filename: str
    machine: str
    """'any' where it has no compiled code."""
    libc: tuple[str, ...]
    """'glibc', 'musl' or both."""
    sha256: str


def uv_wheels(python: str) -> Answer[tuple[Wheel, ...]]:
    """Give the wheels of the uv that installs for this Python; none where it is too old for uv.

    >>> sorted({each.version for each in uv_wheels("3.11.7").value})
    ['0.13.9']
    """
    return _wheels("uv", python)


def pip_wheels(python: str) -> Answer[tuple[Wheel, ...]]:
    """Give the wheel of the pip for a Python that is too old for uv and has no pip of its own.

    >>> [each.filename for each in pip_wheels("3.6.1").value]
    ['pip-21.3.1-py3-none-any.whl']
    """
    return _wheels("pip", python)


def rattler_wheels(python: str) -> Answer[tuple[Wheel, ...]]:
    """Give the wheels of the py-rattler that this Python can start; it unpacks conda's archives.

    >>> sorted({each.version for each in rattler_wheels("3.13.1").value})
    ['0.28.0']
    """
    return _wheels("py-rattler", python)


def _wheels(name: str, python: str) -> Answer[tuple[Wheel, ...]]:
    facts = table("installers")
    rows = [
        row
        for row in facts.rows("installer")
        if row["name"] == name
        and (parse_dotted(row["python"]) or ()) <= (parse_dotted(_released(python)) or ())
    ]
    if not rows:
        return facts.missing(f"An installer for Python {python}")
    wheels = (
        Wheel(
            row["version"],
            row["filename"],
            row["machine"],
            tuple(row["libc"]),
            row["sha256"],
        )
        for row in rows
    )
    return facts.looked(tuple(wheels), *rows)


def _released(python: str) -> str:
    """The first two numbers: all that Requires-Python of an installer speaks of."""
    return ".".join(python.split(".")[:2])
