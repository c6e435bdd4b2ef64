"""Finds in a build context, whoever wrote it, what its engine stumbles over.

`lint` reads files and folders and answers with problems; nothing is run, nothing is fetched. A trap
is one function under `@trap`, in a module of this folder without an underscore.
"""

from __future__ import annotations

from envsnap.lint._book import book, explained
from envsnap.lint._lint import Linted, lint, traps
from envsnap.lint._model import Problem, Trap

__all__ = ["Linted", "Problem", "Trap", "book", "explained", "lint", "traps"]
