"""envsnap capture: record this environment and machine."""

from __future__ import annotations

import os
import sys
import time

from envsnap._typing import NamedTuple
from envsnap._units import size_words
from envsnap.cli._placeholders import filled
from envsnap.cli._terminal import (
    Progress,
    Style,
    add_common,
    add_deep,
    add_naming,
    add_output,
    clean,
    columns,
    folded,
    hashing,
    say,
)
from envsnap.errors import ExitCode, FileError, ToolError, UsageError
from envsnap.manifest import Manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from contextlib import ExitStack

    from envsnap.host import Host
    from envsnap.probes import Options

EPILOG = """examples:
  envsnap capture                          the environment you work in, to envsnap.lock.json
  envsnap capture --python .venv -o -      a named one, to standard output
  envsnap capture -o 'runs/{node}.json'    one file for each node of a cluster
  envsnap capture --host-only -o host.json  the machine alone

Nothing is sent anywhere. The file leaves out host name, user name and serial numbers;
--anonymous also leaves out what names a project or a site.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of capture."""
    add_output(parser, "- is standard output; ")
    _add_what(parser.add_argument_group("what to capture"))
    _add_where(parser.add_argument_group("where to look"))
    add_common(parser)


def _add_what(what: argparse._ArgumentGroup) -> None:
    what.add_argument(
        "--python", metavar="EXE", help="capture this interpreter or environment folder"
    )
    what.add_argument("--only", metavar="S,S", help="capture these sections only")
    what.add_argument("--skip", metavar="S,S", help="leave these sections out")
    what.add_argument(
        "--host-only", action="store_true", help="capture the machine, no environment"
    )
    what.add_argument(
        "--no-digests", action="store_true", help="leave out the packages' content digests"
    )
    add_deep(what)
    what.add_argument("--verify", action="store_true", help="hash every installed file, too")
    add_naming(what)


def _add_where(where: argparse._ArgumentGroup) -> None:
    where.add_argument(
        "--root", metavar="DIR", help="capture a system's folder, starting nothing of it"
    )
    where.add_argument(
        "--image", metavar="IMAGE", help="capture inside docker-daemon:NAME or FILE.sif"
    )
    where.add_argument(
        "--from", metavar="RECORDING", dest="recording", help="capture from a recording"
    )
    where.add_argument(
        "--record", metavar="DIR|FILE.tar",
        help="also record every question and answer; over other files with --force alone",
    )  # fmt: skip


class Asked(NamedTuple):
    """What the command line asked for."""

    output: str
    force: bool
    sections: frozenset[str] | None
    options: Options
    anonymous: bool
    root: str | None
    image: str | None
    recording: str | None
    record: str | None
    quiet: bool
    color: str


def run(args: argparse.Namespace) -> ExitCode:
    """Capture, write the manifest, and say what is in it."""
    asked = asked_for(args)
    looked = look(asked)
    _refuse_without_environment(looked.manifest)
    keep(asked, looked)
    return ExitCode.OK


class Looked(NamedTuple):
    """A capture that is not written yet."""

    manifest: Manifest
    started: float
    """On the clock of `time.perf_counter`."""
    costs: tuple[tuple[str, float], ...]
    """What each section of --deep took, in seconds."""


def look(asked: Asked) -> Looked:
    """Capture what was asked for."""
    from contextlib import ExitStack

    started = time.perf_counter()
    read = "this machine and its libraries" if asked.options.deep else "this machine"
    costs: list[tuple[str, float]] = []
    with ExitStack() as stack, Progress(f"Reading {read} ...", quiet=asked.quiet) as line:
        timed = asked.options._replace(
            listen=hashing(line), timed=lambda name, seconds: costs.append((name, seconds))
        )
        asked = asked._replace(options=timed)
        host = _host(asked, stack)
        manifest = _captured(asked, host)
    return Looked(manifest, started, tuple(costs))


def keep(asked: Asked, looked: Looked) -> None:
    """Write the manifest, and say what is in it.

    Raises:
        FileError: What is at its place already would be lost.
    """
    manifest, started, costs = looked
    path = filled(asked.output, manifest)
    before = manifest_at(path)
    if before is not None:
        manifest = continued(manifest, before, path, anonymous=asked.anonymous, force=asked.force)
    size = write(manifest, path, before)
    _tell(asked, _Done(manifest, before, path, size, time.perf_counter() - started, costs))


def asked_for(args: argparse.Namespace) -> Asked:
    """The command line's words as values."""
    from envsnap._capture import own_environment
    from envsnap.probes import Options

    if sum(each is not None for each in (args.root, args.image, args.recording)) > 1:
        raise UsageError(
            "--root, --image and --from are three different places to look", hint="Give one"
        )
    if args.anonymous and args.identify:
        raise UsageError("--anonymous and --identify contradict each other", hint="Give one")
    if args.verify and (args.no_digests or args.image is not None or args.recording is not None):
        raise UsageError(
            "--verify hashes installed files: not with --no-digests, --image or --from",
            hint="Leave it out, or capture where the files are",
        )
    if args.deep and args.host_only:
        raise UsageError(
            "--deep reads the environment's libraries, --host-only leaves the environment out",
            hint="Give one",
        )
    options = Options(
        python=args.python, ours=own_environment(), host_only=args.host_only,
        identify=args.identify, digests=not args.no_digests, verify=args.verify, deep=args.deep,
    )  # fmt: skip
    return Asked(
        output=args.output, force=args.force, sections=_sections(args.only, args.skip),
        options=options,
        anonymous=args.anonymous, root=args.root, image=args.image, recording=args.recording,
        record=args.record, quiet=args.quiet, color=args.color,
    )  # fmt: skip


def _sections(only: str | None, skip: str | None) -> frozenset[str] | None:
    from envsnap.sections import SECTIONS

    if only is None and skip is None:
        return None
    chosen = _names(only, "--only") if only is not None else frozenset(SECTIONS)
    return chosen - (_names(skip, "--skip") if skip is not None else frozenset())


def _names(text: str, option: str) -> frozenset[str]:
    from envsnap.sections import SECTIONS

    names = frozenset(filter(None, (part.strip() for part in text.split(","))))
    unknown = sorted(names - SECTIONS.keys())
    if unknown or not names:
        raise UsageError(
            f"{option} names no section: {', '.join(unknown) or 'nothing'}",
            hint=f"The sections are: {', '.join(SECTIONS)}",
        )
    return names


def _host(asked: Asked, stack: ExitStack) -> Host:
    """The machine to look at, as it was asked for."""
    from envsnap import host

    if asked.root is not None:
        return host.TreeHost(asked.root)
    if asked.image is not None:
        return stack.enter_context(host.image_host(asked.image))
    if asked.recording is not None:
        return host.RecordedHost.from_path(asked.recording)
    return host.LocalHost()


def _captured(asked: Asked, host: Host) -> Manifest:
    from envsnap._capture import capture

    if asked.record is None:
        manifest = capture(host, asked.options, sections=asked.sections)
    else:
        from envsnap.cli._replaced import refuse_recording_over
        from envsnap.host import RecordingHost

        if not asked.force:
            refuse_recording_over(asked.record)
        recording = RecordingHost(host)
        manifest = capture(recording, asked.options, sections=asked.sections)
        say(clean(recording.save(asked.record)), quiet=asked.quiet)
    if asked.anonymous:
        from envsnap.manifest import anonymous

        return anonymous(manifest)
    return manifest


def _refuse_without_environment(manifest: Manifest) -> None:
    """Refuse a capture whose environment was chosen and did not answer.

    Raises:
        ToolError: Its interpreter hangs, crashes or may not be started.
    """
    from envsnap.sections import Python, Reason, Unknown

    python = manifest.section(Python)
    silent = {
        Reason.TIMED_OUT, Reason.CRASHED, Reason.UNPARSABLE, Reason.NO_PERMISSION,
        Reason.NOT_SUPPORTED,
    }  # fmt: skip
    if isinstance(python, Unknown) and python.reason in silent:
        raise ToolError(
            f"The environment's Python did not answer: {python}",
            hint="Name another with --python, or capture the machine alone with --host-only",
        )


def manifest_at(path: str) -> Manifest | None:
    """The manifest that is at the output's place already, if one is."""
    if path == "-" or not os.path.isfile(path):
        return None
    from envsnap.cli._replaced import existing

    return existing(path)


def continued(
    manifest: Manifest, before: Manifest, path: str, *, anonymous: bool, force: bool
) -> Manifest:
    """The new capture, with what the old file said beside the facts.

    Raises:
        FileError: The old file says what the new one would not.
    """
    from envsnap.cli._replaced import why_not_over
    from envsnap.manifest import environment_id
    from envsnap.reports._lines import path_word
    from envsnap.sections import replace

    why_not = why_not_over(manifest, before, anonymous=anonymous)
    if why_not and not force:
        what, first = why_not
        hint = f"{first}; write elsewhere with -o; or give --force"
        raise FileError(f"{path} {what}", hint=hint.replace("PATH", path_word(path), 1))
    if anonymous and not before.captured.anonymous:
        return manifest  # a lock's addresses, and what is required, may name the author
    same = environment_id(manifest) == environment_id(before)
    return replace(manifest, requires=before.requires, lock=before.lock if same else None)


def write(manifest: Manifest, path: str, before: Manifest | None) -> int:
    """Write the file, unless it says the same already; its size, or 0 if nothing was written."""
    from envsnap.manifest import save

    if before is None:
        return save(manifest, path)
    from envsnap.cli._replaced import is_same

    if not before.edited and is_same(manifest, before):
        beside = ("lock", "requires", "extras")
        if all(getattr(manifest, key) == getattr(before, key) for key in beside):
            return 0
    return save(manifest, path)


class _Done(NamedTuple):
    """A capture that was written."""

    manifest: Manifest
    before: Manifest | None
    path: str
    size: int
    """Bytes written; 0 where the file said the same already."""
    seconds: float
    costs: tuple[tuple[str, float], ...]
    """What each deep section took, in seconds, in the order of the capture."""


def _tell(asked: Asked, done: _Done) -> None:
    """Say what was captured, to standard error: standard output is for `-o -`."""
    manifest, before, path, size, seconds, costs = done
    if path == "-":
        wrote = "Wrote the manifest to standard output"
    elif size:
        wrote = f"Wrote {path}    {size_words(size)} in {seconds:.1f} s, nothing was sent anywhere"
    else:
        wrote = f"Unchanged: {path} says the same already, not a byte was written"
    if asked.quiet:
        if path != "-":
            say(clean(wrote))
        return
    from envsnap.reports import summary

    style, width = Style(sys.stderr, asked.color), columns(sys.stderr)
    text = [*summary.reading(manifest), "", *summary.summary(manifest, width), ""]
    text += _health_lines(manifest, width)
    if before is not None and size:
        text += [*summary.changes(before, manifest, width), ""]
    mending = [folded(clean(line), width) for line in summary.mending(manifest, width)]
    say(folded("\n".join(map(clean, text)), width))
    if mending:
        say("\n".join([style.bold(mending[0]), *mending[1:], ""]))
    identity = folded(summary.identity(manifest), width)
    if costs:
        say(folded(f"Deep     {_costs(costs)}\n", width))
    end = [identity, "", *summary.paper(manifest, width), "", *summary.steps(manifest, path, width)]
    say("\n".join([style.bold(folded(clean(wrote), width)), *map(clean, end)]))


def _health_lines(manifest: Manifest, width: int) -> list[str]:
    from envsnap.reports.health import health_lines
    from envsnap.rules import health

    return [*health_lines(health(manifest), width), ""]


def _costs(costs: tuple[tuple[str, float], ...]) -> str:
    """What each deep part took."""
    return ", ".join(f"{name.replace('_', ' ')} {seconds:.2f} s" for name, seconds in costs)
