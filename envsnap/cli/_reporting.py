"""How a check's answer is written: the forms, and who reads each."""

from __future__ import annotations

import sys

from envsnap.cli._lines import painted
from envsnap.cli._terminal import Style, columns, payload

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from envsnap._check import Checked
    from envsnap.reports.check_text import Sides


def add_form(parser: argparse.ArgumentParser) -> None:
    """The options that choose the form."""
    add = parser.add_argument
    add("--format", choices=("text", "json"), default="text", help="write the report like this")
    add("-v", "--verbose", action="store_true", help="list what was fine and what is a note")


def report(args: argparse.Namespace, done: Sequence[tuple[Checked, Sides]]) -> None:
    """Write the answers to standard output."""
    if args.format == "json":
        from envsnap.reports.check_json import text as json_text

        payload(json_text(done))
        return
    from envsnap.reports.check_text import brief, text

    style, width = Style(sys.stdout, args.color), columns(sys.stdout)
    pages = [
        brief(checked, width)
        if args.quiet
        else text(checked, sides, width=width, verbose=args.verbose)
        for checked, sides in done
    ]
    payload("\n\n".join(painted(page, style) for page in pages))
