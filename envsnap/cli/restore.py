"""envsnap restore: make a manifest's environment again, and compare it."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from envsnap._restore import (
    Prepared,
    Restored,
    RestoreOptions,
    locked_by,
    prepare,
    restore,
    strangers,
)
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, add_common, clean, columns, folded, payload, say
from envsnap.cli._wheelhouse import host_name
from envsnap.cli.lock import add_index_options, lock_aloud, lock_options, talks_to
from envsnap.errors import ExitCode, ToolError
from envsnap.lock import hosts
from envsnap.lock._trust import host_counts
from envsnap.manifest import Manifest, canonical_name, find
from envsnap.reports._lines import manifest_words, path_word
from envsnap.wheelhouse._gather import with_wheelhouse
from envsnap.wheelhouse._packed import is_pack, wheels_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_SHOWN = 10
DESCRIPTION = """Make a manifest's environment again, natively, every file checked by its hash.

The new environment is captured and compared with the manifest before it is said to be done. That
starts none of its packages: lines of .pth files do not run. Of conda, its own Python is started."""
EPILOG = """examples:
  envsnap restore .venv                              from the manifest here, over the network
  envsnap restore .venv --wheelhouse wheels          what the folder has, without a network
  envsnap restore env --manifest environment.zip     from what envsnap pack wrote

exit codes: 0 all is as captured, 1 something differs (and is named), 5 a tool or the network
failed, 6 a package has no file, 7 DIR is not free; nothing half-made is left behind.

With --force the old environment waits in DIR/.envsnap-old until the new one is made, and comes
back where that fails; after a kill, the next restore of DIR puts it back, or goes on with --force.
--force refuses a DIR that has files of yours beside bin and lib.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of restore."""
    add = parser.add_argument
    add("folder", metavar="DIR", help="make the environment here; the folder is empty or not there")
    add(
        "--manifest", metavar="M",
        help="the file, or a pack (default: the nearest upward; - is standard input)",
    )  # fmt: skip
    add("--wheelhouse", metavar="DIR", help="take files from here first (envsnap lock wrote it)")
    add("--python", metavar="EXE", help="make it from this Python (default: one is looked for)")
    add(
        "--allow-host", metavar="HOST", type=host_name, action="append", default=[],
        help="fetch from this host, too: it is not in your own settings",
    )  # fmt: skip
    add(
        "--allow-build", metavar="NAME", action="append", default=[],
        help="build this package from its source, which runs its code here",
    )  # fmt: skip
    add("--allow-missing", action="store_true", help="leave out packages that have no file")
    add(
        "--force", action="store_true",
        help="make an environment anew that was restored before: all that was added inside its "
        "folders (bin, lib, ...) is removed with it",
    )  # fmt: skip
    add_index_options(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Say what will be done, do it, compare, and answer."""
    manifest = load(args.manifest or find())
    if manifest.edited:
        say(f"warning: {clean(args.manifest or find())} was edited since it was captured")
    options = _options(args)
    named = () if args.wheelhouse is None else (args.wheelhouse,)
    manifest = _told_of_wheelhouses(manifest, named, quiet=args.quiet)
    if manifest.lock is None:
        say("The manifest has no lock yet: locking it first", quiet=args.quiet)
        try:
            manifest = lock_aloud(manifest, options.lock, quiet=args.quiet)
        except ToolError as error:
            raise with_wheelhouse(error) from error
    with _wheels(args) as wheelhouses:
        prepared = prepare(manifest, dataclasses.replace(options, wheelhouses=wheelhouses))
        _tell_before(prepared, quiet=args.quiet)
        with Progress("", quiet=args.quiet) as progress:
            restored = restore(prepared, progress.update)
    code = _tell_after(prepared, restored, quiet=args.quiet)
    if code is ExitCode.NO:
        _tell_next(args)
    return code


def _told_of_wheelhouses(manifest: Manifest, folders: tuple[str, ...], *, quiet: bool) -> Manifest:
    """The manifest, locked by its own wheelhouse where it has no lock; others are said to be so."""
    for folder, other in strangers(manifest, folders):
        text = f"{folder} is of environment {other[:80]}: files are taken from it only by hash"
        say(folded(clean(text), columns(sys.stderr)), quiet=quiet)
    found = locked_by(manifest, folders)
    if found is not manifest:
        text = f"The manifest has no lock: {folders[0]} has every file, and nobody is asked"
        say(folded(clean(text), columns(sys.stderr)), quiet=quiet)
    return found


def _tell_next(args: argparse.Namespace) -> None:
    """How to see all that differs."""
    words = "" if args.manifest in {None, "-"} else manifest_words(args.manifest)
    folder = path_word(args.folder)
    say(f"hint: See all of it: envsnap check{words} --python {folder} --verify", quiet=args.quiet)


@contextmanager
def _wheels(args: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """The folders that files are taken from: the named one, and that of a pack."""
    named = () if args.wheelhouse is None else (args.wheelhouse,)
    if not is_pack(args.manifest or ""):
        yield named
        return
    with wheels_of(args.manifest) as packed:
        yield named if packed is None else (*named, packed)


def _options(args: argparse.Namespace) -> RestoreOptions:
    return RestoreOptions(
        folder=args.folder, python=args.python,
        allow_host=frozenset(args.allow_host),
        allow_build=frozenset(map(canonical_name, args.allow_build)),
        allow_missing=args.allow_missing, force=args.force, lock=lock_options(args),
    )  # fmt: skip


def _tell_before(prepared: Prepared, *, quiet: bool) -> None:
    """The Python, what is put together or left out, and who will be talked to."""
    plan, base = prepared.plan, prepared.base
    lines = []
    if prepared.is_half_made:
        lines.append(f"Removing the half-made environment in {prepared.options.folder}")
    if base is not None and base.version == plan.python.version:
        lines.append(f"Python {base.version}, as captured: {base.executable}")
    elif base is not None:
        lines.append(
            f"Python {base.version} ({base.executable}), for the captured {plan.python.version} is "
            f"not here; to have it: uv python install {plan.python.version}"
        )
    if plan.layers:
        told = ", ".join(f"{count} of {layer}" for layer, count in plan.layers)
        lines.append(f"Packages of other layers go into the one environment: {told}")
    lines += [f"Not restored, for import never used it: {each}" for each in plan.shadowed[:_SHOWN]]
    lines += [
        f"Left out: {each.name} {each.version}: {each.why}" for each in plan.left_out[:_SHOWN]
    ]
    for text in lines:
        say(folded(clean(text), columns(sys.stderr)), quiet=quiet)
    _tell_hosts(prepared, quiet=quiet)


def _tell_hosts(prepared: Prepared, *, quiet: bool) -> None:
    """Who is asked for the files, and where the manifest says that they lie."""
    locking = prepared.options.lock
    if prepared.to_fetch or prepared.sources:
        talks_to(hosts(locking.indexes, os.environ, locker=locking.locker), quiet=quiet)
    named = [each.url for each in prepared.to_fetch]
    named += [each.url for each in prepared.conda_to_fetch]
    told = ", ".join(f"{host} ({count})" for host, count in host_counts(named))
    if told:  # else no more than the tools that build sources are fetched
        say(folded(clean(f"The manifest names {told}"), columns(sys.stderr)), quiet=quiet)


def _tell_after(prepared: Prepared, restored: Restored, *, quiet: bool) -> ExitCode:
    plan, width = prepared.plan, columns(sys.stderr)
    unpacked = restored.installed.unpacked
    if unpacked:
        names = ", ".join(unpacked[:_SHOWN]) + (", ..." if len(unpacked) > _SHOWN else "")
        say(
            folded(f"Unpacked by envsnap, for no installer takes them: {names}", width), quiet=quiet
        )
    if restored.installed.built:
        names = ", ".join(restored.installed.built[:_SHOWN])
        told = f"Built from source here, and compared by version alone: {names}"
        say(folded(told, width), quiet=quiet)
    for note in (*restored.notes, *filter(None, (restored.python,))):
        say(folded(clean(note), width), quiet=quiet)
    is_same = not restored.differences
    said = f"Restored {restored.alike} of {plan.packages} packages"
    if is_same:
        said += "; all others as captured" if plan.left_out else "; all as captured"
    say(folded(said, width), quiet=quiet)
    if not is_same:
        lines = [f"  {clean(each)}" for each in restored.differences[:_SHOWN]]
        more = len(restored.differences) - _SHOWN
        lines += [f"  and {more} more"] if more > 0 else []
        say(folded("\n".join(["It is not what the manifest says:", *lines]), width))
        return ExitCode.NO
    say("To use it:", quiet=quiet)
    payload(_line(prepared))
    return ExitCode.OK


def _line(prepared: Prepared) -> str:
    """The line that starts the environment's Python."""
    import shlex

    return shlex.quote(os.path.join(prepared.options.folder, "bin", "python"))
