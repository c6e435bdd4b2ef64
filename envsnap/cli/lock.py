"""envsnap lock: find the URL and hash of every package."""

from __future__ import annotations

import os
import shlex
import sys

from envsnap.cli._lock_files import add_file_options, asked_files, refuse_names, write_files
from envsnap.cli._lock_output import refuse_output, write_locked
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, add_common, clean, columns, folded, say
from envsnap.cli._wheelhouse import add_wheelhouse_options, fill_aloud
from envsnap.errors import ExitCode, FileError, ToolError, UsageError
from envsnap.lock import LOCKERS, Indexes, LockOptions, hosts
from envsnap.lock._proof import is_proved
from envsnap.lock._trust import host_counts
from envsnap.manifest import Manifest, canonical_name, find
from envsnap.sections import MADE_HERE, NOT_VERIFIED, Artifact, Package, Packages, Unknown, Unlocked

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
  envsnap lock --wheelhouse wheels --offline    to the files of that folder, asking nobody

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
    _refuse_idle(args)
    path = args.manifest or find()
    output = args.output or path
    if output.lower().endswith(".zip"):
        raise UsageError(
            f"A pack is not locked in place: {clean(output)}",
            hint=f"Say where the manifest goes: envsnap lock {clean(path)} -o envsnap.lock.json",
        )
    files = asked_files(args, output)  # a file that may not be replaced is said before it is asked
    options = lock_options(args)
    is_filled = args.wheelhouse is not None
    before = load(path)
    refuse_output(before, path, output, force=args.force)
    manifest, is_offline = _locked(before, args, options)
    if output == path:
        _refuse_lesser(before, manifest, args)
    if is_filled and output != "-":
        # a wheelhouse takes its time, and the lock is worth keeping
        write_locked(manifest, path, output, force=args.force)
    filled = fill_aloud(manifest, args, options, is_offline=is_offline)
    write_locked(filled.manifest, path, output, force=args.force)
    if output != "-":
        say(f"Wrote {clean(output)}", quiet=args.quiet)
    write_files(filled.manifest, files, filled.paths, quiet=args.quiet)
    return filled.code


def _refuse_lesser(before: Manifest, found: Manifest, args: argparse.Namespace) -> None:
    """Refuse to put a lock in the place of one that names more: its addresses cannot be had back.

    Raises:
        FileError: A wheelhouse has fewer packages than the manifest's own lock.
    """
    if not (args.offline and before.lock is not None and found.lock is not None):
        return
    if before.lock.environment != found.lock.environment:
        return
    names = [{each.name for each in lock.artifacts} for lock in (before.lock, found.lock)]
    lacking = sorted(names[0] - names[1])
    if lacking:
        folder = shlex.quote(args.wheelhouse)
        raise FileError(
            f"{args.wheelhouse} lacks {len(lacking)} of the {len(names[0])} packages that the lock "
            f"here names: {', '.join(lacking[:_SHOWN])}",
            hint="Write the lesser lock elsewhere: envsnap lock MANIFEST --offline --wheelhouse "
            f"{folder} -o PATH",
        )


def _refuse_idle(args: argparse.Namespace) -> None:
    if args.wheelhouse is not None and not args.wheelhouse.strip():
        raise UsageError("--wheelhouse names no folder", hint="Name one: --wheelhouse DIR")
    if args.offline and args.wheelhouse is None:
        raise UsageError(
            "--offline locks to the files of a wheelhouse, and none is named",
            hint="Name one: envsnap lock --offline --wheelhouse DIR",
        )
    if args.offline and not os.path.isdir(args.wheelhouse):
        raise FileError(
            f"There is no folder {args.wheelhouse}",
            hint="Name the one that has the files, or make one for those of the environment here",
        )
    if args.offline and args.allow_build:
        raise UsageError(
            "--allow-build builds with what is fetched, and --offline fetches nothing",
            hint="Leave one of them out",
        )


def _locked(
    manifest: Manifest, args: argparse.Namespace, options: LockOptions
) -> tuple[Manifest, bool]:
    """The manifest with its lock, and whether nobody is to be asked for what comes next.

    Where no index answers, a wheelhouse that has everything serves.
    """
    from envsnap._lock import locked_whole

    if args.offline:
        return lock_offline_aloud(manifest, args.wheelhouse, quiet=args.quiet), True
    is_filled = args.wheelhouse is not None
    try:
        return lock_aloud(manifest, options, quiet=args.quiet, is_filled=is_filled), False
    except ToolError as error:
        found = locked_whole(manifest, args.wheelhouse) if is_filled else None
        if found is None:
            raise
        say(folded(clean(f"warning: {error.message}"), columns(sys.stderr)))
        _tell_offline(found, args.wheelhouse, quiet=args.quiet)
        return found, True


def lock_offline_aloud(
    manifest: Manifest, wheelhouse: str, *, quiet: bool, is_listed: bool = False
) -> Manifest:
    """The manifest locked to the files of a folder; nobody is asked, and the outcome is said."""
    from envsnap._lock import lock_offline

    with Progress("Reading the wheelhouse ...", quiet=quiet):
        found = lock_offline(manifest, wheelhouse, listed=is_listed)
    _tell_offline(found, wheelhouse, quiet=quiet)
    return found


def _tell_offline(manifest: Manifest, wheelhouse: str, *, quiet: bool) -> None:
    """How many packages a folder has, how many of them are proved, and what nothing proves."""
    lock = manifest.lock
    if lock is None:
        return
    count = len(lock.artifacts)
    whole = f"{count} of {count + len(lock.unlocked)} packages"
    proved = sum(each.is_installed is True for each in lock.artifacts)
    lines = [f"Locked {whole} to the files in {clean(wheelhouse)}; nobody was asked"]
    lines += [f"  {proved} proved to be what is installed, by content"] if proved else []
    lines += _doubts([each for each in lock.artifacts if each.is_installed is not True])
    lines += [f"  {len(lock.conda)} conda packages, each with its hash"] if lock.conda else []
    lines += [f"  {len(lock.unlocked)} have no file yet"] if lock.unlocked else []
    for line in lines:
        say(folded(line, columns(sys.stderr)), quiet=quiet)


def lock_aloud(
    manifest: Manifest, options: LockOptions, *, quiet: bool, is_filled: bool = False
) -> Manifest:
    """The manifest locked anew; who is asked is said before, the outcome after.

    Where a wheelhouse is filled next, what has no file yet is only counted.
    """
    from envsnap._lock import lock

    asked = hosts(options.indexes, os.environ, locker=options.locker)
    talks_to(asked, quiet=quiet)
    with Progress("Asking the package index ...", quiet=quiet):
        found = lock(manifest, options)
    for line in [*_lines(found), *_without_file(found, is_filled=is_filled)]:
        say(folded(line, columns(sys.stderr)), quiet=quiet)
    return found


def talks_to(names: Sequence[str], *, quiet: bool) -> None:
    """Say who is asked over the network, before it is."""
    if names:
        listed = clean(", ".join(names))
        say(folded(f"Talks to: {listed}", columns(sys.stderr)), quiet=quiet)


def _lines(manifest: Manifest) -> list[str]:
    """What is known of the files: how each was found, and what nothing proves, by its name."""
    lock = manifest.lock
    if lock is None:
        return []
    ours = [each for each in lock.artifacts if each.how in MADE_HERE]
    others = [each for each in lock.artifacts if each.how not in MADE_HERE]
    count, active = len(lock.artifacts), _active(manifest)
    proved = {e.name for e in others if e.name in active and is_proved(e, active[e.name])}
    edited = [each for each in others if _was_edited(active.get(each.name))]
    doubted = proved | {each.name for each in edited}
    matched = [each for each in others if each.is_installed is True and each.name not in doubted]
    hidden = [each for each in others if each.url is None]
    whole = f"{count} of {count + len(lock.unlocked)} packages"
    found = [f"Locked {whole} by {clean(lock.locker)}, each with its SHA-256"]
    counted = [
        (len(proved), "proved to be what is installed, by hash or content"),
        (len(matched), "matched by name, version, build and tags, not fetched"),
        (len(edited), f"edited since they were installed, which no index has: {_names(edited)}"),
        (len(ours), f"made or built for a wheelhouse: {_names(ours)}"),
        (len(lock.conda), "conda packages, each with its hash"),
    ]
    found += [f"  {number} {what}" for number, what in counted if number]
    found += _doubts([each for each in others if each.name not in doubted])
    if hidden:
        why = "without an address: in a folder here, on an inner host or behind a token"
        found.append(f"  {len(hidden)} {why}: {_names(hidden)}")
    addresses = [*(each.url for each in lock.artifacts), *(each.url for each in lock.conda)]
    counts = host_counts(addresses)
    if counts:
        found.append(f"  files on {', '.join(f'{clean(host)} ({each})' for host, each in counts)}")
    return found


def _active(manifest: Manifest) -> dict[str, Package]:
    """The packages that import would use, by canonical name."""
    section = manifest.section(Packages)
    installed = section if isinstance(section, Unknown) else section.installed
    known = () if isinstance(installed, Unknown) else installed
    return {canonical_name(each.name): each for each in known if each.active}


def _was_edited(package: Package | None) -> bool:
    """Whether capture --verify found files that are not as the installer wrote them."""
    changes = package.changes if package is not None else NOT_VERIFIED
    return not isinstance(changes, Unknown) and bool(changes.edited or changes.missing)


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


def _without_file(manifest: Manifest, *, is_filled: bool) -> list[str]:
    """One line for each reason why packages have no file, with the names; what comes nearest."""
    unlocked = manifest.lock.unlocked if manifest.lock is not None else ()
    if is_filled:
        return [f"  {len(unlocked)} have no file yet"] if unlocked else []
    reasons: dict[str, list[Unlocked]] = {}
    for each in unlocked:
        reasons.setdefault(each.why, []).append(each)
    found = []
    for why, those in list(reasons.items())[:_SHOWN]:
        found.append(f"  {len(those)} not locked: {clean(why)}: {_names(those)}")
        near = [each for each in those if each.candidates]
        for each in near[:_SHOWN]:
            name = f"{clean(each.name)}: " if len(those) > 1 else ""
            found.append(f"    nearest: {name}{clean(', '.join(each.candidates))}")
        if len(near) > _SHOWN:
            found.append(f"    and of {len(near) - _SHOWN} more, in the manifest")
    rest = [each for those in list(reasons.values())[_SHOWN:] for each in those]
    if rest:
        found.append(f"  {len(rest)} not locked for other reasons: {_names(rest)}")
    return found


def _names(those: Sequence[Artifact | Unlocked]) -> str:
    return clean(", ".join(f"{each.name} {each.version}" for each in those))
