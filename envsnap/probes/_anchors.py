"""Paths that mean the same on another machine and name nobody.

`{env}/lib` instead of a folder under somebody's home: the manifest is made to be published.
"""

from __future__ import annotations

from envsnap._typing import NamedTuple

_SYSTEM_ROOTS = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/dev",
    "/run", "/var", "/boot", "/System", "/Library", "/Applications", "/snap", "/nix/store",
    "/gnu/store", "/cvmfs", "/.singularity.d", "C:\\Windows", "C:\\Program Files",
)  # fmt: skip


def text(path: str) -> str:
    """A path as clean text: bytes that are no UTF-8, and `%` itself, percent-encoded."""
    if path.isascii() and "%" not in path:
        return path
    raw = path.replace("%", "%25").encode("utf-8", "surrogateescape")
    return "".join(
        char if not "\udc80" <= char <= "\udcff" else f"%{ord(char) - 0xDC00:02X}"
        for char in raw.decode("utf-8", "surrogateescape")
    )


class Anchors(NamedTuple):
    """The folders that paths are told relative to; the longest one that fits wins."""

    env: str | None = None
    base: str | None = None
    project: str | None = None
    home: str | None = None

    def anchor(self, path: str) -> str:
        """The path below the nearest anchor, or absolute under a system folder.

        Anything else is `{other}/` and its last part: a folder under /data or /scratch may
        name a person or a project.
        """
        named = (
            ("env", self.env),
            ("base", self.base),
            ("project", self.project),
            ("home", self.home),
        )
        best = ""
        label = ""
        for name, folder in named:
            if (
                folder
                and len(folder) > len(best)
                and _is_below(path, folder)
                and folder not in {"/", "/usr"}
            ):
                best, label = folder, name
        if label:
            return "{" + label + "}" + text(path[len(best.rstrip("/\\")) :])
        if any(_is_below(path, root) for root in _SYSTEM_ROOTS):
            return text(path)
        return "{other}/" + text(path.replace("\\", "/").rstrip("/").rpartition("/")[2])


def _is_below(path: str, folder: str) -> bool:
    folder = folder.rstrip("/\\")
    return path == folder or (path.startswith(folder) and path[len(folder)] in "/\\")
