"""What is said in a file that is published, without this machine's paths. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PATH = re.compile(r"(?<![\w/:.}~-])(?:file://)?/(?:[^\s/'\"`,;:()]+/)*([^\s/'\"`,;:()]+)/?")
"""An absolute path, alone or in quotes; no address of the web, whose slashes follow a colon."""


def public(text: str, anchors: Mapping[str, str]) -> str:
    """The text with known folders anchored, and of every other absolute path its last part alone.

    >>> public("Cannot read /home/me/env/lib/a.py: '/data/b' is gone", {"/home/me/env": "{env}"})
    "Cannot read {env}/lib/a.py: 'b' is gone"
    >>> public("https://files.example/a/b.whl is gone: file:///home/me/b.whl, 1/2", {})
    'https://files.example/a/b.whl is gone: b.whl, 1/2'
    """
    for folder in sorted(anchors, key=len, reverse=True):
        if len(folder) > 1:
            at = re.compile(rf"(?:file://)?{re.escape(folder)}(?![\w.-])")
            text = at.sub(anchors[folder].replace("\\", ""), text)
    return _PATH.sub(lambda found: found[1], text)
