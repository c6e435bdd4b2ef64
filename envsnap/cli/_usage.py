"""What is said of a command line that cannot be read: its fault, and what may have been meant."""

from __future__ import annotations

import re

from envsnap.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_LEFT_OVER = "unrecognized arguments: "
_OF_ONE = re.compile(r"argument (\S+): (.+)\Z", re.DOTALL)
_NO_CHOICE = re.compile(r"invalid choice: '?(.*?)'? \(choose from ", re.DOTALL)
_ABSENT = "the following arguments are required: "


def refusal(parser: argparse.ArgumentParser, said: str) -> UsageError:
    """The fault that argparse found, in one line, with the nearest word that there is."""
    seen = f"See: {parser.prog} --help"
    if said.startswith(_LEFT_OVER):
        return _left_over(parser, said.removeprefix(_LEFT_OVER).partition(" ")[0], seen)
    if said.startswith(_ABSENT):
        return UsageError(f"{said.removeprefix(_ABSENT)} is missing", hint=seen)
    of_one = _OF_ONE.match(said)
    if of_one is None:
        return UsageError(said[:1].upper() + said[1:], hint=seen)
    name, fault = of_one.groups()
    chosen = _NO_CHOICE.match(fault)
    if chosen is None:
        return UsageError(f"{name}: {fault}", hint=seen)
    choices = _choices(parser, name.split("/"))
    hint = _meant(chosen[1], choices) or f"Give one of {', '.join(choices)}"
    return UsageError(f"{name} knows no {chosen[1]!r}", hint=hint)


def _left_over(parser: argparse.ArgumentParser, word: str, seen: str) -> UsageError:
    if word.startswith("-"):
        name = word.partition("=")[0]
        options = [each for one in _actions(parser) for each in one.option_strings]
        return UsageError(f"No option {name}", hint=_meant(name, options) or seen)
    if parser.prog == "envsnap check":
        return UsageError(
            f"One manifest is wanted; {word!r} is a second",
            hint=f"To compare with it: envsnap check MANIFEST --against {word}",
        )
    return UsageError(f"One word too many: {word!r}", hint=seen)


def _meant(word: str, known: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f"Did you mean {near[0]}" if near else None


def _choices(parser: argparse.ArgumentParser, names: Iterable[str]) -> list[str]:
    """What the option, or the word of that name, may be."""
    wanted = set(names)
    for each in _actions(parser):
        if wanted & {*each.option_strings, str(each.metavar), each.dest}:
            return [str(choice) for choice in each.choices or ()]
    return []


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no public way to list them
