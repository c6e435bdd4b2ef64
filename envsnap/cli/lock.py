"""envsnap lock: find the URL and hash of every package."""

from __future__ import annotations

import os
import sys

from envsnap._typing import NamedTuple
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, add_common, clean, columns, folded, say
from envsnap.errors import ExitCode
from envsnap.lock import LockOptions, hosts
from envsnap.lock._hosts import Indexes
from envsnap.lock._lock import LOCKERS
from envsnap.manifest import Manifest, find, save

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_SHOWN = 10
EPILOG = """examples:
  envsnap lock                      lock the manifest here, in place
  envsnap lock paper.json -o -      another one, to standard output
  envsnap lock --extra-index-url https://download.pytorch.org/whl/cu121

uv does the asking, with its own settings or pip's. Addresses are written without credentials.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of lock."""
    add = parser.add_argument
    add("manifest", metavar="MANIFEST", nargs="?", help="the file (default: the nearest upward)")
    add("-o", "--output", metavar="PATH", help="write here (default: back into MANIFEST)")
    add_index_options(parser)
    add_common(parser)


def add_index_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which index is asked, and by whom."""
    group = parser.add_argument_group("which index")
    group.add_argument("--locker", choices=LOCKERS, default="uv", help="ask with this program")
    group.add_argument("--index-url", metavar="URL", help="ask this index instead of the default")
    group.add_argument(
        "--extra-index-url",
        metavar="URL",
        action="append",
        default=[],
        help="ask this index too, first",
    )
    group.add_argument(
        "--find-links",
        metavar="URL",
        action="append",
        default=[],
        help="look at this page or folder too",
    )


def lock_options(args: argparse.Namespace) -> LockOptions:
    """The options as typed values."""
    return LockOptions(
        locker=args.locker,
        indexes=Indexes(
            default=args.index_url,
            extra=tuple(args.extra_index_url),
            find_links=tuple(args.find_links),
        ),
    )


class _Asked(NamedTuple):
    """What the command line asked for."""

    manifest: str
    output: str
    options: LockOptions
    quiet: bool


def run(args: argparse.Namespace) -> ExitCode:
    """Lock, write the manifest back, and say what could not be locked."""
    path = args.manifest or find()
    asked = _Asked(path, args.output or path, lock_options(args), args.quiet)
    manifest = load_and_lock(asked.manifest, asked.options, quiet=asked.quiet)
    save(manifest, asked.output)
    if asked.output != "-":
        say(f"Wrote {clean(asked.output)}", quiet=asked.quiet)
    return ExitCode.OK


def load_and_lock(path: str, options: LockOptions, *, quiet: bool) -> Manifest:
    """The manifest of a file, locked anew; who is asked is said before, the outcome after."""
    return lock_aloud(load(path), options, quiet=quiet)


def lock_aloud(manifest: Manifest, options: LockOptions, *, quiet: bool) -> Manifest:
    """The manifest locked anew; who is asked is said before, the outcome after."""
    from envsnap._lock import lock

    asked = hosts(options.indexes, os.environ, locker=options.locker)
    talks_to(asked, quiet=quiet)
    with Progress("Asking the package index ...", quiet=quiet):
        found = lock(manifest, options)
    for line in _lines(found):
        say(folded(line, columns(sys.stderr)), quiet=quiet)
    return found


def talks_to(names: Sequence[str], *, quiet: bool) -> None:
    """Say who is asked over the network, before it is."""
    if names:
        listed = clean(", ".join(names))
        say(folded(f"Talks to: {listed}", columns(sys.stderr)), quiet=quiet)


def _lines(manifest: Manifest) -> list[str]:
    lock = manifest.lock
    if lock is None:
        return []
    exact = sum(each.is_installed is True for each in lock.artifacts)
    count = len(lock.artifacts)
    found = [
        (
            f"Locked {count} of {count + len(lock.unlocked)} packages by {clean(lock.locker)}: "
            "URL and SHA-256 of each"
        ),
        f"  {exact} of {count} are the very files that were installed",
    ]
    found += [
        f"  not locked: {clean(each.name)} {clean(each.version)}: {clean(each.why)}"
        for each in lock.unlocked[:_SHOWN]
    ]
    if len(lock.unlocked) > _SHOWN:
        found.append(f"  and {len(lock.unlocked) - _SHOWN} more")
    return found
