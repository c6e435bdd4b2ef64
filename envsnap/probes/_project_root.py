"""Where the project begins that its user stands in."""

from __future__ import annotations

from envsnap.host import Host
from envsnap.sections import Fact, Unknown

_MARKERS = (".git", "pyproject.toml")


def project_root(host: Host) -> Fact[str | None]:
    """The nearest folder upward with `.git`, else with `pyproject.toml`; None if there is none.

    A home folder is never a project, even where it is kept in git.
    """
    start, home = host.cwd(), host.home()
    if isinstance(start, Unknown):
        return start
    folders = []
    folder = start
    while folder not in {"", "/", home}:
        folders.append(folder)
        folder = folder.rpartition("/")[0]
    for marker in _MARKERS:
        for folder in folders:
            if isinstance(host.stat(f"{folder}/{marker}"), tuple):
                return folder
    return None
