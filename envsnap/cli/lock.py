"""envsnap lock: find the URL and hash of every package."""

from __future__ import annotations

import os
import sys

from envsnap.cli._lock_files import add_file_options, asked_files, refuse_names, write_files
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, add_common, clean, columns, folded, say
from envsnap.cli._wheelhouse import add_wheelhouse_options, fill_aloud
from envsnap.errors import ExitCode
from envsnap.lock import LOCKERS, Indexes, LockOptions, hosts
from envsnap.lock._trust import host_counts
from envsnap.manifest import Manifest, find, save
from envsnap.sections import Artifact, Unknown, Unlocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_SHOWN = 10
EPILOG = """examples:
  envsnap lock                      lock the manifest here, in place
  envsnap lock paper.json -o -      another one, to standard output
  envsnap lock --extra-index-url https://download.pytorch.org/whl/cu121
  envsnap lock --pylock --requirements     and pylock.toml and requirements.txt beside it
  envsnap lock --wheelhouse wheels         and every package as a file in that folder

uv does the asking, with its own settings or pip's. Addresses are written without credentials.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of lock."""
    add = parser.add_argument
    add("manifest", metavar="MANIFEST", nargs="?", help="the file (default: the nearest upward)")
    add("-o", "--output", metavar="PATH", help="write here (default: back into MANIFEST)")
    add_index_options(parser)
    add_wheelhouse_options(parser)
    add_file_options(parser)
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


def run(args: argparse.Namespace) -> ExitCode:
    """Lock, write the manifest back and the other files asked for, and say what is not in them."""
    refuse_names(args)
    path = args.manifest or find()
    output = args.output or path
    files = asked_files(args, output)  # a file that may not be replaced is said before it is asked
    options = lock_options(args)
    manifest = load_and_lock(path, options, quiet=args.quiet)
    if args.wheelhouse is not None and output != "-":
        save(manifest, output)  # a wheelhouse takes its time, and the lock is worth keeping
    filled = fill_aloud(manifest, args, options)
    save(filled.manifest, output)
    if output != "-":
        say(f"Wrote {clean(output)}", quiet=args.quiet)
    write_files(filled.manifest, files, filled.paths, quiet=args.quiet)
    return filled.code


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
    """What became of every package: what is not the installed file, or has none, by its name."""
    lock = manifest.lock
    if lock is None:
        return []
    count, exact = len(lock.artifacts), [each for each in lock.artifacts if _is_exact(each)]
    found = [
        f"Locked {count} of {count + len(lock.unlocked)} packages by {clean(lock.locker)}",
        f"  {len(exact)} of {count} are the very files that were installed, each with its SHA-256",
    ]
    if lock.conda:
        found.append(f"  {len(lock.conda)} conda packages, each with its hash")
    found += _doubts(lock.artifacts)
    hidden = [each for each in lock.artifacts if each.url is None]
    if hidden:
        why = "without an address, as in a folder of this machine or behind a token"
        found.append(f"  {len(hidden)} {why}: {_names(hidden)}")
    addresses = [*(each.url for each in lock.artifacts), *(each.url for each in lock.conda)]
    counts = host_counts(addresses)
    if counts:
        found.append(f"  files on {', '.join(f'{clean(host)} ({each})' for host, each in counts)}")
    for each in lock.unlocked[:_SHOWN]:
        found.append(f"  not locked: {clean(each.name)} {clean(each.version)}: {clean(each.why)}")
        if each.candidates:
            found.append(f"    nearest: {clean(', '.join(each.candidates))}")
    if len(lock.unlocked) > _SHOWN:
        found.append(f"  and {len(lock.unlocked) - _SHOWN} more: {_names(lock.unlocked[_SHOWN:])}")
    return found


def _doubts(artifacts: Sequence[Artifact]) -> list[str]:
    """One line for each reason to doubt that a file is the installed one, with the names."""
    reasons: dict[str, list[Artifact]] = {}
    for each in artifacts:
        if isinstance(each.is_installed, Unknown):
            reasons.setdefault(each.is_installed.detail or "nothing proves it", []).append(each)
        elif not each.is_installed:
            reasons.setdefault("another file than the installed one", []).append(each)
    return [
        f"  {len(those)} not proved: {clean(why)}: {_names(those)}"
        for why, those in reasons.items()
    ]


def _is_exact(artifact: Artifact) -> bool:
    return artifact.is_installed is True


def _names(those: Sequence[Artifact | Unlocked]) -> str:
    return clean(", ".join(f"{each.name} {each.version}" for each in those))
