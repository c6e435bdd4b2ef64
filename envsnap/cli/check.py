"""envsnap check: compare a machine with a manifest and say what a difference means."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from envsnap._check import Checked, CheckOptions, check, is_set_up
from envsnap.cli._lines import painted
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, Style, add_common, columns, hashing, payload
from envsnap.errors import ExitCode, UsageError
from envsnap.manifest import Manifest, find
from envsnap.rules import Outcome, Scope
from envsnap.sections import Packages, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from envsnap.host import Host
    from envsnap.probes import Options
    from envsnap.reports.check_text import Sides

EPILOG = """examples:
  envsnap check                             the manifest here, against this machine
  envsnap check paper.json --against t4-cloud   against a machine that comes with envsnap
  envsnap check a.json --against b.json     against another manifest
  envsnap check --fail-on blocks            ask only whether it will run

exit codes: 0 no difference that matters, 1 there is one, 3 no usable manifest,
4 cannot tell: something that could matter was not seen
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of check."""
    add = parser.add_argument
    add(
        "manifest", metavar="MANIFEST", nargs="?",
        help="the wanted side (default: the nearest upward; - is standard input)",
    )  # fmt: skip
    _add_side(parser.add_argument_group("the found side (default: this machine)"))
    _add_judge(parser.add_argument_group("what decides"))
    add("--format", choices=("text", "json"), default="text", help="write the report like this")
    add("-v", "--verbose", action="store_true", help="list what was fine and what is a note")
    add_common(parser)


def _add_side(side: argparse._ArgumentGroup) -> None:
    side.add_argument(
        "--against", metavar="M", action="append", default=[],
        help="a manifest, a recording, an image (docker-daemon:NAME, FILE.sif) or a profile "
        "as t4-cloud; may be given several times",
    )  # fmt: skip
    side.add_argument(
        "--from", metavar="RECORDING", dest="recording", help="capture the recorded machine"
    )
    side.add_argument("--python", metavar="EXE", help="compare this interpreter or environment")
    side.add_argument("--host-only", action="store_true", help="compare the machines alone")
    side.add_argument(
        "--deep", action="store_true",
        help="read its libraries, too (default: as deep as the manifest was captured)",
    )  # fmt: skip
    side.add_argument("--verify", action="store_true", help="hash every installed file, too")


def _add_judge(judge: argparse._ArgumentGroup) -> None:
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


@dataclass(frozen=True)
class _Asked:
    """What the command line asked for."""

    manifest: str
    against: tuple[str, ...]
    recording: str | None
    python: str | None
    host_only: bool
    verify: bool
    deep: bool
    options: CheckOptions
    as_json: bool
    verbose: bool
    quiet: bool
    color: str


def run(args: argparse.Namespace) -> ExitCode:
    """Compare, report, and answer."""
    from envsnap.reports.check_text import Sides

    asked = _asked(args)
    wanted = load(asked.manifest)
    done: list[tuple[Checked, Sides]] = []
    for name, found in _found(asked, wanted):
        is_image = bool(asked.against) and _is_image(name)
        sides = Sides(wanted, _shown(asked.manifest), found, name)
        done.append((check(wanted, found, asked.options._replace(is_image=is_image)), sides))
    _write(asked, done)
    codes = [checked.exit_code for checked, _ in done]
    return next((each for each in _PRECEDENCE if each in codes), ExitCode.OK)


_PRECEDENCE = (ExitCode.NO, ExitCode.CANNOT_TELL)


def _asked(args: argparse.Namespace) -> _Asked:
    from envsnap.cli._project import ignored_rules

    elsewhere = [args.recording is not None, bool(args.against)]
    if all(elsewhere) or (args.against and (args.python or args.host_only)):
        raise UsageError(
            "--against names the found side; --from, --python and --host-only capture it",
            hint="Give one",
        )
    if args.verify and (args.against or args.recording is not None):
        raise UsageError(
            "--verify hashes this machine's files; --against and --from name another side",
            hint="Give one",
        )
    if args.deep and args.host_only:
        raise UsageError(
            "--deep reads the environment's libraries, --host-only leaves the environment out",
            hint="Give one",
        )
    ignore = {**ignored_rules("."), **dict.fromkeys(_codes(args.ignore), "--ignore")}
    options = CheckOptions(
        scope=None if args.scope is None else Scope(args.scope),
        fail_on=Outcome(args.fail_on),
        select=_codes(args.select),
        ignore=ignore,
        allow_unknown=frozenset(args.allow_unknown),
    )
    return _Asked(
        manifest=args.manifest or find(), against=tuple(args.against), recording=args.recording,
        python=args.python, host_only=args.host_only,
        verify=args.verify, deep=args.deep, options=options,
        as_json=args.format == "json", verbose=args.verbose, quiet=args.quiet, color=args.color,
    )  # fmt: skip


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in (text or "").split(","))))


def _found(asked: _Asked, wanted: Manifest) -> list[tuple[str, Manifest]]:
    """The found sides and their names: named ones, or this machine."""
    if asked.against:
        return [(name, _named(name, wanted, asked)) for name in asked.against]
    name = "this machine" if asked.recording is None else f"the recording {asked.recording}"
    return [(name, _captured(asked.recording, wanted, asked))]


def _named(name: str, wanted: Manifest, asked: _Asked) -> Manifest:
    """A manifest, a recording, an image or a profile; a file comes before a profile."""
    if _is_image(name):
        return _image(name, deep=_is_deep(asked, wanted))
    if os.path.isdir(name) or name.endswith(".tar"):
        return _captured(name, wanted, asked)
    from envsnap.profiles import load_named

    return load_named(name, load)


def _is_image(name: str) -> bool:
    return name.startswith("docker-daemon:") or name.endswith(".sif")


def _image(reference: str, *, deep: bool) -> Manifest:
    """An image, captured from inside; its kernel and its driver are this machine's."""
    from envsnap._capture import capture
    from envsnap.host import image_host
    from envsnap.probes import Options

    with Progress(f"Reading {reference} ..."), image_host(reference) as host:
        return capture(host, Options(deep=deep))


def _is_deep(asked: _Asked, wanted: Manifest) -> bool:
    """Whether the found side's libraries are read: as the wanted side's were, or asked for."""
    return asked.deep or (wanted.captured.deep and not asked.host_only)


def _captured(recording: str | None, wanted: Manifest, asked: _Asked) -> Manifest:
    """This machine or a recorded one, with content digests where the wanted side has any."""
    from envsnap._capture import capture, own_environment
    from envsnap.host import LocalHost, RecordedHost
    from envsnap.probes import Options

    options = Options(
        python=asked.python, ours=own_environment(), host_only=asked.host_only,
        digests=_has_digests(wanted), verify=asked.verify, deep=_is_deep(asked, wanted),
    )  # fmt: skip
    host: Host = LocalHost() if recording is None else RecordedHost.from_path(recording)
    read = "this machine" if recording is None else recording
    with Progress(f"Reading {read} ...", quiet=asked.quiet) as line:
        if wanted.captured.verified and recording is None:
            options = options._replace(verify=asked.verify or _is_here(host, options, wanted))
        return capture(host, options._replace(listen=hashing(line)))


def _is_here(host: Host, options: Options, wanted: Manifest) -> bool:
    """Whether the wanted environment is, by half of its names: else its files are not hashed."""
    from envsnap._capture import capture

    sections = frozenset({"python", "packages"})
    plain = options._replace(digests=False, verify=False, deep=False)
    seen = capture(host, plain, sections=sections)
    return not options.host_only and is_set_up(wanted, seen)


def _has_digests(wanted: Manifest) -> bool:
    packages = wanted.section(Packages)
    if isinstance(packages, Unknown) or isinstance(packages.installed, Unknown):
        return True
    return any(isinstance(each.content, str) for each in packages.installed)


def _shown(path: str) -> str:
    from envsnap.reports._lines import STANDARD_INPUT

    return STANDARD_INPUT if path == "-" else path


def _write(asked: _Asked, done: list[tuple[Checked, Sides]]) -> None:
    if asked.as_json:
        from envsnap.reports.check_json import text as json_text

        payload(json_text(done))
        return
    from envsnap.reports.check_text import brief, text

    style, width = Style(sys.stdout, asked.color), columns(sys.stdout)
    pages = [
        brief(checked, width)
        if asked.quiet
        else text(checked, sides, width=width, verbose=asked.verbose)
        for checked, sides in done
    ]
    payload("\n\n".join(painted(page, style) for page in pages))
