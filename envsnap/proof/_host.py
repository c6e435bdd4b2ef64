"""An image's files as a host, for what reads an interpreter from files."""

from __future__ import annotations

from envsnap.host import Host
from envsnap.host._protocol import FILE_LIMIT_BYTES, PlainHost, Stat
from envsnap.images import ImageTree
from envsnap.sections import Fact, Reason, Unknown

_NOT_KEPT = Unknown(Reason.NOT_ASKED, "its content was not kept")


class _Files(PlainHost):
    """The questions that files answer; no other is asked."""

    def __init__(self, tree: ImageTree) -> None:
        self._tree = tree

    def read(self, path: str, *, limit: int = FILE_LIMIT_BYTES) -> Fact[bytes | None]:
        """The first `limit` bytes of a file that was kept; None if there is no such file."""
        found = self._tree.content(path)
        if found is None:
            return None if self._tree.entry(path) is None else _NOT_KEPT
        return found[:limit]

    def list(self, path: str) -> Fact[tuple[str, ...] | None]:
        """The names in a folder, sorted; None if there is no such folder."""
        real = self._tree.real(path)
        if real is None or self._tree.entries[real].kind != "folder":
            return None
        start = f"{real.rstrip('/')}/"
        below = (each[len(start) :] for each in self._tree.entries if each.startswith(start))
        return tuple(sorted(each for each in below if "/" not in each))

    def stat(self, path: str) -> Fact[Stat | None]:
        """What a path is, links followed; None if it leads nowhere."""
        found = self._tree.entry(path)
        if found is None:
            return None
        kind = found.kind if found.kind in {"file", "folder"} else "other"
        return Stat(kind, found.size, 0)


def as_host(tree: ImageTree) -> Host:
    """The host."""
    from typing import cast

    return cast("Host", _Files(tree))
