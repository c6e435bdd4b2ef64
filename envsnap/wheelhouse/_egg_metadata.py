"""The metadata of setuptools' older installs, as a wheel's METADATA. Pure."""

from __future__ import annotations

import re

_EXTRA = re.compile(r"\A[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_OLD = re.compile(rb"\AMetadata-Version:[ \t]*(?:1\.\d|2\.0)[ \t]*(?=\r?\n)", re.IGNORECASE)
_NEW = b"Metadata-Version: 2.1"


def metadata(pkg_info: bytes, requires: str) -> bytes:
    r"""PKG-INFO with the requirements of a requires.txt, where it has none of its own.

    >>> metadata(b"Metadata-Version: 1.0\nName: a\nVersion: 1\n", "b>=2\n").decode().split("\n")
    ['Metadata-Version: 2.1', 'Name: a', 'Version: 1', 'Requires-Dist: b>=2', '']
    """
    text = pkg_info.replace(b"\r\n", b"\n")
    head, gap, body = text.partition(b"\n\n")
    if not re.match(rb"(?im)^metadata-version:", head):
        head = b"Metadata-Version: 2.1\n" + head
    head = _OLD.sub(_NEW, head.rstrip(b"\n") + b"\n").rstrip(b"\n")
    if not re.search(rb"(?im)^(?:requires-dist|provides-extra):", head):
        lines = requirement_lines(requires)
        head = b"\n".join([head, *(line.encode() for line in lines)])
    return head + b"\n" + (b"\n" + body if gap else b"")


def requirement_lines(requires: str) -> list[str]:
    r"""The Requires-Dist and Provides-Extra lines that a requires.txt stands for.

    >>> requirement_lines('a\n[x:os_name == "nt"]\nb>1')[1:]
    ['Provides-Extra: x', 'Requires-Dist: b>1; (os_name == "nt") and extra == "x"']
    """
    found: list[str] = []
    extra = marker = ""
    for line in (each.strip() for each in requires.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            if extra and _EXTRA.match(extra) and f"Provides-Extra: {extra}" not in found:
                found.append(f"Provides-Extra: {extra}")
        elif line and not line.startswith("#") and (not extra or _EXTRA.match(extra)):
            found.append(f"Requires-Dist: {_with_marker(line, extra, marker)}")
    return found


def _with_marker(line: str, extra: str, marker: str) -> str:
    """A requirement with what its section asks besides what it asks itself."""
    requirement, _, own = line.partition(";")
    parts = [own.strip(), marker.strip()]
    conditions = [f"({each})" if extra else each for each in parts if each]
    if extra:
        conditions.append(f'extra == "{extra}"')
    return "; ".join(filter(None, (requirement.strip(), " and ".join(conditions))))
