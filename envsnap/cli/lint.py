"""envsnap lint: find in recipes, ours or another's, what their engines stumble over."""

from __future__ import annotations

import sys

from envsnap.cli._terminal import Style, add_common, clean, columns, folded, payload, say
from envsnap.errors import ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from envsnap.lint import Linted, Trap

DESCRIPTION = (
    "Read Dockerfiles, Apptainer definitions, repo2docker folders and conda's environment.yml, and "
    "name the traps in them. No batch script is judged.\n"
    "Nothing is run, nothing is fetched."
)
EPILOG = """examples:
  envsnap lint                       every recipe in this folder and below it
  envsnap lint Dockerfile paper.def  these two
  envsnap lint --select SIF,BLD010   only these rules and families
  envsnap lint --format json         for programs
  envsnap lint --rules               what is looked for, as Markdown
  envsnap lint --rules DKR004        one rule

A comment `# envsnap: ignore[DKR002] why` on a line, or above it, keeps a rule quiet there.
Exit 0: no trap found. 1: some. 2: no recipe there. 7: a file cannot be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of lint."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="files and folders (default: this folder)"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="write like this (default: text)"
    )
    for name, text in (("--select", "look for these alone"), ("--ignore", "leave these out")):
        parser.add_argument(
            name, metavar="CODE,CODE", action="append", default=[],
            help=f"{text}: codes or families (DKR)",
        )  # fmt: skip
    parser.add_argument(
        "--rules", action="store_true", help="print every rule, or those that are named, and end"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Print the problems, one line each and what to do below it."""
    from envsnap.lint import lint, traps

    known = traps()
    if args.rules:
        return _rules(args.paths, known)
    chosen = _codes(args.select, known) if args.select else set(known)
    found = lint(args.paths or ["."], chosen - _codes(args.ignore, known))
    if args.format == "json":
        payload(_json(found, known))
    elif found.problems:
        payload("\n".join(_lines(found, known, Style(sys.stdout, args.color), quiet=args.quiet)))
    count, read = len(found.problems), len(found.files)
    told = "1 problem" if count == 1 else f"{count or 'no'} problems"
    say(f"{told} in {read} {'recipe' if read == 1 else 'recipes'}", quiet=args.quiet)
    for path in found.of_conda:
        codes = ", ".join(sorted(each.code for each in known.values() if each.of == "environment"))
        said = (
            f"{clean(path)}: nothing beside it is repo2docker's, so it is judged as conda's own: "
        )
        say(f"note: {said}by {codes} alone", quiet=args.quiet)
    if count and args.format == "text":
        code = _worst(found, known)
        say(f"What a rule is for and who says so: envsnap explain {code}", quiet=args.quiet)
    return ExitCode.NO if count else ExitCode.OK


def _rules(names: list[str], known: Mapping[str, Trap]) -> ExitCode:
    from envsnap.lint import book, explained

    if not names:
        payload(book(known))
        return ExitCode.OK
    blocks = ["\n".join(explained(known[code])) for code in sorted(_codes(names, known))]
    payload(folded("\n\n".join(blocks), columns(sys.stdout)))
    return ExitCode.OK


def _codes(given: Iterable[str], known: Mapping[str, Trap]) -> set[str]:
    """The codes that names and families stand for.

    Raises:
        UsageError: One stands for none.
    """
    found: set[str] = set()
    for name in (part.strip().upper() for text in given for part in text.split(",")):
        meant = {code for code in known if name and code.startswith(name)}
        if not meant:
            raise UsageError(f"Unknown rule {name!r}", hint="See them: envsnap lint --rules")
        found |= meant
    return found


def _worst(found: Linted, known: Mapping[str, Trap]) -> str:
    """The first rule that stops a build, else the first."""
    codes = [each.code for each in found.problems]
    return next((code for code in codes if known[code].stops), codes[0])


def _lines(found: Linted, known: Mapping[str, Trap], style: Style, *, quiet: bool) -> list[str]:
    lines = []
    for each in found.problems:
        place = style.bold(f"{clean(each.path)}:{each.line}:")
        stops = "stops the build: " if known[each.code].stops else ""
        lines.append(f"{place} {style.warn(each.code)} {stops}{clean(each.message)}")
        if not quiet:
            lines.append(folded(f"    {known[each.code].remedy}", columns(sys.stdout)))
    return lines


def _json(found: Linted, known: Mapping[str, Trap]) -> str:
    import json

    document = {
        "lint": "1.0",
        "read": list(found.files),
        "problems": [
            {
                **each._asdict(),
                **{name: getattr(known[each.code], name) for name in ("remedy", "source", "stops")},
            }
            for each in found.problems
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True)
