"""envsnap explain: say what a rule, a section or a word of reports means, and who says so."""

from __future__ import annotations

import re
import sys

from envsnap.cli._lines import painted
from envsnap.cli._terminal import Style, add_common, columns, folded, payload
from envsnap.errors import ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_TRAP = re.compile(r"[A-Za-z][A-Za-z0-9]{2}(?:[0-9]{3})?\Z")
"""A code of `envsnap lint`, or a family of them; sections and words have other shapes."""
EPILOG = """examples:
  envsnap explain            every rule, and the sections of a manifest
  envsnap explain DRV001     one rule: what it says, how bad, who says so
  envsnap explain GPU        a family of rules
  envsnap explain R14        what rules rest on, and which
  envsnap explain gpu        one section: its facts, their units and witnesses
  envsnap explain bitwise    a word of reports: what it promises, how to test it
  envsnap explain DKR004     a rule of envsnap lint
  envsnap explain --all      the whole rule book, as Markdown
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of explain."""
    parser.add_argument(
        "name", metavar="CODE|SECTION|WORD", nargs="?",
        help="explain this rule, family, principle (R14), section or word of reports (bitwise)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="print the whole rule book, as Markdown")
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Explain one thing, or list them all."""
    from envsnap.reports.explanation import explanation

    if args.all:
        return _whole_book(args.name)
    width = columns(sys.stdout)
    if args.name is not None and _TRAP.match(args.name) and (told := _traps(args.name)):
        payload(folded(told, width))
        return ExitCode.OK
    payload(painted(explanation(args.name, width), Style(sys.stdout, args.color)))
    return ExitCode.OK


def _traps(name: str) -> str:
    """The rules of `envsnap lint` that a code or a family stands for; nothing for none."""
    from envsnap.lint import explained, traps

    found = [each for code, each in traps().items() if code.startswith(name.upper())]
    return "\n\n".join("\n".join(explained(each)) for each in found)


def _whole_book(name: str | None) -> ExitCode:
    from envsnap.reports.rule_book import rule_book

    if name is not None:
        raise UsageError(f"{name!r} beside --all", hint="Leave one of them out")
    payload(rule_book())
    return ExitCode.OK
