"""Help pages that fit the terminal: their examples and sentences are folded as argparse folds."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from itertools import groupby

_LONGEST_CHOICES = 34
"""How long a list of choices may stand in the place of a value's name."""
_ROW = re.compile(r"  (?P<said>\S.*?)(?: {2,}(?P<meaning>\S.*))?")
_WIDEST_COLUMN = 44
_INDENT = 2


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps a page's own lines; those that are too long are folded."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "".join(f"{indent}{line}\n" for line in fitted(text, width - len(indent)))


def fitted(text: str, width: int) -> Iterator[str]:
    r"""The lines of a page, none longer than the width where its words allow.

    >>> list(fitted("examples:\n  diff A B   every fact that differs", 32))
    ['examples:', '  diff A B   every fact that', '             differs']
    """
    for kind, group in groupby(text.splitlines(), key=_kind):
        lines = list(group)
        if max(map(len, lines)) <= width:
            yield from lines
        elif kind == "rows":
            yield from _rows(lines, width)
        else:
            yield from _sentences(lines, width)


def _kind(line: str) -> str:
    if not line.strip():
        return "blank"
    return "rows" if line.startswith(" ") else "sentences"


def _rows(lines: Sequence[str], width: int) -> Iterator[str]:
    """Commands and their meanings in two columns, as argparse lays out options."""
    from textwrap import wrap  # start-up

    found = [(row["said"], row["meaning"] or "") for row in map(_ROW.fullmatch, lines) if row]
    if len(found) != len(lines):  # they are no table
        for line in lines:
            yield from wrap(line, width, subsequent_indent=" " * 2 * _INDENT)
        return
    longest = max((len(said) for said, meaning in found if meaning), default=0)
    column = min(longest + _INDENT + 3, _WIDEST_COLUMN, width // 2)
    for said, meaning in found:
        first = f"{'':{_INDENT}}{said}"
        beside = len(first) + _INDENT <= column
        told = wrap(
            meaning, width, initial_indent=" " * column, subsequent_indent=" " * column,
            break_on_hyphens=False,
        )  # fmt: skip
        if told and beside:
            told[0] = f"{first:<{column}}{told[0].lstrip()}"
            yield from told
        else:
            yield first
            yield from told


def _sentences(lines: Sequence[str], width: int) -> Iterator[str]:
    """Sentences, folded anew; a line after a full stop keeps its own beginning."""
    from textwrap import wrap  # start-up

    whole: list[str] = []
    for line in lines:
        if whole and not whole[-1].endswith((".", ":")):
            whole[-1] += f" {line}"
        else:
            whole.append(line)
    for each in whole:
        yield from wrap(each, width, break_on_hyphens=False, break_long_words=False)


def name_long_choices(parser: argparse.ArgumentParser) -> None:
    """Long lists of choices stand in the option's help, no longer in the usage, which has no room.

    Asked of a parser once all its options are added.
    """
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to list them
        if action.choices is None or action.metavar is not None:
            continue
        listed = [str(each) for each in action.choices]
        if action.option_strings and len(",".join(listed)) + 2 > _LONGEST_CHOICES:
            action.metavar = action.dest.upper()
            action.help = f"{action.help}: {', '.join(listed[:-1])} or {listed[-1]}"
