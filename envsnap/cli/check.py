"""envsnap check: compare a machine with a manifest and say what a difference means."""

from __future__ import annotations

from envsnap._check import Checked, check
from envsnap.cli._against import add_side, found_sides, side_asked
from envsnap.cli._judging import add_judge, options_of
from envsnap.cli._manifest import load
from envsnap.cli._reporting import add_form, report
from envsnap.cli._terminal import add_common
from envsnap.errors import ExitCode
from envsnap.manifest import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from envsnap.reports.check_text import Sides

EPILOG = """examples:
  envsnap check                             the manifest here, against this machine
  envsnap check paper.json --against t4-cloud   against a machine that comes with envsnap
  envsnap check a.json --against b.json     against another manifest
  envsnap check --fail-on blocks            ask only whether it will run

exit codes: 0 no difference that matters, 1 there is one, 3 no usable manifest,
4 cannot tell: something that could matter was not seen
"""

_PRECEDENCE = (ExitCode.NO, ExitCode.CANNOT_TELL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of check."""
    parser.add_argument(
        "manifest", metavar="MANIFEST", nargs="?",
        help="the wanted side (default: the nearest upward; - is standard input)",
    )  # fmt: skip
    add_side(parser)
    add_judge(parser)
    add_form(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Compare, report, and answer."""
    from envsnap.reports.check_text import Sides

    asked, options = side_asked(args), options_of(args)
    path = args.manifest or find()
    wanted = load(path)
    done: list[tuple[Checked, Sides]] = []
    for each in found_sides(asked, wanted):
        checked = check(wanted, each.manifest, options._replace(is_image=each.is_image))
        done.append((checked, Sides(wanted, _shown(path), each.manifest, each.name)))
    report(args, done)
    codes = [checked.exit_code for checked, _ in done]
    return next((each for each in _PRECEDENCE if each in codes), ExitCode.OK)


def _shown(path: str) -> str:
    from envsnap.reports._lines import STANDARD_INPUT

    return STANDARD_INPUT if path == "-" else path
