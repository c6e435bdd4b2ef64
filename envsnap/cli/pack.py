"""envsnap pack: write the one file to attach to a paper."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace

from envsnap._build import registry_of, resolve_digest
from envsnap._pack import (
    MAX_MB,
    MB,
    OUTPUT,
    Pack,
    PackOptions,
    make_pack,
    to_make,
    with_made,
    write_pack,
)
from envsnap._units import size_words
from envsnap.cli._manifest import load
from envsnap.cli._terminal import Progress, add_common, clean, columns, folded, payload, say
from envsnap.cli._wheelhouse import differing_lines, host_name, lost_lines, plan_lines, say_all
from envsnap.cli.lock import add_index_options, lock_aloud, lock_options, talks_to
from envsnap.errors import ExitCode, UsageError
from envsnap.lock import hosts
from envsnap.manifest import Manifest, canonical_name, find
from envsnap.sections import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_SHOWN = 10
DESCRIPTION = """Write the one file to attach to a paper: the manifest, its locks and recipes, the
wheels that no index has, and ten lines for whoever opens it."""
EPILOG = f"""examples:
  envsnap pack                          the manifest here, into {OUTPUT}
  envsnap pack --wheelhouse wheels      with what no index has from this folder
  envsnap pack --max-size 20 --without torch

The same manifest and wheels give the same bytes. A reader needs no more than that file:
  envsnap restore DIR --manifest {OUTPUT}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of pack."""
    add = parser.add_argument
    add("manifest", metavar="MANIFEST", nargs="?", help="the file (default: the nearest upward)")
    add("-o", "--output", metavar="PATH", default=OUTPUT, help=f"write here (default: {OUTPUT})")
    add(
        "--max-size", metavar="MB", type=int, default=MAX_MB,
        help=f"write no file that is larger (default: {MAX_MB})",
    )  # fmt: skip
    add("--wheelhouse", metavar="DIR", help="take what no index has from here")
    add("--python", metavar="EXE", help="where it is not there: make it of this environment")
    add(
        "--allow-host", metavar="HOST", type=host_name, action="append", default=[],
        help="fetch from this host, too: it is not in your own settings",
    )  # fmt: skip
    add(
        "--without", metavar="NAME", action="append", default=[],
        help="leave this package's wheel out",
    )  # fmt: skip
    add("--force", action="store_true", help="replace a file that is no pack of this environment")
    add_index_options(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> ExitCode:
    """Make what has no file, and write the pack."""
    if args.max_size <= 0:
        raise UsageError(f"--max-size is {args.max_size} MB", hint=f"Give --max-size {MAX_MB}")
    manifest = load(args.manifest or find())
    if manifest.lock is None:
        say("The manifest has no lock yet: locking it first", quiet=args.quiet)
        manifest = lock_aloud(manifest, lock_options(args), quiet=args.quiet)
    options = PackOptions(
        output=args.output, force=args.force,
        wheelhouses=() if args.wheelhouse is None else (args.wheelhouse,),
        without=frozenset(map(canonical_name, args.without)),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="envsnap-pack-") as folder:
        manifest, options = _completed(args, manifest, options, folder)
        return _pack(args, manifest, options)


def _completed(
    args: argparse.Namespace, manifest: Manifest, options: PackOptions, folder: str
) -> tuple[Manifest, PackOptions]:
    """The manifest and the wheelhouses once what has no file was made of the environment here."""
    missing = to_make(manifest, options)
    if missing is None:
        return manifest, options
    from envsnap.wheelhouse._fill import carry_out
    from envsnap.wheelhouse._prepare import FillOptions, is_fetched, prepare

    locking = lock_options(args)
    if missing.lock is not None and any(map(is_fetched, missing.lock.artifacts)):
        talks_to(hosts(locking.indexes, os.environ, locker=locking.locker), quiet=args.quiet)
    filling = FillOptions(lock=locking, python=args.python, allow_host=frozenset(args.allow_host))
    with Progress("Looking for the files that no index has ...", quiet=args.quiet):
        prepared = prepare(missing, folder, filling)
    say_all(plan_lines(prepared), quiet=args.quiet)
    with Progress("Making the files that no index has ...", quiet=args.quiet) as progress:
        filled = carry_out(prepared, progress.update)
    if filled.failed:
        say_all(lost_lines(filled.failed), quiet=args.quiet)
    say_all(differing_lines(filled.differing), quiet=False)
    lock = filled.manifest.lock
    found = manifest if lock is None else with_made(manifest, lock)
    return found, replace(options, wheelhouses=(*options.wheelhouses, folder))


def _pack(args: argparse.Namespace, manifest: Manifest, options: PackOptions) -> ExitCode:
    """Say how large it will be, and write it unless that is too much."""

    def resolve_aloud(reference: str) -> Fact[str]:
        talks_to([f"{registry_of(reference)} (digest of {reference})"], quiet=args.quiet)
        return resolve_digest(reference)

    pack = make_pack(manifest, options, resolve_aloud)
    _tell(pack, args.output, quiet=args.quiet)
    if pack.size > args.max_size * MB:
        return _too_large(pack, args.max_size)
    with Progress(f"Writing {args.output} ...", quiet=args.quiet):
        write_pack(pack, args.output)
    say("Wrote it. To send it on:", quiet=args.quiet)
    payload(os.path.relpath(args.output))
    return ExitCode.OK


def _tell(pack: Pack, output: str, *, quiet: bool) -> None:
    """How large the file will be, and what is in it and what is not."""
    count = len(pack.wheels)
    files = "1 file" if count == 1 else f"{count} files"
    lines = [f"{output}: {size_words(pack.size)}, with {files} that no index has"]
    if pack.hosts:
        named = ", ".join(f"{host} ({number})" for host, number in pack.hosts)
        lines.append(f"All others come from: {named}")
    if pack.without_recipes is not None:
        lines.append(f"No recipes of containers: {pack.without_recipes}")
    lines += [f"Not in it: {each}" for each in pack.left_out[:_SHOWN]]
    if len(pack.left_out) > _SHOWN:
        lines.append(f"and {len(pack.left_out) - _SHOWN} more")
    for text in lines:
        say(folded(clean(text), columns(sys.stderr)), quiet=quiet)


def _too_large(pack: Pack, limit: int) -> ExitCode:
    """Say what to leave out, the largest first, until the rest is small enough."""
    left, flags = pack.size, []
    for each in sorted(pack.wheels, key=lambda each: -each.stored.size):
        if left <= limit * MB:
            break
        left -= each.stored.size
        flags.append((each.stored.name, each.stored.size))
    lines = [f"More than --max-size {limit} allows: nothing is written"]
    lines += [f"  --without {name}   saves {size_words(size)}" for name, size in flags[:_SHOWN]]
    if left > limit * MB:
        lines.append(f"  --max-size {left // MB + 1} is the least that is left then")
    say(folded(clean("\n".join(lines)), columns(sys.stderr)))
    return ExitCode.NO
