"""Reads the files that are looked at, and those beside them: bounded, never out of the folder."""

from __future__ import annotations

import os
import stat

from envsnap.errors import FileError

_LARGEST = 4 << 20


class Beside:
    """The folder of a recipe: what a rule may ask about the files there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._texts: dict[str, str | None] = {}

    def has(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return os.path.lexists(self._path(name)) if self._path(name) else False

    def text(self, name: str) -> str | None:
        """A file's text; None where there is none, or where it lies outside of the folder."""
        if name not in self._texts:
            path = self._path(name)
            try:
                self._texts[name] = read(path) if path and os.path.isfile(path) else None
            except FileError:
                self._texts[name] = None
        return self._texts[name]

    def _path(self, name: str) -> str:
        root = os.path.realpath(self.folder or ".")
        path = os.path.realpath(os.path.join(root, name))
        return path if path.startswith(root.rstrip(os.sep) + os.sep) else ""


def read(path: str) -> str:
    """The text of a recipe; what is no UTF-8 is replaced.

    Raises:
        FileError: It cannot be read, or is larger than any recipe.
    """
    try:
        # A pipe would be waited for without an end: it is opened without waiting, and refused.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileError(f"Cannot read {path}: it is no regular file")
            found = file.read(_LARGEST + 1)
    except OSError as error:
        raise FileError(f"Cannot read {path}: {error.strerror}") from error
    if len(found) > _LARGEST:
        raise FileError(f"{path} has more than {_LARGEST >> 20} MiB and is no recipe")
    return found.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
