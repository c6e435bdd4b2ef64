"""What a Dockerfile and a definition have in common: bases, scripts and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from envsnap._typing import NamedTuple, Protocol
from envsnap.lint._files import Beside
from envsnap.lint._shell import Command, Heredoc


class Base(NamedTuple):
    """An image that a recipe starts from."""

    reference: str
    """With what is known of its variables put in."""
    line: int


class Setting(NamedTuple):
    """A variable or label that a recipe gives a value."""

    kind: str
    """ENV, ARG or LABEL in a Dockerfile; the section in a definition; 'script' inside of one."""
    name: str
    value: str | None
    """None for an ARG that has none."""
    line: int


class Script(NamedTuple):
    """A script that runs while the image is made."""

    commands: tuple[Command, ...]
    heredocs: tuple[Heredoc, ...]
    line: int
    mounts: tuple[Mapping[str, str], ...]
    """The options of each of its mounts; those without a value have ''."""
    shell: str
    """The program that reads it: 'sh', 'bash', ..."""
    pipefail: bool
    """Whether its shell ends at a failure inside of a pipe."""
    variables: Mapping[str, str]
    """Those that are set when it starts, as far as the recipe tells."""


class Copied(NamedTuple):
    """Files of the context that go into the image."""

    sources: tuple[str, ...]
    target: str
    line: int


class Recipe(Protocol):
    """What a rule for both kinds of recipes reads."""

    @property
    def beside(self) -> Beside:
        """The folder of the recipe."""

    @property
    def bases(self) -> Sequence[Base]:
        """Every image that it starts a stage from; not its own stages, nor `scratch`."""

    @property
    def scripts(self) -> Sequence[Script]:
        """In order."""

    @property
    def settings(self) -> Sequence[Setting]:
        """In order; those inside of scripts, too."""

    @property
    def copied(self) -> Sequence[Copied]:
        """In order."""


def commands(recipe: Recipe) -> Iterator[tuple[Script, Command]]:
    """Every command of every script."""
    for script in recipe.scripts:
        for each in script.commands:
            yield script, each


def script_settings(scripts: Sequence[Script]) -> Iterator[Setting]:
    """The variables that scripts set, exported or not."""
    for script in scripts:
        for command in script.commands:
            given = command.assigned
            if command.name == "export":
                given += tuple(
                    (name, value) for name, equals, value in
                    (word.partition("=") for word in command.words[1:]) if equals
                )  # fmt: skip
            for name, value in given:
                yield Setting("script", name, value, command.line)
