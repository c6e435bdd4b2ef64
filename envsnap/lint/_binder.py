"""A folder as repo2docker reads it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from envsnap._typing import NamedTuple
from envsnap.lint._files import Beside, read

FOLDERS = ("binder", ".binder")
PYTHON_FILES = ("environment.yml", "environment.yaml", "Pipfile", "Pipfile.lock", "runtime.txt",
                "requirements.txt", "setup.py", "pyproject.toml")  # fmt: skip
ENVIRONMENTS = ("environment.yml", "environment.yaml")
OTHER_FILES = ("apt.txt", "postBuild", "start", "install.R", "Project.toml", "default.nix")
OURS = (*PYTHON_FILES, *OTHER_FILES, "Dockerfile")
_ENTRY = re.compile(r"(\s*)-\s+([^\s#].*)")
_COMMENT = re.compile(r"\s#")


class Row(NamedTuple):
    """One line of a file that says something."""

    text: str
    line: int


class Configured(NamedTuple):
    """One file that repo2docker knows by its name."""

    path: str
    """Below the folder."""
    rows: tuple[Row, ...]
    """Without comments and empty lines."""


@dataclass(frozen=True, eq=False)
class Binder:
    """A repository for repo2docker: its files by where it looks for them."""

    beside: Beside
    folders: tuple[str, ...]
    """Which of `binder` and `.binder` there are."""
    read: dict[str, Configured]
    """By name, those that it reads."""
    ignored: tuple[str, ...]
    """Names that lie at the root, where it does not look because of such a folder."""

    def file(self, *names: str) -> Configured | None:
        """The first of these that it reads."""
        return next((self.read[name] for name in names if name in self.read), None)

    @property
    def environment(self) -> Configured | None:
        """The conda environment, by either ending."""
        return self.file(*ENVIRONMENTS)


def is_binder(folder: str) -> bool:
    """Whether a folder was made for repo2docker: names that only it uses, or its own folder."""
    names = set(os.listdir(folder))
    if names & set(FOLDERS) and any(os.path.isdir(os.path.join(folder, each)) for each in FOLDERS):
        return True
    # runtime.txt beside a Procfile is Heroku's.
    alone = "runtime.txt" in names and "Procfile" not in names
    return bool(names & {"apt.txt", "postBuild"}) or alone


def binder(folder: str) -> Binder:
    """A folder, read.

    Raises:
        FileError: A file there cannot be read.
    """
    beside = Beside(folder)
    folders = tuple(each for each in FOLDERS if os.path.isdir(os.path.join(folder, each)))
    place = folders[0] if folders else ""
    found = {}
    for name in OURS:
        path = os.path.join(folder, place, name)
        if os.path.isfile(path):
            found[name] = Configured(os.path.join(place, name), tuple(_rows(read(path))))
    ignored = tuple(
        name for name in OURS
        if folders and name != "Dockerfile" and os.path.isfile(os.path.join(folder, name))
    )  # fmt: skip
    return Binder(beside, folders, found, ignored)


def alone(path: str) -> Binder:
    """An environment.yml by itself, as conda reads it: whatever lies beside it is not looked at.

    Raises:
        FileError: It cannot be read.
    """
    folder, name = os.path.split(path)
    rows = tuple(_rows(read(path)))
    return Binder(Beside(folder), (), {name: Configured(name, rows)}, ())


def dependencies(environment: Configured) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The conda packages of an environment.yml, and those below `pip:`, each with its line."""
    conda: list[Row] = []
    pip: list[Row] = []
    inside, depth = False, -1
    for row in environment.rows:
        if not row.text.startswith((" ", "-")):
            inside, depth = row.text.rstrip() == "dependencies:", -1
            continue
        match = _ENTRY.match(row.text) if inside else None
        if match is None:
            continue
        entry = Row(_scalar(match[2]), row.line)
        depth = len(match[1]) if depth < 0 else depth
        if len(match[1]) > depth:
            pip.append(entry)
        elif entry.text != "pip:":
            conda.append(entry)
    return tuple(conda), tuple(pip)


def _scalar(text: str) -> str:
    """An entry without its quotes, or without the comment behind it."""
    if text[0] in "'\"":
        return text[1:].partition(text[0])[0].strip()
    return _COMMENT.split(text, maxsplit=1)[0].strip()


def _rows(text: str) -> list[Row]:
    return [
        Row(row, number)
        for number, row in enumerate(text.split("\n"), 1)
        if row.strip() and not row.lstrip().startswith("#")
    ]
