"""envsnap run: run a command, and record what it really used."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress

from envsnap.cli._terminal import add_common, add_deep, add_naming, add_output, clean, say
from envsnap.errors import EnvsnapError, FileError, UsageError
from envsnap.manifest import FILE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envsnap._run import Watched
    from envsnap.cli.capture import Asked, Looked
    from envsnap.manifest import Manifest

_MOST_NAMES = 99
_FEW = 3
DESCRIPTION = """Run a command, pass its exit status on, and capture the environment that it used.

The manifest's section `run` says which packages its Pythons imported, which programs and
libraries it ran, its peak memory, its time and its exit status. Its arguments are not recorded.

Its terminal, streams and signals are those it would have without envsnap. Two variables are not:
PYTHONPATH begins with a file of envsnap's, and ENVSNAP_RUN is set; they go on to all it starts.
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
    add_output(parser)
    add("--python", metavar="EXE", help="capture this interpreter (default: the command's own)")
    add_deep(parser)
    add_naming(parser)
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
    """Run the command, record it, and answer its exit status, whatever comes of recording."""
    from envsnap._run import NotStartedError, watch
    from envsnap.cli import TerminatedError, capture

    argv = args.command[1:] if args.command[:1] == ["--"] else args.command
    asked = capture.asked_for(args)
    _refuse_before(argv, args.output)
    try:
        watched = watch(argv)
    except NotStartedError as error:
        _say(f"error: {argv[0] or repr('')}: {error}")
        return error.status
    try:
        _record(argv, watched, asked)
    except EnvsnapError as error:
        _warn(error.message, error.hint)
    except KeyboardInterrupt:
        _warn("interrupted", None)
    except TerminatedError:
        _warn("terminated", None)
    except Exception as error:  # noqa: BLE001 - the status is the command's, whatever happens
        _warn_of_a_fault(error)
    return watched.status


def _refuse_before(argv: Sequence[str], output: str) -> None:
    """Refuse what would be found out only after hours.

    Raises:
        UsageError: There is no command, or nowhere to write.
        FileError: What is at the output's place is no manifest, or its folder is not there.
    """
    from envsnap.cli._placeholders import known_before
    from envsnap.cli.capture import manifest_at

    if not argv:
        raise UsageError("No command was given", hint="Write: envsnap run -- COMMAND")
    if output == "-":
        raise UsageError(
            "-o - would mix the manifest with what the command prints", hint="Name a file with -o"
        )
    folder, path = known_before(output)
    if not os.path.isdir(folder):
        raise FileError(f"There is no folder {folder}", hint="Make it, or name another with -o")
    if path is not None and os.path.isdir(path):
        raise FileError(f"Cannot write {path}: it is a folder", hint="Name a file with -o")
    is_special = path is not None and os.path.exists(path) and not os.path.isfile(path)
    if not is_special and not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{folder} may not be written to", hint="Name another folder with -o")
    if path is not None:
        manifest_at(path)


def _record(argv: Sequence[str], watched: Watched, asked: Asked) -> None:
    """Capture the environment that the command used, and write it with what was seen."""
    from envsnap._run import other_than, python_of, seen
    from envsnap.cli import capture

    options = asked.options._replace(seen=seen(argv, watched))
    own = python_of(argv, watched) if options.python is None else options.python
    try:
        looked = capture.look(asked._replace(options=options._replace(python=own)))
    except UsageError:
        if options.python is not None:
            raise
        looked = capture.look(asked._replace(options=options))  # it is gone by now
    with _nobody_reads():
        _tell(watched, looked.manifest, quiet=asked.quiet)
        _warn_of_the_rest(watched, other_than(own, watched) if own else ())
    # What the command printed is to be read, not our summary.
    _keep(asked._replace(quiet=True), looked)


def _keep(asked: Asked, looked: Looked) -> None:
    """Write the manifest where it was asked for, or else at the first place that takes it.

    Raises:
        EnvsnapError: It could be written nowhere; why not where it was asked for.
    """
    from envsnap.cli import capture
    from envsnap.cli._placeholders import filled

    try:
        with _nobody_reads():
            capture.keep(asked, looked)
    except EnvsnapError as error:
        for path in _elsewhere(filled(asked.output, looked.manifest)):
            as_it_is = path.replace("{", "{{").replace("}", "}}") if "{" in path else path
            with suppress(EnvsnapError):
                with _nobody_reads():
                    capture.keep(asked._replace(output=as_it_is), looked)
                _say_folded(f"warning: {error.message}: this run is in {path} instead")
                return
        raise


def _elsewhere(path: str) -> Iterator[str]:
    """Other names for what took hours to see: beside, in the current folder, in a temporary one."""
    name = os.path.basename(path) or FILE_NAME
    for wanted in dict.fromkeys((path, name)):
        free = _free(wanted)
        if free is not None:
            yield free
    import tempfile

    try:
        folder = tempfile.mkdtemp(prefix="envsnap-run-")
    except OSError:
        return
    yield os.path.join(folder, name)
    with suppress(OSError):  # it took nothing
        os.rmdir(folder)


def _tell(watched: Watched, manifest: Manifest, *, quiet: bool) -> None:
    """Say in a line or two what the command used."""
    from envsnap.cli._terminal import columns, folded
    from envsnap.reports._ran import run_words

    width = columns(sys.stderr)
    if watched.fault is not None:
        say(folded(clean(f"warning: what it used was not seen: {watched.fault}"), width))
    say(folded(clean(f"envsnap: {run_words(manifest)}"), width), quiet=quiet)
    if watched.by_change:
        note = (
            "note: NVML did not name the command's processes; its GPU memory is how much the "
            "whole card's rose"
        )
        say(folded(note, width), quiet=quiet)


def _warn_of_the_rest(watched: Watched, others: Sequence[str]) -> None:
    """Say what the command did that the manifest does not tell."""
    if others:
        names = ", ".join(others[:_FEW]) + (" ..." if len(others) > _FEW else "")
        _say_folded(
            f"warning: it ran Pythons of other environments, too, whose packages are not recorded: "
            f"{names} (--python names the one to capture)"
        )
    if watched.left:
        which = "1 process of it still runs" if watched.left == 1 else (
            f"{watched.left} processes of it still run"
        )  # fmt: skip
        _say_folded(f"warning: {which}: what is done from now on is not recorded")


def _free(path: str) -> str | None:
    """The name, or one like it that nothing has yet."""
    stem, ending = os.path.splitext(path)
    names = (path, *(f"{stem}.run-{number}{ending}" for number in range(1, _MOST_NAMES)))
    return next((name for name in names if not os.path.lexists(name)), None)


def _nobody_reads() -> suppress:
    """What to say things in: a standard error that nobody reads any more changes no status."""
    return suppress(BrokenPipeError)


def _say(text: str) -> None:
    with _nobody_reads():
        say(clean(text))


def _say_folded(text: str) -> None:
    from envsnap.cli._terminal import columns, folded

    _say(folded(clean(text), columns(sys.stderr)))


def _warn(why: str, hint: str | None) -> None:
    _say_folded(f"warning: the run was not recorded: {why}")
    if hint:
        _say(f"hint: {hint}")


def _warn_of_a_fault(error: Exception) -> None:
    if os.environ.get("ENVSNAP_DEBUG"):
        import traceback

        _say("".join(traceback.format_exception(error)))
    _warn(f"a fault of envsnap itself: {type(error).__name__}: {error}", None)
