"""The project that the user stands in: its name, its commit, what it declares of dependencies."""

from __future__ import annotations

import re
import time

from envsnap.probes._git import git
from envsnap.probes._project_root import project_root
from envsnap.probes._registry import Look, probe
from envsnap.probes._texts import read_text
from envsnap.sections import Fact, Project, Unknown

_DECLARES = frozenset({
    "uv.lock", "poetry.lock", "pdm.lock", "pixi.lock", "Pipfile.lock", "pylock.toml", "Pipfile",
    "pixi.toml",
})  # fmt: skip
_TABLE = r"^\s*\[([^\[\]]+)\]\s*(?:#.*)?$"
_NAME = r"""^\s*(?:"name"|name)\s*=\s*(?:"([^"\\]*)"|'([^']*)')\s*(?:#.*)?$"""
_NAMING_TABLES = ("project", "tool.poetry")


@probe(Project, waits=True)
def probe_project(look: Look) -> Project:
    """The project around the working folder."""
    host = look.host
    root = project_root(host)
    if root is None:
        return Project(name=None, git=None, lock_files=(), newest_install=_newest_install(look))
    if isinstance(root, Unknown):
        return Project(name=root, git=root, lock_files=root, newest_install=_newest_install(look))
    pyproject = read_text(host, f"{root}/pyproject.toml")
    declared = parse_project_name(pyproject) if isinstance(pyproject, str) else None
    return Project(
        name=declared or root.rpartition("/")[2],
        git=git(look, root),
        lock_files=_lock_files(look, root),
        newest_install=_newest_install(look),
    )


def parse_project_name(text: str) -> str | None:
    """The name in a pyproject.toml, in the forms that people write it; None if it has none.

    Reading TOML costs more to import than a whole probe may take.

    >>> parse_project_name('[project]' + chr(10) + 'name = "tide"')
    'tide'
    """
    table = ""
    found: dict[str, str] = {}
    for line in text.splitlines():
        header = re.match(_TABLE, line)
        if header:
            table = header[1].strip()
        elif table in _NAMING_TABLES and (name := re.match(_NAME, line)):
            found.setdefault(table, name[1] or name[2] or "")
    return next((found[table] for table in _NAMING_TABLES if found.get(table)), None)


def _lock_files(look: Look, root: str) -> Fact[tuple[str, ...]]:
    names = look.host.list(root)
    if isinstance(names, Unknown):
        return names
    return tuple(name for name in names or () if declares(name))


def declares(name: str) -> bool:
    """Whether a file's name is one that people give to what a project depends on.

    One pattern for all of them takes longer to compile than the rest of the probe.

    >>> declares("pylock.gpu.toml"), declares("dev-requirements.txt"), declares("package.json")
    (True, True, False)
    """
    stem, _, kind = name.rpartition(".")
    if name in _DECLARES or not re.fullmatch(r"[\w.-]+", name):
        return name in _DECLARES
    if kind == "toml":
        return stem.startswith("pylock.") and stem.count(".") == 1 and not stem.endswith(".")
    if kind in {"txt", "in"}:
        is_pinned = kind == "txt" and stem.startswith(("constraints", "explicit"))
        return is_pinned or "requirements" in stem
    return kind in {"yml", "yaml"} and ("environment" in stem or stem.endswith("conda-lock"))


def _newest_install(look: Look) -> Fact[str | None]:
    """When a distribution was last put into the environment: its dist-info is made then."""
    found = look.interpreter
    if isinstance(found, Unknown):
        return found
    host, newest = look.host, 0
    for entry in found.entries:
        if entry.layer != "env":
            continue
        names = host.list(entry.path)
        if isinstance(names, Unknown):
            return names
        for name in names or ():
            if name.endswith((".dist-info", ".egg-info")):
                seen = host.stat(f"{entry.path}/{name}")
                if isinstance(seen, Unknown):
                    return seen
                newest = max(newest, seen.modified_s if seen else 0)
    return utc(newest) if newest else None


def utc(seconds: int) -> str:
    """A moment as ISO 8601.

    >>> utc(0)
    '1970-01-01T00:00:00Z'
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
