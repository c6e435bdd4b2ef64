"""Filling a wheelhouse from the command line: what will be done, how far it is, what came of it."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from envsnap._units import size_words
from envsnap.cli._terminal import Progress, clean, columns, folded, say
from envsnap.errors import ExitCode, FileError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from envsnap.lock import LockOptions
    from envsnap.manifest import Manifest
    from envsnap.sections import Unlocked
    from envsnap.wheelhouse._fill import Filled
    from envsnap.wheelhouse._prepare import Prepared
    from envsnap.wheelhouse._store import Stored, Wheelhouse

_SHOWN = 10
_NOT_CAPTURED = "not what was captured: "


class Filling(NamedTuple):
    """What a filled wheelhouse means for the rest of the command."""

    manifest: Manifest
    """Its lock names the files of the wheelhouse."""
    paths: Mapping[str, str]
    """The files by their SHA-256, as paths."""
    code: ExitCode


def add_wheelhouse_options(parser: argparse.ArgumentParser) -> None:
    """The options that fill a wheelhouse."""
    group = parser.add_argument_group("wheelhouse")
    group.add_argument(
        "--wheelhouse",
        metavar="DIR",
        help="put every package into this folder as a file: fetched, built or made again",
    )
    group.add_argument(
        "--python",
        metavar="EXE",
        help="the captured environment, if it is here (default: as capture chooses)",
    )
    group.add_argument(
        "--allow-host",
        metavar="HOST",
        type=host_name,
        action="append",
        default=[],
        help="fetch from this host too: it is not in your own settings",
    )
    group.add_argument(
        "--allow-build",
        metavar="NAME",
        action="append",
        default=[],
        help="build this package from its source, which runs its code",
    )
    group.add_argument(
        "--offline",
        action="store_true",
        help="ask nobody over the network: lock to the files that are in --wheelhouse",
    )


def host_name(said: str) -> str:
    """A host as --allow-host takes it: its name alone, in lower case.

    Raises:
        UsageError: It is an address, has a port, or is no name.
    """
    from envsnap.lock._trust import is_host

    host = said.strip().lower().removesuffix(".")
    if not is_host(host):
        raise UsageError(
            f"--allow-host takes the name of a host alone, not {clean(said[:80])!r}",
            hint="Write it without https://, port and path: --allow-host files.example",
        )
    return host


def fill_aloud(
    manifest: Manifest, args: argparse.Namespace, options: LockOptions, *, is_offline: bool = False
) -> Filling:
    """The wheelhouse that was asked for, filled; who is asked for how much is said before.

    Raises:
        ToolError: The index cannot be asked, or a host is neither the user's own nor allowed.
        FileError: The folder cannot be written.
    """
    if args.wheelhouse is None:
        return Filling(manifest, {}, ExitCode.OK)
    from envsnap.manifest import canonical_name
    from envsnap.wheelhouse._fill import carry_out
    from envsnap.wheelhouse._prepare import FillOptions, prepare

    asked = FillOptions(
        lock=options,
        python=args.python,
        allow_host=frozenset(args.allow_host),
        allow_build=frozenset(map(canonical_name, args.allow_build)),
        offline=is_offline,
    )
    with Progress("Looking for the files ...", quiet=args.quiet):
        prepared = prepare(manifest, args.wheelhouse, asked)
    say_all(plan_lines(prepared), quiet=args.quiet)
    others = _of_another(args.wheelhouse, prepared.lock.environment)
    with Progress("Filling the wheelhouse ...", quiet=args.quiet) as progress:
        filled = carry_out(prepared, progress.update)
    say_all(_lines(filled), quiet=args.quiet)
    say_all(_dropped_lines(others, filled.wheelhouse), quiet=False)
    _keep_tools_aloud(filled.manifest, args, options, is_offline=is_offline)
    say_all(lost_lines(filled.failed), quiet=args.quiet and not filled.failed)
    say_all(differing_lines(filled.differing), quiet=False)
    paths = {
        each.sha256: os.path.join(args.wheelhouse, each.filename)
        for each in filled.wheelhouse.files
    }
    is_short = bool(filled.failed or filled.differing)
    return Filling(filled.manifest, paths, ExitCode.NO if is_short else ExitCode.OK)


def _of_another(folder: str, environment: str) -> tuple[Stored, ...]:
    """The files that a folder's list names for another environment."""
    from envsnap.wheelhouse._store import open_wheelhouse

    try:
        found = open_wheelhouse(folder)
    except FileError:
        return ()
    return found.files if found.environment != environment else ()


def _dropped_lines(others: Sequence[Stored], now: Wheelhouse) -> list[str]:
    """What the list no longer names, for it is one environment's, though the file lies there."""
    kept = {each.filename for each in now.files}
    dropped = [each.filename for each in others if each.filename not in kept]
    if not dropped:
        return []
    shown = ", ".join(dropped[:_SHOWN]) + (" ..." if len(dropped) > _SHOWN else "")
    return [
        (f"warning: {now.folder} was another environment's: its list no longer names {shown}, and "
        "each environment needs a wheelhouse of its own. To list them again: envsnap lock "
        f"OTHER_MANIFEST --offline --wheelhouse {now.folder}")
    ]  # fmt: skip


def _keep_tools_aloud(
    manifest: Manifest, args: argparse.Namespace, options: LockOptions, *, is_offline: bool
) -> None:
    """What an image without a network installs with, kept too; who is asked for it is said."""
    from envsnap._installers import By
    from envsnap._lock import image_of, keep_tools, tool_hosts

    planned = image_of(manifest)
    if planned is None:
        return
    asked = () if is_offline else tool_hosts(planned, args.wheelhouse)
    if asked:
        say_all([f"Fetches Python {planned.python} from: {', '.join(asked)}"], quiet=args.quiet)
    with Progress("Fetching what an image installs with ...", quiet=args.quiet) as progress:
        by = By(options, frozenset(args.allow_host), args.wheelhouse, progress.update)
        tools = keep_tools(planned, manifest, by, offline=is_offline)
    if tools.files:
        told = f"For images without a network it has {', '.join(tools.files)}, too"
        say_all([told], quiet=args.quiet)
    say_all(
        [f"  no image is built from it without a network: {each}" for each in tools.lacking],
        quiet=args.quiet,
    )


def say_all(lines: Sequence[str], *, quiet: bool) -> None:
    for line in lines:
        say(folded(clean(line), columns(sys.stderr)), quiet=quiet)


def plan_lines(prepared: Prepared) -> list[str]:
    """What will be fetched from where, and how much; and what has to be made."""
    from envsnap.wheelhouse._member import listed

    fetched = prepared.to_fetch
    unknown = sum(job.source is not None and job.source.size is None for job in fetched)
    there = sum(job.is_there for job in prepared.jobs)
    others = [job for job in prepared.jobs if job.source is None and not job.is_there]
    made = [job.name for job in others if job.here is not None]
    nowhere = [job.name for job in others if job.here is None]
    found = []
    if prepared.hosts:
        found.append("Fetches from: " + ", ".join(f"{host} ({n})" for host, n in prepared.hosts))
    sizes = [size_words(prepared.known_bytes)] if unknown < len(fetched) else []
    sizes += [f"{unknown} of unknown size"] if unknown else []
    size = f" ({' and '.join(sizes)})" if sizes else ""
    found.append(f"{len(fetched)} files to fetch{size}; {there} are there already")
    if made:
        found.append(f"{len(made)} to make or build from what is installed: {listed(made, _SHOWN)}")
    if nowhere:
        found.append(f"{len(nowhere)} {_nowhere(prepared)}: {listed(nowhere, _SHOWN)}")
    return found


def _nowhere(prepared: Prepared) -> str:
    """Why a package has no file yet, and is not made."""
    where = "in the wheelhouse" if prepared.options.offline else "on no index"
    return f"{'not ' if prepared.options.offline else ''}{where} and not installed here"


def _lines(filled: Filled) -> list[str]:
    """What the wheelhouse has now, what is to be known of it, and what it lacks."""
    files = filled.wheelhouse.files
    words = {
        "index": "from the index", "address": "from their recorded addresses",
        "built": "built from their source", "made": "made again from the installed files",
        "conda": "conda archives",
    }  # fmt: skip
    counts = [(sum(each.how == how for each in files), text) for how, text in words.items()]
    parts = ", ".join(f"{count} {text}" for count, text in counts if count)
    size = size_words(sum(each.size for each in files))
    found = [f"{filled.wheelhouse.folder} has {len(files)} files, {size}{parts and ': '}{parts}"]
    noted = _noted(files)
    found += [f"  {name}: {notes}" for name, notes in noted[:_SHOWN]]
    hidden = len(noted) - _SHOWN
    if hidden > 0:
        found.append(f"  and {hidden} more with notes, in wheelhouse.json")
    return found


def lost_lines(lost: Sequence[Unlocked]) -> list[str]:
    """What could not be had, and what can be done."""
    shown = [f"  {each.name} {each.version}: {each.why}" for each in lost[:_SHOWN]]
    hidden = [each.name for each in lost[_SHOWN:]]
    rest = [f"  and {', '.join(hidden)}"] if hidden else []
    return [f"Packages lost: {len(lost)}", *shown, *rest]


def differing_lines(differing: Sequence[Stored]) -> list[str]:
    """What is in the wheelhouse, and is not what was captured."""
    lines = []
    for each in differing:
        notes = [note for note in each.notes if note.startswith(_NOT_CAPTURED)]
        lines.append(f"  {each.name} {each.version}: {'; '.join(notes)}")
    return [f"Packages that are not as captured: {len(lines)}", *lines] if lines else []


def _noted(files: Sequence[Stored]) -> list[tuple[str, str]]:
    """The files that differ from what one may expect, and how; why none was fetched was said."""
    found = []
    for each in files:
        said_elsewhere = ("not fetched: ", _NOT_CAPTURED)
        notes = [note for note in each.notes if not note.startswith(said_elsewhere)]
        found += [(each.filename, "; ".join(notes))] if notes else []
    return found
