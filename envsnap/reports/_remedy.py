"""The commands in a remedy apart from its words: a command is pasted, and stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envsnap._typing import NamedTuple

_COMMAND = re.compile(
    r"(?:export|unset|module (?:load|swap)|pip|python3?|conda(?! install them)|git|docker"
    r"|apptainer|srun|ulimit|modprobe|uv|apt-get|envsnap) |[A-Z_]{3,}="
)
_END = r", or\b:? ?|, then |, unless |, in the |[;:] | {2,}"
_PIECE = re.compile(rf"(?P<words>(?:'[^']*'|(?!{_END}).)+)|(?P<end>{_END})", re.DOTALL)


class Said(NamedTuple):
    """A piece of a remedy."""

    text: str
    is_command: bool


def pieces(remedy: str) -> Iterator[Said]:
    """The remedy in order; all pieces together are the whole of it.

    >>> [each.text for each in pieces("envsnap build, or install them here") if each.is_command]
    ['envsnap build']
    """
    for each in _PIECE.finditer(remedy):
        yield Said(each[0], is_command=bool(each["words"] and _COMMAND.match(each[0])))
