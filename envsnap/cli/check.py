"""envsnap check: compare a machine with a manifest and say what a difference means."""

from __future__ import annotations

from envsnap._check import check
from envsnap.cli._accepted import accept
from envsnap.cli._against import add_side, found_side, found_sides, side_asked
from envsnap.cli._judging import add_judge, options_of
from envsnap.cli._manifest import load_any
from envsnap.cli._reporting import add_form, report
from envsnap.cli._sides import is_help
from envsnap.cli._terminal import add_common, payload
from envsnap.errors import ExitCode, UsageError
from envsnap.manifest import find
from envsnap.reports._sides import Sides

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

EPILOG = """examples:
  envsnap check                             the manifest here, against this machine
  envsnap check paper.json --against t4-cloud   against a machine that comes with envsnap
  envsnap check a.json --against b.json     against another manifest
  envsnap check --against 'nodes/*.json'    against many: who answers alike, what differs
  envsnap check --against a100-pcie --against 'h100-*'   which of these will do
  envsnap check --fail-on blocks            ask only whether it will run

exit codes: 0 no difference that matters, 1 there is one, 3 no usable manifest,
4 cannot tell: something that could matter was not seen; of several machines the
first of 3, 1, 4 that any of them answers
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of check."""
    parser.add_argument(
        "manifest", metavar="MANIFEST", nargs="?",
        help="the wanted side (default: the nearest upward; - is standard input); an image stands "
        "for the manifest in it (docker://NAME asks its registry)",
    )  # fmt: skip
    add_side(parser)
    add_judge(parser)
    add_form(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Compare, report, and answer."""
    if any(map(is_help, args.against)):
        from envsnap.profiles import listing

        payload(listing())
        return ExitCode.OK
    asked, options = side_asked(args), options_of(args)
    path = args.manifest or find()
    wanted, name = load_any(path), _shown(path)
    if len(asked.against) > 1:
        if args.accept:
            raise UsageError("--accept is about one found side", hint="Give one --against")
        from envsnap.cli._several import answer

        return answer(args, found_sides(asked, wanted), (wanted, name), options)
    found = found_side(asked, wanted)
    checked = check(wanted, found.manifest, options._replace(is_image=found.is_image))
    if args.accept:
        checked = accept(args, checked, (wanted, found.manifest))
    report(args, [(checked, Sides(wanted, name, found.manifest, found.name))])
    return checked.exit_code


def _shown(path: str) -> str:
    from envsnap.reports._lines import STANDARD_INPUT

    return STANDARD_INPUT if path == "-" else path
