"""Scripts as a wheel has them: the first line portable, the entry points' wrappers left out.

Installers put the environment's own interpreter into the first line of a script that begins with
`#!python`, or, where its path is too long for a kernel, into a shell's line.
"""

from __future__ import annotations

import re

PORTABLE = b"#!python"
_LIMIT_BYTES = 4 * 1024 * 1024
_FIRST_LINE = re.compile(
    rb"\A#![ \t]*(?P<path>/[^\r\n]*?/(?:python|pypy)[0-9.]*(?P<window>w?))(?P<flags>[ \t][^\r\n]*)?"
    rb"(?P<end>\r?\n|\Z)"
)
_BY_SHELL = re.compile(rb"\A#!/bin/sh\n'''exec' [^\n]*?\"\$0\" \"\$@\"\n' '''\n")
_SYSTEM = (b"/usr/bin/", b"/usr/local/bin/", b"/bin/")


def portable(script: bytes, bin_folder: bytes) -> bytes:
    r"""The script as the wheel had it; as it is where no installer wrote its first line.

    >>> portable(b"#!/env/bin/python3.11\nprint(1)\n", b"/env/bin")
    b'#!python\nprint(1)\n'
    >>> portable(b"#!/usr/bin/python3\nprint(1)\n", b"/env/bin")
    b'#!/usr/bin/python3\nprint(1)\n'
    """
    by_shell = _BY_SHELL.match(script)
    if by_shell:
        return PORTABLE + b"\n" + script[by_shell.end() :]
    found = _FIRST_LINE.match(script)
    if not found:
        return script
    place = found["path"].rpartition(b"/")[0]
    if place != bin_folder and found["path"].startswith(_SYSTEM):
        return script  # the author's own choice: no installer wrote it
    line = PORTABLE + found["window"] + (found["flags"] or b"") + found["end"]
    return line + script[found.end() :]


def is_short(size: int) -> bool:
    """Whether a file can be a script; a program of machine code is packed as it is."""
    return size <= _LIMIT_BYTES
