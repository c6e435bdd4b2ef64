"""envsnap explain: say what a rule or a section means, and where it comes from."""

from __future__ import annotations

import sys

from envsnap.cli._lines import painted
from envsnap.cli._terminal import Style, add_common, columns, payload
from envsnap.errors import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

EPILOG = """examples:
  envsnap explain            every rule, and the sections of a manifest
  envsnap explain DRV001     one rule: what it says, how bad, who says so
  envsnap explain GPU        a family of rules
  envsnap explain gpu        one section: its facts, their units and witnesses
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of explain."""
    parser.add_argument(
        "name", metavar="CODE|SECTION", nargs="?", help="explain this rule, family or section"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Explain one thing, or list them all."""
    from envsnap.reports.explanation import explanation

    width = columns(sys.stdout)
    payload(painted(explanation(args.name, width), Style(sys.stdout, args.color)))
    return ExitCode.OK
