"""envsnap doctor: say what is wrong with this machine and environment."""

from __future__ import annotations

import sys

from envsnap.cli._terminal import Progress, Style, add_common, add_deep, columns, payload
from envsnap.errors import ExitCode, UsageError
from envsnap.manifest import Manifest
from envsnap.rules import Checked, CheckOptions, Outcome, Report, Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

_ENVIRONMENT = frozenset({"python", "packages", "cuda", "environ"})
"""What --host-only leaves out, and nobody misses then."""
EPILOG = """examples:
  envsnap doctor                       the environment you work in, on this machine
  envsnap doctor --python .venv        another one
  envsnap doctor --deep                what its libraries load, and for which GPUs, too
  envsnap doctor --build               how images could be built here, and what is in the way
  envsnap doctor --fail-on blocks      ask only whether something stops it

exit codes: 0 nothing is wrong, 1 something is, 4 cannot tell: something that could matter
was not seen. Nothing is written and nothing is sent anywhere.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of doctor."""
    what = parser.add_argument_group("what to look at (default: the environment you work in)")
    what.add_argument("--python", metavar="EXE", help="this interpreter or environment folder")
    what.add_argument(
        "--from", metavar="RECORDING", dest="recording", help="look at the recorded machine"
    )
    what.add_argument(
        "--host-only", action="store_true", help="the machine alone, whatever is installed on it"
    )
    add_deep(what)
    from envsnap.cli._routes import add_arguments as add_building

    add_building(parser)
    judge = parser.add_argument_group("what decides")
    judge.add_argument(
        "--fail-on", metavar="OUTCOME", choices=[each.value for each in Outcome],
        default=Outcome.DEGRADES.value,
        help="the mildest outcome that ends with exit code 1: blocks, degrades (default), "
        "numerics, perf or note",
    )  # fmt: skip
    judge.add_argument(
        "--allow-unknown", metavar="X", action="append", default=[],
        help="accept that this section, or this rule's facts, are not known",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="write the report like this"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list what was fine, too")
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Look, judge, and answer."""
    from envsnap.cli._project import ignored_rules

    if args.build:
        from envsnap.cli._routes import run_routes

        return run_routes(args)

    if args.host_only and (args.python is not None or args.deep):
        raise UsageError(
            "--host-only leaves the environment out; --python and --deep look at it",
            hint="Give one",
        )
    options = CheckOptions(
        scope=Scope.NATIVE, fail_on=Outcome(args.fail_on), ignore=ignored_rules("."),
        allow_unknown=frozenset(args.allow_unknown) | (_ENVIRONMENT if args.host_only else set()),
    )  # fmt: skip
    manifest = _captured(args)
    checked = _examined(manifest, options)
    if args.format == "json":
        payload(_json(checked, manifest))
    else:
        from envsnap.cli._lines import painted
        from envsnap.reports import doctor_text

        width = columns(sys.stdout)
        page = (
            doctor_text.brief(checked, manifest, width)
            if args.quiet
            else doctor_text.text(checked, manifest, width=width, verbose=args.verbose)
        )
        payload(painted(page, Style(sys.stdout, args.color)))
        if args.recording is None and not args.quiet:
            from envsnap.cli._routes import in_short
            from envsnap.sections import Engines

            payload(in_short(manifest.section(Engines)))
    return checked.exit_code


def _captured(args: argparse.Namespace) -> Manifest:
    from envsnap._capture import capture, own_environment
    from envsnap.host import LocalHost, RecordedHost
    from envsnap.probes import Options

    options = Options(
        python=args.python, ours=own_environment(), host_only=args.host_only,
        digests=False, deep=args.deep,
    )  # fmt: skip
    told = args.recording
    host = LocalHost() if told is None else RecordedHost.from_path(told)
    with Progress(f"Reading {told or 'this machine'} ...", quiet=args.quiet):
        return capture(host, options)


def _examined(manifest: Manifest, options: CheckOptions) -> Checked:
    """The health of the manifest, without the rules that the project leaves out."""
    from envsnap._check import refuse_unknown_names
    from envsnap.rules import health

    refuse_unknown_names(options)
    return Checked(
        report=_without(health(manifest), options.ignore),
        scope=Scope.NATIVE,
        chosen="doctor looks at what is here",
        options=options,
        is_set_up=True,
    )


def _without(report: Report, ignore: Mapping[str, str]) -> Report:
    def stays(code: str) -> bool:
        return not code.startswith(tuple(ignore))

    return report._replace(
        findings=tuple(each for each in report.findings if stays(each.code)),
        not_checked=tuple(each for each in report.not_checked if stays(each.code)),
        conditions=tuple(each for each in report.conditions if stays(each.code)),
        judged={code: scope for code, scope in report.judged.items() if stays(code)},
        ignored=dict(ignore),
    )


def _json(checked: Checked, manifest: Manifest) -> str:
    """The document of check, of this machine beside itself."""
    from envsnap.reports._groups import HERE
    from envsnap.reports._sides import Sides
    from envsnap.reports.check_json import text

    return text([(checked, Sides(manifest, HERE, manifest, HERE))])
