"""How the files of a repository differ from its commit, as one digest; nothing of theirs is run.

Compared are the files as they lie there, staged or not: two trees with the same files have one
digest, whatever git is set to show of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from envsnap._typing import NamedTuple
from envsnap.host import Host
from envsnap.probes._git import is_ours, run_git
from envsnap.probes._registry import Look
from envsnap.probes._texts import unparsable
from envsnap.sections import Fact, Reason, Unknown

_CHANGED = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames")
_MOST_FILES = 2000
_MOST_BYTES = 32 << 20
_GONE = "000000"
_MODULE = "160000"
_UNTRACKED = "?"
_PLACE_OF_MODE = {"1": (5, 8), "u": (6, 10)}
"""Which words of a line are the mode in the working tree and the path."""


class Changed(NamedTuple):
    """A file that is not as the commit has it."""

    path: str
    """From the repository's root."""
    mode: str
    """As git writes it: 100755, 000000 where it is gone, ? where it is untracked."""


def difference(look: Look, root: str) -> Fact[str | None]:
    """The digest of what differs from the commit; None where nothing does.

    SHA-256 over the lines `MODE SHA256 NUL PATH LF`, sorted by path, of every file that differs
    from the commit or is untracked. What Python and builds leave behind does not count.
    """
    return look.once(f"difference {root}", lambda: _difference(look, root))


def _difference(look: Look, root: str) -> Fact[str | None]:
    ran = run_git(look, root, _CHANGED)
    if isinstance(ran, Unknown):
        return ran
    if ran.status:
        return Unknown(Reason.CRASHED, f"git status ended with status {ran.status}")
    changed = parse_changed(ran.stdout)
    if isinstance(changed, Unknown):
        return changed
    if len(changed) > _MOST_FILES:
        return Unknown(Reason.NOT_SUPPORTED, f"more than {_MOST_FILES} files differ")
    return _digest(look.host, root, changed) if changed else None


def parse_changed(text: str) -> Fact[tuple[Changed, ...]]:
    r"""The files that differ, sorted, less what Python and builds leave behind.

    >>> parse_changed("1 .M N... 100644 100644 100755 ab cd a b.py\0? b.egg-info/PKG-INFO\0")
    (Changed(path='a b.py', mode='100755'),)
    """
    found = []
    for line in filter(None, text.split("\0")):
        if line.startswith("? "):
            if not (_is_left_behind(line[2:]) or is_ours(line[2:])):
                found.append(Changed(line[2:], _UNTRACKED))
            continue
        mode, path = _PLACE_OF_MODE.get(line.partition(" ")[0], (0, 0))
        words = line.split(" ", path)
        if not path or len(words) <= path:
            return unparsable("git status", line)
        found.append(Changed(words[path], words[mode]))
    return tuple(sorted(found))


def _is_left_behind(path: str) -> bool:
    parts = path.split("/")
    return path.endswith(".pyc") or any(
        each == "__pycache__" or each.endswith(".egg-info") for each in parts
    )


def _digest(host: Host, root: str, changed: tuple[Changed, ...]) -> Fact[str]:
    import hashlib  # start-up: few environments have such a package

    whole, left = hashlib.sha256(), _MOST_BYTES
    for each in changed:
        content = _content(host, f"{root}/{each.path}", each.mode, left)
        if isinstance(content, Unknown):
            return content
        left -= len(content or b"")
        if left < 0:
            return Unknown(Reason.NOT_SUPPORTED, f"more than {_MOST_BYTES >> 20} MiB differ")
        hexed = "-" if content is None else hashlib.sha256(content).hexdigest()
        whole.update(b"".join(_line(each, hexed)))
    return whole.hexdigest()


def _line(each: Changed, hexed: str) -> Iterator[bytes]:
    yield f"{each.mode} {hexed}".encode()
    yield b"\0" + os.fsencode(each.path) + b"\n"


def _content(host: Host, path: str, mode: str, limit: int) -> Fact[bytes | None]:
    """A file's bytes, one more than the limit where it is larger; None of what has none."""
    if mode in {_GONE, _MODULE}:
        return None
    link = host.link(path)
    if isinstance(link, str):
        return os.fsencode(link)
    found = host.stat(path)
    if isinstance(found, Unknown) or found is None or found.kind == "folder":
        return found if isinstance(found, Unknown) else None
    return host.read(path, limit=limit + 1)
