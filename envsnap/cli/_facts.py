"""Newer tables of facts than those that envsnap brings: `--facts DIR`, or ENVSNAP_FACTS."""

from __future__ import annotations

from envsnap.cli._terminal import clean, say
from envsnap.facts import use
from envsnap.facts.folder import read_folder


def use_facts(folder: str, *, quiet: bool) -> None:
    """Take the tables of the folder in the place of envsnap's own, and say which.

    Raises:
        FileError: One of them cannot be used.
    """
    tables = read_folder(folder)
    use(tables)
    told = ", ".join(f"{name} of {each.date}" for name, each in tables.items())
    say(clean(f"facts: {told}, from {folder}"), quiet=quiet)
