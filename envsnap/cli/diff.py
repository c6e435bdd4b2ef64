"""envsnap diff: list what differs between two manifests."""

from __future__ import annotations

import sys

from envsnap.cli._lines import painted
from envsnap.cli._manifest import load_any
from envsnap.cli._terminal import Style, add_common, columns, payload
from envsnap.errors import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

EPILOG = """examples:
  envsnap diff before.json after.json     every fact that differs, with its grade
  envsnap diff paper.json t4-cloud        a profile on one side

Each line: the fact, both values, and how a rule grades the difference (blocks, degrades,
numerics, perf, note), if one minds it. What it means as a whole: envsnap check A --against B

exit codes: 0 the same, 1 something differs, 3 no usable manifest
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of diff."""
    parser.add_argument(
        "wanted",
        metavar="A",
        help="a manifest, a profile as t4-cloud, or an image that "
        "carries a manifest (docker://NAME asks its registry)",
    )
    parser.add_argument("found", metavar="B", help="another one")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="write the list like this"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """List the differences."""
    from envsnap.profiles import load_named
    from envsnap.reports.differences import differences
    from envsnap.reports.differences_text import json_text, text

    wanted = load_named(args.wanted, load_any)
    found = differences(wanted, load_named(args.found, load_any))
    if args.format == "json":
        payload(json_text(found))
    elif not args.quiet:
        payload(painted(text(found, columns(sys.stdout)), Style(sys.stdout, args.color)))
    return ExitCode.NO if found else ExitCode.OK
