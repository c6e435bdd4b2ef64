"""envsnap run: run a command, and record what it really used."""

from __future__ import annotations

import argparse
import os
import sys

from envsnap.cli._terminal import add_common, clean, say
from envsnap.errors import EnvsnapError, FileError, UsageError
from envsnap.manifest import FILE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from envsnap._run import Watched
    from envsnap.cli.capture import Asked
    from envsnap.manifest import Manifest

_MOST_NAMES = 99
DESCRIPTION = """Run a command as if envsnap were not there, then capture the environment it used.

The manifest's section `run` says which packages its Pythons imported, which programs and
libraries it ran, its peak memory, its time and its exit status. Its arguments are not recorded.
"""
EPILOG = """examples:
  envsnap run -- python train.py --epochs 3
  envsnap run -o 'runs/{date}-{job}.json' --deep -- torchrun train.py

The exit status is the command's own: 128 more than the signal that ended it, 127 if it was not
found, 126 if it could not be run. Nothing is sent anywhere.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of run, and the command."""
    add = parser.add_argument
    add(
        "-o",
        "--output",
        metavar="PATH",
        default=FILE_NAME,
        help=f"write here (default: {FILE_NAME}; "
        "takes {date} {environment} {node} {job} {rank})",
    )
    add("--force", action="store_true", help="replace a manifest that names another machine")
    add("--python", metavar="EXE", help="capture this interpreter (default: the command's own)")
    add(
        "--deep", action="store_true",
        help="read the libraries, too: what would load, for which GPUs they hold code",
    )  # fmt: skip
    add("--anonymous", action="store_true", help="leave out what names a person, project or site")
    add("--identify", action="store_true", help="add GPU serials and job names")
    add_common(parser)
    add(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER,
        help="the command and its arguments, behind --",
    )  # fmt: skip
    parser.set_defaults(
        root=None, image=None, recording=None, record=None, only=None, skip=None,
        host_only=False, no_digests=False, verify=False,
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the command, record it, and answer its exit status."""
    from envsnap._run import NotStartedError, watch
    from envsnap.cli import capture

    argv = args.command[1:] if args.command[:1] == ["--"] else args.command
    asked = capture.asked_for(args)
    _refuse_before(argv, args.output)
    try:
        watched = watch(argv)
    except NotStartedError as error:
        say(clean(f"error: {argv[0]}: {error}"))
        return error.status
    try:
        _record(argv, watched, asked)
    except EnvsnapError as error:
        _warn(error.message, error.hint)
    except KeyboardInterrupt:
        _warn("interrupted", None)
    except Exception as error:
        if os.environ.get("ENVSNAP_DEBUG"):
            raise
        _warn(f"a fault of envsnap itself: {type(error).__name__}: {error}", None)
    return watched.status


def _refuse_before(argv: Sequence[str], output: str) -> None:
    """Refuse what would be found out only after hours.

    Raises:
        UsageError: There is no command, or nowhere to write.
        FileError: What is at the output's place is no manifest, or its folder is not there.
    """
    from envsnap.cli.capture import manifest_at

    if not argv:
        raise UsageError("No command was given", hint="Write: envsnap run -- COMMAND")
    if output == "-":
        raise UsageError(
            "-o - would mix the manifest with what the command prints", hint="Name a file with -o"
        )
    if "{" in output:
        return
    folder = os.path.dirname(os.path.abspath(output))
    if not os.path.isdir(folder):
        raise FileError(f"There is no folder {folder}", hint="Make it, or name another with -o")
    if not os.access(folder, os.W_OK):
        raise FileError(f"{folder} may not be written to", hint="Name another folder with -o")
    manifest_at(output)


def _record(argv: Sequence[str], watched: Watched, asked: Asked) -> None:
    """Capture the environment that the command used, and write it with what was seen."""
    from envsnap._run import python_of, seen
    from envsnap.cli import capture

    options = asked.options._replace(seen=seen(argv, watched))
    own = python_of(argv, watched) if options.python is None else options.python
    try:
        looked = capture.look(asked._replace(options=options._replace(python=own)))
    except UsageError:
        if options.python is not None:
            raise
        looked = capture.look(asked._replace(options=options))  # it is gone by now
    _tell(watched, looked.manifest, quiet=asked.quiet)
    asked = asked._replace(quiet=True)  # what the command printed is to be read, not our summary
    try:
        capture.keep(asked, looked)
    except FileError as error:
        beside = _beside(asked.output)
        if beside is None:
            raise
        say(clean(f"warning: {error.message}: this run is in {beside} instead"))
        capture.keep(asked._replace(output=beside), looked)


def _tell(watched: Watched, manifest: Manifest, *, quiet: bool) -> None:
    """Say in a line or two what the command used."""
    from envsnap.cli._terminal import columns, folded
    from envsnap.reports._ran import run_words

    width = columns(sys.stderr)
    say(folded(clean(f"envsnap: {run_words(manifest)}"), width), quiet=quiet)
    if watched.by_change:
        note = (
            "note: NVML did not name the command's processes; its GPU memory is how much the "
            "whole card's rose"
        )
        say(folded(note, width), quiet=quiet)


def _beside(output: str) -> str | None:
    """A free name like the one that is taken: what took hours to see is not thrown away."""
    if not os.path.isfile(output):
        return None
    stem, ending = os.path.splitext(output)
    names = (f"{stem}.run-{number}{ending}" for number in range(1, _MOST_NAMES))
    return next((name for name in names if not os.path.lexists(name)), None)


def _warn(why: str, hint: str | None) -> None:
    say(clean(f"warning: the run was not recorded: {why}"))
    if hint:
        say(clean(f"hint: {hint}"))
