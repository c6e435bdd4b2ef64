"""The files that a linker would look at, each asked of the host once, and many at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from envsnap.host import Binary, Host
from envsnap.sections import Reason, Unknown

_TEXT_LIMIT_BYTES = 1 << 20

NOT_YET = Binary(
    machine="", bits=0, soname=None, needed=(), rpath=(), runpath=(), interpreter=None,
    versions=(), imports=False, sass=(), ptx=(), amd=(), compat=None, texts=(),
)  # fmt: skip
"""Stands for a file that is still to be read: of no machine, and it needs nothing."""
UNREAD = NOT_YET._replace(machine="unread")
"""Stands for a file that is there and could not be read."""


class Files:
    """What the host says of folders and files, remembered."""

    def __init__(self, host: Host, known: Mapping[str, Binary]) -> None:
        self._host = host
        self.binaries: dict[str, Binary | None] = dict(known)
        """What was read, by real path; None for a file that is no ELF file."""
        self._names: dict[str, frozenset[str] | None] = {}
        self._reals: dict[str, str | None] = {}
        self._texts: dict[str, str | None] = {}
        self._wanted: dict[str, None] = {}
        self.unread: dict[str, Unknown] = {}
        """Files that are there and could not be read, and why."""

    def has(self, folder: str, name: str) -> bool:
        """Whether a folder has that name. One that may not be listed may have it all the same."""
        names = self._listed(folder)
        return self.real(f"{folder}/{name}") is not None if names is None else name in names

    def names(self, folder: str) -> Collection[str]:
        """The names in a folder; none where there is no such folder."""
        return self._listed(folder) or ()

    def _listed(self, folder: str) -> frozenset[str] | None:
        if folder not in self._names:
            listed = self._host.list(folder)
            self._names[folder] = None if isinstance(listed, Unknown) else frozenset(listed or ())
        return self._names[folder]

    def real(self, path: str) -> str | None:
        """The path with all links resolved; None if it leads nowhere."""
        if path not in self._reals:
            real = self._host.real(path)
            self._reals[path] = None if isinstance(real, Unknown) else real
        return self._reals[path]

    def text(self, path: str) -> str | None:
        """A small text file; None if there is none that can be read."""
        if path not in self._texts:
            raw = self._host.read(path, limit=_TEXT_LIMIT_BYTES)
            text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else None
            self._texts[path] = text
        return self._texts[path]

    def binary(self, real: str) -> Binary | None:
        """What an ELF file says; None if it is none, `NOT_YET` before `fetch`, `UNREAD`."""
        if real in self.binaries:
            return self.binaries[real]
        self._wanted[real] = None
        return NOT_YET

    def fetch(self) -> None:
        """Read all files that were asked for since the last time."""
        wanted = list(self._wanted)
        self._wanted.clear()
        for path, found in zip(wanted, self._host.binaries(wanted), strict=True):
            if isinstance(found, Unknown):
                self.unread[path] = found
                self.binaries[path] = UNREAD
            else:
                self.binaries[path] = found

    def is_closed(self, real: str) -> bool:
        """Whether the user may not read that file: the linker may not either, and goes on."""
        why = self.unread.get(real)
        return why is not None and why.reason is Reason.NO_PERMISSION
