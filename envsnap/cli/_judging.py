"""What decides the answer of a check: the options that choose rules, and what they may say."""

from __future__ import annotations

from envsnap._check import CheckOptions
from envsnap.cli._accepted import acceptances, add_accepting, today
from envsnap.rules import Outcome, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_judge(parser: argparse.ArgumentParser) -> None:
    """The options that decide."""
    judge = parser.add_argument_group("what decides")
    judge.add_argument(
        "--for", dest="scope", choices=("native", "container"),
        help="which way of running decides (default: natively where half of the packages are)",
    )  # fmt: skip
    judge.add_argument(
        "--fail-on", metavar="OUTCOME", choices=[each.value for each in Outcome],
        default="numerics",
        help="the mildest outcome that ends with exit code 1: blocks, degrades, numerics "
        "(default), perf or note",
    )  # fmt: skip
    judge.add_argument("--select", metavar="CODES", help="judge these rules or families alone")
    judge.add_argument("--ignore", metavar="CODES", help="leave these rules or families out")
    judge.add_argument(
        "--allow-unknown", metavar="X", action="append", default=[],
        help="accept that this section, or this rule's facts, are not known",
    )  # fmt: skip
    add_accepting(parser)


def options_of(args: argparse.Namespace) -> CheckOptions:
    """What was asked for, with what the project's own file leaves out."""
    from envsnap.cli._project import ignored_rules

    ignore = {**ignored_rules("."), **dict.fromkeys(_codes(args.ignore), "--ignore")}
    return CheckOptions(
        scope=None if args.scope is None else Scope(args.scope), fail_on=Outcome(args.fail_on),
        select=_codes(args.select), ignore=ignore,
        allow_unknown=frozenset(args.allow_unknown),
        accept_waivers=args.accept_waivers, accepted=acceptances(args), today=today(),
    )  # fmt: skip


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in (text or "").split(","))))
